// What comes after a guess: its own run, then the model's answer beside it and why.
import { div, h, SUPPRESS, setProps, span } from "./dom.ts";
import { raw } from "./numbers.ts";
import { type Card, compared, lines, type Tried, type Truth } from "./question_state.ts";
import { plain } from "./text.ts";

/** Paragraphs; what stands between backticks is code. */
export function paragraphs(words: readonly string[]): HTMLElement[] {
  return words.map((one) =>
    h(
      "p",
      {},
      ...one
        .split(/(`[^`\n]+`)/)
        .map((part, i) =>
          i % 2 ? h("code", { text: plain(part.slice(1, -1), 400) }) : lines(part),
        ),
    ),
  );
}

/** An element that is drawn anew only when what it shows is another. */
function drawn<T>(el: HTMLElement, draw: (value: T) => HTMLElement[]): (value: T | null) => void {
  let before = "";
  return (value) => {
    const now = JSON.stringify(value);
    if (now === before) return;
    before = now;
    el.hidden = value === null;
    el.replaceChildren(...(value === null ? [] : draw(value)));
  };
}

/** What happened when the guessed cells were run. */
export function tried() {
  const el = h("section", { class: "mw-qtried", "aria-label": "Your guess, run", hidden: true });
  const update = drawn<Tried>(el, ({ label, sentence, corners, unit, goal }) => {
    // A run with a constant is no corner: it has no name, and stands after the run as it is.
    const cell = (name: "y11" | "y10" | "y01" | "y00") =>
      h("td", {}, span("mw-y", goal ? "" : name.toUpperCase()), raw(corners[name]));
    const heads = goal ? ["as it is", `set ${plain(goal, 80)}`] : ["clean", "corrupt"];
    const low = [cell("y01"), cell("y00")];
    if (goal) low.reverse();
    const head = (text: string, scope = "col") => h("th", { scope, text });
    const over = h("th", { colspan: 2, scope: "colgroup", class: "mw-over" }, "value of ");
    over.append(h("bdi", { text: plain(label, 60) }));
    return [
      div("mw-title", "Your guess, run"),
      h("p", { text: lines(sentence) }),
      h(
        "table",
        { class: "mw-table" },
        h("caption", { class: "mw-hidden", text: `The four runs, in ${plain(unit, 40)}` }),
        h("thead", {}, h("tr", {}, h("td"), over)),
        h(
          "tbody",
          {},
          h("tr", {}, head("input"), ...heads.map((text) => head(text))),
          h("tr", {}, head("clean", "row"), cell("y11"), cell("y10")),
          h("tr", {}, head("corrupt", "row"), ...low),
        ),
      ),
    ];
  });
  return { el, update };
}

/** Whether the guess was right, in words, and the explanation. */
export function answer() {
  const el = h("section", { class: "mw-qanswer", "aria-label": "Answer", hidden: true });
  const update = drawn<{ words: string; truth: Truth }>(el, ({ words, truth }) => {
    const { right, after } = truth;
    // Neither green nor red: a surprise is what the question is for.
    const mark = h("span", { class: "mw-qmark", "aria-hidden": "true", text: right ? "✓" : "≠" });
    const said = h("p", { class: "mw-qverdict", tabindex: -1 }, right !== null && mark, words);
    said.hidden = words === "";
    return [said, ...paragraphs(after)];
  });
  return {
    el,
    update: (card: Card) => {
      const { truth } = card;
      const words = compared(card);
      update(truth && (words || truth.after.length > 0) ? { words, truth } : null);
      setProps(el, { "data-right": truth?.right === null ? null : String(truth?.right) });
    },
    /** What takes the focus when the answer comes. */
    focus: () => {
      const first = el.querySelector<HTMLElement>("p:not([hidden])");
      if (!first) return;
      setProps(first, { tabindex: -1, [SUPPRESS]: "true" });
      first.focus();
    },
  };
}
