// A question's card as people use it: predict, commit, hints, reveal; and the lesson's progress.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SUPPRESS } from "./dom.ts";
import { FakeModel } from "./fake.ts";
import question from "./question.ts";
import { answers } from "./question_line.ts";
import { inUnit, lessonOf, numberOf, together } from "./question_state.ts";

let el: HTMLElement;
let end: () => void = () => {};

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ addEventListener() {}, removeEventListener() {} }));
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  end();
  el.remove();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

type Fields = Record<string, unknown>;
let seq = 0;

const GRID = {
  rows: ["L0", "L1"],
  cols: ["H0", "H1"],
  labels: [
    ["L0H0", "L0H1"],
    ["L1H0", "L1H1"],
  ],
  several: 1,
  estimand: "PIE",
};
const OPTIONS = ["more", "less.", "as much"];

function card(kind: string, more: Fields = {}): Fields {
  return {
    id: kind,
    kind,
    prompt: ["What is it?"],
    status: "open",
    guess: null,
    points: 1,
    hints: { shown: [], left: 2 },
    options: OPTIONS,
    unit: "%",
    grid: GRID,
    least: 10,
    tried: null,
    truth: null,
    error: "",
    ...more,
  };
}
function state(shown: Fields | null, more: Fields = {}): Fields {
  seq += 1;
  const steps = [{ id: "a", title: "What is it?", status: "open", right: null }];
  const lesson = { title: "1 One", at: 0, steps, answered: 3, questions: 12, feedback: true };
  return { ...lesson, seq, notice: "", card: shown, ...more };
}
function open(shown: Fields | null, more: Fields = {}): FakeModel {
  const model = new FakeModel({ state: state(shown, more) });
  end = question.render({ model, el });
  return model;
}
const tell = (model: FakeModel, shown: Fields | null, more: Fields = {}) =>
  model.push("state", state(shown, more));

const find = <T extends HTMLElement>(css: string) => el.querySelector<T>(css) as T;
const all = (css: string) => [...el.querySelectorAll<HTMLElement>(css)];
const named = (words: string) =>
  all("button").find((one) => one.textContent?.startsWith(words)) as HTMLButtonElement;
const cell = (label: string) => find(`[role=gridcell][aria-label^="${label}:"]`);
const said = () => find(".mw-qsaid").textContent;
const heard = () => find("[role=status]").textContent;
const press = (at: HTMLElement, key: string, more: KeyboardEventInit = {}) =>
  at.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
function type(field: HTMLInputElement | HTMLTextAreaElement, words: string): void {
  field.value = words;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

// --- the four kinds --------------------------------------------------------------------------------

test("an option is chosen, committed once, and marked with the model's", () => {
  const model = open(card("choice"));
  const group = find("[role=radiogroup]");
  expect(document.getElementById(group.getAttribute("aria-labelledby") ?? "")?.textContent).toBe(
    "What is it?",
  );
  expect(named("Commit").getAttribute("aria-disabled")).toBe("true");
  named("Commit").click();
  expect(model.sent).toEqual([]);
  all("input")[1]?.click();
  named("Commit").click();
  expect(model.sent).toEqual([{ do: "commit", id: "choice", guess: 1 }]);
  // On its way: said at once, and nothing is sent twice.
  expect(find(".mw-qring").hidden).toBe(false);
  expect(said()).toContain("keeping your guess");
  named("Commit").click();
  named("Hint").click();
  expect(model.sent).toHaveLength(1);
  tell(model, card("choice", { status: "committed", guess: 1 }));
  expect(find(".mw-qring").hidden).toBe(true);
  expect(find(".mw-qoption[data-own]").textContent).toContain("your guess");
  expect(find(".mw-qanswer").hidden).toBe(true);
  named("Reveal").click();
  expect(model.last).toEqual({ do: "reveal", id: "choice" });
  expect(said()).toContain("running the model");
  const truth = { right: false, words: "as much", option: 2, after: ["For so it is."] };
  tell(model, card("choice", { status: "revealed", guess: 1, truth }));
  expect(find(".mw-qverdict").textContent).toBe("≠You predicted “less”, the model says “as much”.");
  expect(find(".mw-qoption[data-right]").textContent).toBe("as much✓ the model");
  expect(find(".mw-qanswer").textContent).toContain("For so it is.");
  expect(heard()).toBe("You predicted “less”, the model says “as much”.");
});

test("a number commits on Enter, stands on an axis, and is read as people write it", () => {
  const model = open(card("number"));
  const field = find<HTMLInputElement>("input");
  press(field, "Enter");
  expect(model.sent).toEqual([]);
  type(field, "abc");
  expect(field.getAttribute("aria-invalid")).toBe("true");
  expect(said()).toBe("This is not a number yet.");
  type(field, "−12,5 %");
  expect(field.getAttribute("aria-invalid")).toBeNull();
  press(field, "Enter");
  expect(model.last).toEqual({ do: "commit", id: "number", guess: -12.5 });
  tell(model, card("number", { status: "committed", guess: -12.5 }));
  expect(said()).toBe("Your guess −12.5% is kept.");
  expect(find(".mw-qaxis")).toBeNull();
  const truth = { right: false, words: "37.24 %", value: 37.236, within: 10, after: [] };
  tell(model, card("number", { status: "revealed", guess: -12.5, truth }));
  expect(find(".mw-qverdict").textContent).toBe("≠You predicted −12.5%, the model says 37.2%.");
  expect(find(".mw-qaxis").getAttribute("aria-label")).toBe(
    "On one axis: you −12.5%, the model 37.2%",
  );
  // From −15% to 100%.
  const place = Number.parseFloat(find(".mw-qmodel").style.getPropertyValue("--at"));
  expect(place).toBeCloseTo((100 * (37.236 + 15)) / 115, 1);
  expect(Number.parseFloat(find(".mw-qband").style.width)).toBeCloseTo(2000 / 115, 1);
});

test("cells are picked in an empty grid; what was guessed is run, then all of it is shown", () => {
  const model = open(card("pick"));
  expect(all(".mw-cell").map((one) => one.dataset.state)).toEqual(Array(4).fill("none"));
  expect(all(".mw-cell[tabindex='0']")).toHaveLength(1);
  expect(el.textContent).not.toContain("%");
  cell("L0H0").focus();
  press(cell("L0H0"), "ArrowRight");
  press(cell("L0H1"), "ArrowDown");
  press(cell("L1H1"), "Enter");
  expect(cell("L1H1").ariaSelected).toBe("true");
  expect(said()).toBe("L1H1 picked.");
  cell("L1H0").click();
  expect(all("[aria-selected=true]")).toEqual([cell("L1H0")]);
  named("Commit").click();
  expect(model.last).toEqual({ do: "commit", id: "pick", guess: ["L1H0"] });
  expect(cell("L1H0").dataset.pending).toBe("true");
  cell("L0H0").click();
  expect(cell("L1H0").ariaSelected).toBe("true");
  // The guess is kept before its cell was run.
  tell(model, card("pick", { status: "committed", guess: ["L1H0"] }));
  expect(find(".mw-qring").hidden).toBe(false);
  const corners = { y11: 11, y10: 10.5, y01: -5, y00: -5.2 };
  const tried = { label: "L1H0", sentence: "Patching L1H0 …: 1%.", corners, unit: "logits" };
  tell(model, card("pick", { status: "committed", guess: ["L1H0"], tried }));
  expect(find(".mw-qring").hidden).toBe(true);
  expect(find(".mw-qtried").textContent).toContain("Patching L1H0 …: 1%.");
  expect(all(".mw-qtried td").map((one) => one.textContent)).toEqual([
    "",
    "Y11+11.0",
    "Y10+10.5",
    "Y01−5.0",
    "Y00−5.2",
  ]);
  expect(cell("L1H0").dataset.pending).toBeUndefined();
  const cells = [
    [0, -0.25],
    [0.012, 0.4],
  ];
  const words = "L1H1: +40% of the total effect";
  const truth = { right: false, words, after: [], cells, best: ["L1H1"] };
  tell(model, card("pick", { status: "revealed", guess: ["L1H0"], tried, truth }));
  expect(all(".mw-cell").map((one) => one.textContent)).toEqual(["0", "−25", "+1", "+40"]);
  expect(cell("L0H1").dataset.sign).toBe("away");
  expect(cell("L1H1").dataset.sign).toBe("toward");
  expect(cell("L1H1").style.getPropertyValue("--v")).toBe("100.0");
  expect(cell("L1H1").getAttribute("aria-label")).toBe(
    "L1H1: +40% of the total effect, the model's answer",
  );
  expect(cell("L1H0").getAttribute("aria-label")).toContain("+1% of the total effect, your guess");
  expect(all("[data-best]")).toEqual([cell("L1H1")]);
  expect(find(".mw-qverdict").textContent).toBe(`≠You predicted L1H0, the model says ${words}.`);
  expect(find(".mw-qkey").textContent).toContain("away −40%+40% toward clean");
  cell("L0H1").dispatchEvent(new Event("pointerover", { bubbles: true }));
  expect(find(".mw-qpointed").textContent).toBe("L0H1: −25% of the total effect");
});

test("the legend says what the colours are of", () => {
  const truth = { right: true, words: "", after: [], cells: [[1, 0]], best: ["L0H0"] };
  const legend = (estimand: string) => {
    open(card("pick", { grid: { ...GRID, estimand }, status: "revealed", guess: ["L0H0"], truth }));
    const words = find(".mw-qkey").textContent;
    end();
    return words;
  };
  expect(legend("TIE")).toContain("against −100%+100% for clean");
  expect(legend("INT")).toContain("OR-like −100%+100% AND-like");
});

test("of several cells the first one picked makes room, and a second click takes one back", () => {
  const model = open(card("pick", { grid: { ...GRID, several: 2 } }));
  cell("L0H0").click();
  expect(said()).toBe("1 of 2 cells picked.");
  named("Commit").click();
  expect(model.sent).toEqual([]);
  cell("L0H1").click();
  cell("L1H0").click();
  expect(said()).toBe("L0H1 and L1H0 picked.");
  cell("L0H1").click();
  expect(said()).toBe("1 of 2 cells picked.");
  cell("L1H1").click();
  named("Commit").click();
  expect(model.last.guess).toEqual(["L1H0", "L1H1"]);
});

test("a sentence says how much is missing, and is never judged", () => {
  const model = open(card("text"));
  const field = find<HTMLTextAreaElement>("textarea");
  expect(said()).toBe("10 more characters.");
  type(field, "  nine char ");
  expect(said()).toBe("1 more character.");
  press(field, "Enter", { ctrlKey: true });
  expect(model.sent).toEqual([]);
  type(field, "two lines\nof it");
  press(field, "Enter");
  expect(model.sent).toEqual([]);
  press(field, "Enter", { ctrlKey: true });
  expect(model.last).toEqual({ do: "commit", id: "text", guess: "two lines\nof it" });
  const guess = "two lines\nof it";
  tell(model, card("text", { status: "committed", guess }));
  expect(find(".mw-qkept").textContent).toBe(guess);
  const truth = { right: null, words: "", after: ["One might say …"] };
  tell(model, card("text", { status: "revealed", guess, truth }));
  expect(find(".mw-qanswer").textContent).toBe("One might say …");
  expect(said()).toBe("Kept; a person judges it.");
});

test("something to do is done in a view", () => {
  const model = open(card("do"));
  expect(said()).toContain("Do it in the view");
  tell(model, card("do", { prompt: ["Click L3H1."] }));
  expect(find(".mw-qprompt").textContent).toBe("Click L3H1.");
  named("Done").click();
  expect(model.last).toEqual({ do: "commit", id: "do", guess: true });
  tell(model, card("do", { status: "revealed", guess: true, truth: { right: null, after: [] } }));
  expect(said()).toBe("Done.");
  expect(find(".mw-qanswer").hidden).toBe(true);
});

// --- hints, focus, what is kept --------------------------------------------------------------------

test("hints come one by one, are heard, and take the focus when their button goes", () => {
  const model = open(card("choice"));
  named("Hint, 2 left").focus();
  named("Hint, 2 left").click();
  expect(model.last).toEqual({ do: "hint", id: "choice" });
  tell(model, card("choice", { hints: { shown: ["Look at L3."], left: 1 } }));
  expect(heard()).toBe("Hint 1: Look at L3.");
  expect(document.activeElement).toBe(named("Hint, 1 left"));
  named("Hint, 1 left").click();
  tell(model, card("choice", { hints: { shown: ["Look at L3.", "`mw.Site`"], left: 0 } }));
  expect(all(".mw-qhints li").map((one) => one.textContent)).toEqual(["Look at L3.", "mw.Site"]);
  expect(find(".mw-qhints code").textContent).toBe("mw.Site");
  expect(named("Hint").hidden).toBe(true);
  expect(document.activeElement).toBe(all(".mw-qhints li")[1]);
});

test("the focus goes from the guess to the reveal to the answer", () => {
  const model = open(card("choice"));
  all("input")[0]?.click();
  named("Commit").focus();
  named("Commit").click();
  tell(model, card("choice", { status: "committed", guess: 0 }));
  expect(document.activeElement).toBe(named("Reveal"));
  named("Reveal").click();
  const truth = { right: true, words: "more", option: 0, after: ["Why."] };
  tell(model, card("choice", { status: "revealed", guess: 0, truth }));
  expect(find(".mw-qverdict").textContent).toBe("✓As you predicted.");
  expect(document.activeElement).toBe(find(".mw-qverdict"));
  // Without a verdict the explanation has it.
  tell(model, card("text", { id: "own", status: "committed", guess: "mine" }));
  named("Reveal").focus();
  const after = { right: null, words: "", after: ["One might say …"] };
  tell(model, card("text", { id: "own", status: "revealed", guess: "mine", truth: after }));
  expect(document.activeElement?.textContent).toBe("One might say …");
  expect(document.activeElement?.getAttribute(SUPPRESS)).toBe("true");
});

test("news that arrive leave what is typed, and the focus, where they are", () => {
  const model = open(card("text"));
  const field = find<HTMLTextAreaElement>("textarea");
  field.focus();
  type(field, "half a sen");
  tell(model, card("text"), { answered: 4 });
  tell(model, card("text", { hints: { shown: ["a"], left: 1 } }));
  expect(find("textarea")).toBe(field);
  expect(field.value).toBe("half a sen");
  expect(document.activeElement).toBe(field);
  // Another question of a tour, back again, and the view drawn anew.
  tell(model, card("number", { id: "other" }));
  expect(find("textarea")).toBeNull();
  tell(model, card("text"));
  expect(find<HTMLTextAreaElement>("textarea").value).toBe("half a sen");
  end();
  end = question.render({ model, el });
  expect(find<HTMLTextAreaElement>("textarea").value).toBe("half a sen");
});

test("other news of the lesson are no answer", () => {
  const model = open(card("choice"));
  all("input")[0]?.click();
  named("Commit").click();
  tell(model, card("choice"), { answered: 4 });
  expect(find(".mw-qring").hidden).toBe(false);
  named("Commit").click();
  expect(model.sent).toHaveLength(1);
  // A refusal is one, and is said.
  tell(model, card("choice", { error: "There is no such option." }));
  expect(find(".mw-qring").hidden).toBe(true);
  expect(find(".mw-qcard .mw-qnotice").textContent).toBe("There is no such option.");
  named("Commit").click();
  expect(model.sent).toHaveLength(2);
});

test("a kernel that does not answer is said to be busy; later one may try again", () => {
  vi.useFakeTimers();
  const model = open(card("text"));
  type(find("textarea"), "a sentence of mine");
  named("Commit").click();
  expect(find<HTMLTextAreaElement>("textarea").readOnly).toBe(true);
  vi.advanceTimersByTime(3000);
  expect(said()).toContain("busy; this is queued");
  vi.advanceTimersByTime(20_000);
  expect(said()).toContain("has not answered");
  expect(find<HTMLTextAreaElement>("textarea").readOnly).toBe(false);
  expect(find<HTMLTextAreaElement>("textarea").value).toBe("a sentence of mine");
  named("Commit").click();
  expect(model.sent).toHaveLength(2);
});

test("without a kernel the card is readable and says what needs it", () => {
  const model = open(card("text"));
  type(find("textarea"), "a sentence of mine");
  model.gone = true;
  named("Commit").click();
  expect(said()).toBe(
    "The kernel is gone; what you typed stays. Committing needs the notebook and its kernel.",
  );
  expect(find<HTMLTextAreaElement>("textarea").value).toBe("a sentence of mine");
  expect(named("Commit").getAttribute("aria-disabled")).toBe("true");
  end();
  const closed = open(card("choice", { status: "committed", guess: 0 }));
  closed.fire("comm:close");
  expect(said()).toContain("The answer needs the notebook");
});

test("an exported page says that committing needs the notebook", () => {
  vi.stubGlobal("mediawidgetViews", []);
  const model = open(card("choice"));
  expect(said()).toBe("This is a copy. Committing needs the notebook.");
  all("input")[0]?.click();
  named("Commit").click();
  expect(model.sent).toEqual([]);
});

test("a test keeps answers and judges none", () => {
  open(card("choice", { status: "committed", guess: 1 }), { feedback: false });
  expect(named("Reveal").hidden).toBe(true);
  expect(said()).toBe("Your guess is kept. Nothing is judged here yet.");
});

test("what the lesson has to say stands below, and goes again", () => {
  const model = open(card("choice"), { notice: "kept in memory only" });
  expect(all(".mw-qnotice").map((one) => one.hidden)).toEqual([true, false]);
  tell(model, card("choice"));
  expect(all(".mw-qnotice").every((one) => one.hidden)).toBe(true);
});

// --- where one is ----------------------------------------------------------------------------------

const STEPS = [
  { id: "a", title: "First?", status: "revealed", right: false },
  { id: "b", title: "Second?", status: "committed", right: null },
  { id: "c", title: "Third?", status: "open", right: null },
];

test("a tour has dots, Back and Next", () => {
  const model = open(card("choice"), { steps: STEPS, at: 1 });
  expect(find(".mw-qwhere").textContent).toBe("Question 2 of 3");
  expect(all(".mw-qdot").map((dot) => dot.getAttribute("aria-label"))).toEqual([
    "Question 1, First?: not as predicted",
    "Question 2, Second?: answered",
    "Question 3, Third?: not answered",
  ]);
  expect(find("[aria-current=step]")).toBe(all(".mw-qdot")[1]);
  named("Next").click();
  expect(model.last).toEqual({ do: "go", to: 2 });
  tell(model, card("text"), { steps: STEPS, at: 2 });
  expect(named("Next").getAttribute("aria-disabled")).toBe("true");
  named("Next").click();
  expect(model.sent).toHaveLength(1);
  all(".mw-qdot")[0]?.click();
  expect(model.last).toEqual({ do: "go", to: 0 });
});

test("one card says how many are answered", () => {
  open(card("choice"));
  expect(find(".mw-qwhere").textContent).toBe("3 of 12 answered");
  expect(find(".mw-qnav").hidden).toBe(true);
});

test("without a card: progress", () => {
  const model = open(null, { steps: STEPS });
  expect(find(".mw").getAttribute("aria-label")).toBe("Progress");
  expect(find(".mw-qfigures").textContent).toBe(
    "3 of 12 answered, a credit each0 of 1 as predicted",
  );
  expect(find<HTMLProgressElement>("progress").value).toBe(3);
  expect(all(".mw-qsteps li").map((one) => one.textContent)).toEqual([
    "●First?not as predicted",
    "◐Second?answered",
    "○Third?not answered",
  ]);
  tell(model, null, { steps: STEPS, answered: 4 });
  expect(find(".mw-qfigures").textContent).toContain("4 of 12 answered");
});

// --- text, keys ------------------------------------------------------------------------------------

test("whatever a text holds, it is text", () => {
  const evil = "<img src=x onerror=alert(1)>";
  const truth = { right: false, words: evil, option: 1, after: [evil, `\`${evil}\``] };
  const tried = { label: evil, sentence: evil, corners: {}, unit: evil };
  const hints = { shown: [evil], left: 0 };
  const more = { prompt: [evil], options: [evil, "b"], guess: 0, error: evil };
  open(card("choice", { ...more, status: "revealed", truth, tried, hints }), {
    title: evil,
    notice: evil,
  });
  expect(el.querySelector("img")).toBeNull();
  expect(find(".mw-qprompt").textContent).toBe(evil);
  end();
  open(card("text", { status: "committed", guess: `${evil}\u202e` }));
  expect(find(".mw-qkept").textContent).toBe(`${evil}\\u202e`);
  end();
  open(null, { steps: [{ id: evil, title: evil, status: "open", right: null }] });
  expect(find(".mw-qname").textContent).toBe(evil);
  expect(el.querySelector("img")).toBeNull();
});

test("every focusable element keeps the notebook's shortcuts out", () => {
  for (const kind of ["choice", "number", "pick", "text", "do"]) {
    open(card(kind), { steps: STEPS });
    const open_ = all("button, input, textarea, [tabindex]");
    expect(open_.filter((one) => one.getAttribute(SUPPRESS) !== "true")).toEqual([]);
    end();
  }
});

test("a state that holds less than it should is drawn all the same", () => {
  expect(lessonOf(undefined)).toMatchObject({ title: "", steps: [], questions: 0, card: null });
  open({ id: "x", kind: "choice" });
  expect(all("input")).toEqual([]);
});

test.each([
  ["40", 40],
  [" +3.5 ", 3.5],
  ["−5", -5],
  ["12 %", 12],
  [".5", 0.5],
  ["1e3", null],
  ["1,000.5", null],
  ["", null],
  ["-", null],
])("%j is read as %j", (typed, value) => {
  expect(numberOf(typed, "%")).toBe(value);
});

test("numbers and names in words", () => {
  expect(inUnit(37.236, "%")).toBe("37.2%");
  expect(inUnit(-1234.5, "logits")).toBe("−1234\u00a0logits");
  expect(inUnit(0.123456, "", true)).toBe("0.123456");
  expect(together(["a", "b", "c"])).toBe("a, b and c");
});

test("which state answers what was sent", () => {
  const sent = (deed: "go" | "hint", from: number) => ({ deed, id: "choice", seq: 0, from });
  const lesson = (shown: Fields, more: Fields = {}) => lessonOf(state(shown, more));
  expect(answers(sent("go", 2), lesson(card("choice"), { at: 1 }))).toBe(false);
  expect(answers(sent("go", 2), lesson(card("other"), { at: 2 }))).toBe(true);
  expect(answers(sent("hint", 0), lesson(card("choice")))).toBe(false);
  const hints = { shown: ["one"], left: 1 };
  expect(answers(sent("hint", 0), lesson(card("choice", { hints })))).toBe(true);
});
