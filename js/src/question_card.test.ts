// A question's card beside the guess: hints, focus, the lesson's progress, hostile text.
import { expect, test, vi } from "vitest";
import { SUPPRESS } from "./dom.ts";
import {
  all,
  card,
  el,
  end,
  type Fields,
  find,
  heard,
  named,
  open,
  render,
  said,
  state,
  tell,
  type,
} from "./fake_question.ts";
import { answers } from "./question_line.ts";
import { inUnit, lessonOf, numberOf, together } from "./question_state.ts";

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
  render(model);
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
