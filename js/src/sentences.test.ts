import { expect, test } from "vitest";
import { decodeResult, decodeView } from "./decode.ts";
import { answer, MIXED, PATCH, payload, ZERO } from "./fake.ts";
import { type Direction, Status } from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { cellName, sentence } from "./sentences.ts";

const view = decodeView(payload({ base: { y11: 11, y00: -5.2 } }));

function reading(change: Partial<Reading> = {}): Reading {
  return {
    kind: "cell",
    cells: [{ panel: "head", index: 0 }],
    label: "L3H1",
    corners: { y11: 11, y00: -5.2, y10: 2, y01: 1.3 },
    edit: PATCH,
    status: Status.Exact,
    n: 1,
    ci: null,
    stale: false,
    ...change,
  };
}
const corners = (y10: number, y01: number) => ({ y11: 11, y00: -5.2, y10, y01 });
const say = (direction: Direction, change: Partial<Reading> = {}) =>
  sentence(view, direction, reading(change));

test.each<[string, Direction, Partial<Reading>, string]>([
  [
    "restore",
    "restore",
    {},
    "Patching L3H1 from clean into corrupt moves logit(a) − logit(b) from −5.2 to +1.3: 40% of the total effect.",
  ],
  [
    "restore, further away",
    "restore",
    { corners: corners(2, -7) },
    "Patching L3H1 from clean into corrupt moves logit(a) − logit(b) from −5.2 to −7.0: 11% further from the clean answer.",
  ],
  [
    "break",
    "break",
    {},
    "Patching L3H1 from corrupt into clean moves logit(a) − logit(b) from +11.0 to +2.0: 56% of the total effect lost.",
  ],
  [
    "break, opposes",
    "break",
    { corners: corners(13, 1) },
    "Patching L3H1 from corrupt into clean moves logit(a) − logit(b) from +11.0 to +13.0: 12% added; it opposes the clean answer.",
  ],
  ["difference", "difference", {}, "Restoring gains 40%, breaking loses 56%: interaction +15%."],
  [
    "AND-like",
    "difference",
    { corners: corners(-5.2, -5.2) },
    "Restoring gains 0%, breaking loses 100%: interaction +100%. It matters more when the rest is clean (AND-like).",
  ],
  [
    "OR-like",
    "difference",
    { corners: corners(11, 11) },
    "Restoring gains 100%, breaking loses 0%: interaction −100%. It matters more when the rest is corrupt (OR-like).",
  ],
  [
    "signs that part",
    "difference",
    { corners: corners(27.2, 11) },
    "Restoring gains 100%, breaking loses −100%: interaction −200%. Its effect changes sign with the rest.",
  ],
])("%s", (_, direction, change, expected) => {
  expect(say(direction, change)).toBe(expected);
});

test("a contrast: mean of n pairs, with the interval in percent", () => {
  expect(say("restore", { n: 64 })).toMatch(/effect\. Mean of 64 pairs\.$/);
  expect(say("restore", { n: 64, ci: { PIE: [5, 7], "PIE%": [35, 45] } })).toMatch(
    / Mean of 64 pairs, 95% CI 35% to 45%\.$/,
  );
});

test.each<[string, Direction, Partial<Reading>, string]>([
  ["restored", "restore", { corners: corners(2, -5.2071) }, "−5.2: 0.0% of the total effect."],
  ["broken", "break", { corners: corners(11.0071, 1) }, "+11.0: 0.0% of the total effect lost."],
  [
    "set, on clean",
    "break",
    { corners: corners(11.0071, 1), edit: ZERO },
    "+11.0: 0.0% of the total effect lost.",
  ],
  [
    "set, on corrupt",
    "restore",
    { corners: corners(2, -5.2071), edit: ZERO },
    "−5.2: 0.0% of the total effect toward the clean answer.",
  ],
  [
    "set, on corrupt, the other way",
    "restore",
    { corners: corners(2, -5.1929), edit: ZERO },
    "−5.2: 0.0% of the total effect toward the clean answer.",
  ],
])("what rounds to nothing is no step in a direction: %s", (_, direction, change, expected) => {
  expect(say(direction, change).endsWith(expected)).toBe(true);
});

test("what rounds to nothing keeps its interval as it is", () => {
  const ci: Reading["ci"] = { "PIE%": [-3, 4] };
  expect(say("restore", { n: 64, ci, corners: corners(2, -5.2071) })).toMatch(
    /: 0\.0% of the total effect\. Mean of 64 pairs, 95% CI −3% to 4%\.$/,
  );
});

test.each<[number, string]>([
  [-8, "17% further from the clean answer. Mean of 64 pairs, 95% CI 10% to 20%."],
  [-2, "20% of the total effect toward the clean answer. Mean of 64 pairs, 95% CI −20% to −10%."],
  [-5.2, "0% of the total effect toward the clean answer. Mean of 64 pairs, 95% CI −20% to −10%."],
])("a constant's interval goes the way of its words: %s", (y01, expected) => {
  const change = { n: 64, ci: { "corrupt%": [10, 20] as [number, number] }, edit: ZERO };
  expect(say("restore", { ...change, corners: corners(2, y01) }).endsWith(expected)).toBe(true);
});

test("the interval of a negative effect is told by its size too", () => {
  const ci: Reading["ci"] = { "TIE%": [-20, -10] };
  expect(say("break", { n: 64, ci, corners: corners(13, 1) })).toMatch(
    /: 12% added; it opposes the clean answer\. Mean of 64 pairs, 95% CI 10% to 20%\.$/,
  );
});

test("a zero by construction gives reasons that hold in every case", () => {
  const status = Status.ImpliedZero;
  const unread = "nothing that is read comes after it.";
  expect(say("restore", { status })).toMatch(
    `Zero by construction, so nothing was run: both prompts have the same value here, or ${unread}`,
  );
  for (const kind of ["zero", "mean"])
    expect(say("break", { status, edit: { ...ZERO, kind } })).toMatch(
      `Zero by construction, so nothing was run: ${unread}`,
    );
});

test("an estimate and what is out of date say so", () => {
  expect(say("restore", { status: Status.Estimate })).toMatch(/ ≈ estimate; click to run\.$/);
  expect(say("restore", { stale: true })).toMatch(/ Out of date: run again\.$/);
});

test("not run: what running costs", () => {
  expect(say("restore", { status: Status.NotRun })).toBe(
    "L3H1 was not run. Enter runs it: 1 pass.",
  );
});

test("what cannot be set says why", () => {
  const status = Status.Impossible;
  expect(say("restore", { status })).toBe("L3H1 has no partner in the other prompt.");
  expect(say("restore", { status, edit: ZERO })).toBe("L3H1 cannot be set to this value.");
});

test("a failed check has no number", () => {
  expect(say("restore", { status: Status.Failed })).not.toMatch(/%|logit/);
});

test("near no total effect: logits only", () => {
  const flat = decodeView(payload({ base: { y11: 3, y00: 3 } }));
  const at = reading({ corners: { y11: 3, y00: 3, y10: 2, y01: 3.4 } });
  for (const direction of ["restore", "break", "difference"] as const) {
    expect(sentence(flat, direction, at)).toContain("The total effect is near 0");
    expect(sentence(flat, direction, at)).not.toContain("%");
  }
  expect(sentence(flat, "restore", at)).toContain("from +3.0 to +3.4: +0.40 logits.");
});

test("edits to a constant have their own words and never the corners' names", () => {
  const zero = { edit: ZERO };
  expect(say("break", zero)).toBe(
    "Setting L3H1 to zero in the clean run moves logit(a) − logit(b) from +11.0 to +2.0: 56% of the total effect lost.",
  );
  expect(say("restore", zero)).toBe(
    "Setting L3H1 to zero in the corrupt run moves logit(a) − logit(b) from −5.2 to +1.3: 40% of the total effect toward the clean answer.",
  );
  expect(say("difference", zero)).toBe(
    "Setting L3H1 to zero costs 56% on clean and −40% on corrupt: difference +96%.",
  );
  const mean = { kind: "mean", corners: false, goal: "to its mean", part: "" };
  expect(say("break", { edit: mean })).toContain("to its mean in the");
});

test("several edits at once are not told as one of them", () => {
  const joint = { edit: MIXED, label: "L3H1 + mlp4" };
  expect(say("break", joint)).toMatch(/^Setting L3H1 \+ mlp4 as asked in the clean run moves /);
  expect(say("difference", joint)).toMatch(/^Setting L3H1 \+ mlp4 as asked costs 56% on clean/);
});

test("a cell's name begins with its label", () => {
  const panel = view.panels[0];
  if (!panel) throw new Error("no panel");
  for (const direction of ["restore", "break", "difference"] as const)
    expect(cellName(view, direction, reading(), panel)).toMatch(/^L3H1: .+/);
  const none = reading({ status: Status.NotRun });
  expect(cellName(view, "restore", none, panel)).toBe("L3H1 was not run. Enter runs it: 1 pass.");
});

test("a part of a site's value is named before the site", () => {
  const within = {
    ...PATCH,
    kind: "source",
    goal: "g, within 2 directions",
    part: "2 directions of ",
  };
  expect(say("restore", { edit: within })).toMatch(
    /^Patching 2 directions of L3H1 from clean into /,
  );
  expect(say("restore", { edit: PATCH })).toMatch(/^Patching L3H1 from clean into /);
});

test("the part that Python names is in the sentence of what it sent", () => {
  const edit = { ...PATCH, kind: "source", part: "feature 343 of " };
  const { result } = decodeResult(answer([1], { edit }));
  expect(say("restore", { edit: result?.edit ?? PATCH })).toMatch(
    /^Patching feature 343 of L3H1 from clean into /,
  );
  expect(() => decodeResult(answer([1], { edit: { ...PATCH, part: 1 } }))).toThrow("edit.part");
});
