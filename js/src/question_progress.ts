// How far a lesson is: what has a guess, what it earned, and the questions one by one.
import { div, h, span } from "./dom.ts";
import { type Lesson, stepWords } from "./question_state.ts";
import { plain } from "./text.ts";

const MARKS = { open: "○", committed: "◐", failed: "◐", revealed: "●" };

export function progress() {
  const el = div("");
  let before = "";
  return {
    el,
    update: (lesson: Lesson) => {
      const now = JSON.stringify(lesson);
      if (now === before) return;
      before = now;
      el.replaceChildren(...parts(lesson));
    },
  };
}

function parts({ given, questions, feedback, steps }: Lesson) {
  const figure = (value: number, words: string) =>
    h("div", {}, h("b", { class: "mw-readout", text: String(value) }), ` ${words}`);
  const bar = h("progress", {
    class: "mw-progress",
    value: given,
    max: Math.max(questions, 1),
    "aria-label": "Questions answered",
  });
  const judged = steps.filter(({ right }) => right !== null);
  return [
    div(
      "mw-qfigures",
      figure(given, `of ${questions} answered, a credit each`),
      feedback &&
        judged.length > 0 &&
        figure(judged.filter(({ right }) => right).length, `of ${judged.length} as predicted`),
    ),
    bar,
    h(
      "ol",
      { class: "mw-qsteps" },
      ...steps.map((step) =>
        h(
          "li",
          { "data-stage": step.status },
          h("span", { class: "mw-qsign", "aria-hidden": "true", text: MARKS[step.status] ?? "○" }),
          h("span", { class: "mw-qname", text: plain(step.title || step.id, 240) }),
          span("mw-hint", stepWords(step)),
        ),
      ),
    ),
  ];
}
