// The quiet line over a question: the lesson, where one is in it, and the way to the next.
import { button, div, h, setProps, setText, span } from "./dom.ts";
import type { QuestionLine } from "./question_line.ts";
import { type Lesson, stepWords } from "./question_state.ts";
import { plain } from "./text.ts";

export type Go = (to: number) => void;

/** More steps than these have no dots. */
const MOST_DOTS = 16;

export function heading(go: Go) {
  const title = span("mw-name mw-qlesson");
  const where = span("mw-hint mw-qwhere");
  const dots = h("span", { class: "mw-qdots", role: "group", "aria-label": "Steps" });
  let at = 0;
  const back = button("Back", () => step(-1), { title: "The question before" });
  const next = button("Next", () => step(1), { title: "The next question" });
  const step = (by: number) => {
    if (back.ariaDisabled !== "true" || by > 0)
      if (next.ariaDisabled !== "true" || by < 0) go(at + by);
  };
  const nav = span("mw-qnav", back, next);
  const el = div("mw-part mw-qhead", title, span("mw-qplace", where, dots), nav);

  const drawDots = ({ steps }: Lesson, still: boolean) => {
    dots.hidden = steps.length > MOST_DOTS;
    while (dots.childElementCount < steps.length) {
      const to = dots.childElementCount;
      const dot = button("", () => dot.ariaDisabled !== "true" && to !== at && go(to), {
        class: "mw-qdot",
      });
      dots.append(dot);
    }
    while (dots.childElementCount > steps.length) dots.lastElementChild?.remove();
    steps.forEach((one, i) => {
      const name = `Question ${i + 1}${one.title ? `, ${plain(one.title, 80)}` : ""}`;
      setProps(dots.children[i] as Element, {
        "aria-label": `${name}: ${stepWords(one)}`,
        title: name,
        "data-stage": one.status,
        "aria-current": i === at && "step",
        "aria-disabled": still && "true",
      });
    });
  };

  return {
    el,
    update: (lesson: Lesson, { still }: QuestionLine) => {
      const { steps, card, given, questions } = lesson;
      at = lesson.at;
      setText(title, plain(lesson.title, 80));
      const several = card !== null && steps.length > 1;
      for (const part of [dots, nav]) part.hidden = !several;
      setText(
        where,
        several
          ? `Question ${at + 1} of ${steps.length}`
          : card && questions > 1
            ? `${given} of ${questions} answered`
            : "",
      );
      setProps(back, { "aria-disabled": (still || at === 0) && "true" });
      setProps(next, { "aria-disabled": (still || at >= steps.length - 1) && "true" });
      if (several) drawDots(lesson, still);
    },
  };
}
