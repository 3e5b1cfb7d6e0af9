// A question's card as people use it: predict, commit, reveal; a card for each kind.
import { expect, test } from "vitest";
import {
  all,
  card,
  cell,
  el,
  end,
  find,
  GRID,
  heard,
  named,
  open,
  press,
  said,
  tell,
  type,
} from "./fake_question.ts";

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
  expect(all(".mw-qtried th").map((one) => one.textContent)).toEqual([
    ...["value of L1H0", "input", "clean", "corrupt", "clean", "corrupt"],
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

test("a run with a constant stands after the run as it is, and is no corner", () => {
  const corners = { y11: 11, y10: 10.5, y01: -5, y00: -5.2 };
  const tried = { label: "L1H0", sentence: "L1H0, clean: 3%.", corners, unit: "logits" };
  const set = { ...tried, goal: "to zero <b>" };
  open(card("pick", { status: "committed", guess: ["L1H0"], tried: set }));
  expect(all(".mw-qtried th").map((one) => one.textContent)).toEqual([
    ...["value of L1H0", "input", "as it is", "set to zero <b>", "clean", "corrupt"],
  ]);
  expect(all(".mw-qtried td").map((one) => one.textContent)).toEqual([
    ...["", "+11.0", "+10.5", "−5.2", "−5.0"],
  ]);
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
