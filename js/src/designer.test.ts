// The designer as people use it: read what rivals predict, edit inputs, run a site.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import designer from "./counterfactual_designer.ts";
import {
  alone,
  markOf,
  outcome,
  type Pair,
  type State,
  siteName,
  verdict,
} from "./designer_words.ts";
import { SUPPRESS } from "./dom.ts";
import { FakeModel } from "./fake.ts";

let el: HTMLElement;
let end: () => void = () => {};

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ addEventListener() {}, removeEventListener() {} }));
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  end();
  el.remove();
  vi.unstubAllGlobals();
});

/** Three tokens by two layers: two of the six sites were run. */
function pair(change: Partial<Pair> = {}): Pair {
  return {
    tokens: { base: [" Ann", " beer", " Ann"], source: [" Ann", " tea", " Bob"] },
    rivals: [
      { name: "pointer", mark: "A", predicted: "beer", alike: [] },
      { name: "payload", mark: "B", predicted: "tea", alike: [] },
      { name: "no change", mark: "–", predicted: "milk", alike: [] },
    ],
    telling: true,
    kept: false,
    plain: "milk",
    other: "tea",
    says: { base: ["milk", [0]], source: ["juice", []] },
    cells: [
      [null, ["beer", [0]], null],
      [null, ["water", []], null],
    ],
    ...change,
  };
}

function state(change: Partial<State> = {}): State {
  return {
    seq: 1,
    inputs: [
      { name: "who", values: ["Ann", "Bob"] },
      { name: "drink", values: ["beer", "tea"] },
    ],
    base: [0, 0],
    source: [0, 1],
    at: 0,
    n: 3,
    kept: 0,
    error: "",
    layers: ["L0", "out"],
    pair: pair(),
    ...change,
  };
}

const alike = pair({
  telling: false,
  rivals: [
    { name: "pointer", mark: "A", predicted: "tea", alike: ["payload"] },
    { name: "payload", mark: "B", predicted: "tea", alike: ["pointer"] },
    { name: "no change", mark: "–", predicted: "milk", alike: [] },
  ],
});

function render(given: State = state()): FakeModel {
  const model = new FakeModel({ state: given, _saved_as: "x" });
  end = designer.render({ model, el }) as () => void;
  return model;
}
const cells = () => [...el.querySelectorAll<HTMLElement>(".mw-dsheet button")];
const textOf = (selector: string) => el.querySelector(selector)?.textContent;
/** What was asked, without what every request has. */
const asked = (model: FakeModel) => model.sent.map(({ kind: _kind, id: _id, ...rest }) => rest);
/** The pair that is seen. */
const OF = [
  [0, 0],
  [0, 1],
];
const pressed = (name: string) =>
  [...el.querySelectorAll("button")].find((one) => one.textContent === name) as HTMLButtonElement;

test("a site is named by its token, with its number where the token stands twice", () => {
  expect(siteName(state(), 0, 1)).toBe("L0 @ beer");
  expect(siteName(state(), 1, 2)).toBe("out @ Ann(2)");
});

test("sentences say who predicted what came out", () => {
  const it = state();
  expect(outcome(it, 0, 1)).toMatch(/the model says beer, as A pointer predicts\.$/);
  expect(outcome(it, 1, 1)).toMatch(/the model says water; no hypothesis predicts that\.$/);
  expect(outcome(it, 0, 0)).toMatch(/was not run/);
  const both = state({ pair: { ...alike, cells: [[["tea", [0, 1]]], []] } });
  expect(outcome(both, 0, 0)).toMatch(/as A pointer and B payload predict: this pair cannot tell/);
  const source = state({ pair: pair({ cells: [[["tea", []]], []] }) });
  expect(outcome(source, 0, 0)).toMatch(/as it does on the counterfactual; no hypothesis/);
});

test("a pair that cannot tell two apart says which, once", () => {
  expect(verdict(pair())).toBe("Every hypothesis predicts another output.");
  expect(verdict(alike)).toBe("Cannot tell apart: pointer and payload.");
});

test("marks are letters, not colours", () => {
  const it = pair();
  const faces = [null, ["beer", [0]], ["milk", [2]], ["water", []]] as const;
  expect(faces.map((cell) => markOf(it, cell as never))).toEqual(["", "A", "–", "?"]);
  expect(alone(["milk", [0]], "milk")).toBe("says milk ✓");
  expect(alone(["juice", []], "tea")).toBe("says juice, not tea ✗");
  expect(alone(null, "tea")).toBe("should say tea; not run");
});

test("what was run has its letter, what was not is marked as such", () => {
  render();
  expect(cells().map((one) => one.textContent)).toEqual(["", "", "A", "?", "", ""]);
  const states = cells().map((one) => one.dataset.state);
  expect(states).toEqual(["none", "none", "hit", "other", "none", "none"]);
  expect(cells().every((one) => one.getAttribute("aria-label"))).toBe(true);
  expect(textOf(".mw-dalone")).toContain("Counterfactual alone says juice, not tea ✗");
});

test("a click asks for one run, and arrows move without a message", () => {
  const model = render();
  cells()[4]?.click();
  expect(asked(model)).toEqual([{ do: "run", layer: 0, position: 2, of: OF }]);
  expect(cells()[4]?.hasAttribute("data-waiting")).toBe(true);
  const key = (name: string) =>
    el
      .querySelector(".mw-dsheet")
      ?.dispatchEvent(new KeyboardEvent("keydown", { key: name, cancelable: true, bubbles: true }));
  key("ArrowUp");
  expect(document.activeElement).toBe(cells()[2]);
  expect(textOf(".mw-sentence")).toContain("L0 @ beer");
  key("ArrowRight");
  expect(document.activeElement).toBe(cells()[3]);
  key("ArrowRight");
  expect(document.activeElement).toBe(cells()[3]);
  expect(model.sent).toHaveLength(1);
  expect(cells().filter((one) => one.tabIndex === 0)).toEqual([cells()[3]]);
});

test("an answer takes the waiting mark away and keeps the cell that is looked at", () => {
  const model = render();
  cells()[4]?.click();
  const now = pair();
  (now.cells[0] as unknown[])[2] = ["milk", [2]];
  model.push("state", state({ seq: 2, pair: now }));
  expect(el.querySelector("[data-waiting]")).toBeNull();
  expect(cells()[4]?.textContent).toBe("–");
  expect(textOf(".mw-sentence")).toContain("the model says milk, as – no change predicts");
  expect(textOf("tr[data-hit] th")).toBe("–no change");
});

test("inputs are edited, pairs are browsed and kept", () => {
  const model = render();
  const drink = el.querySelector<HTMLSelectElement>("[aria-label='Counterfactual: drink']");
  expect(drink?.value).toBe("1");
  if (drink) drink.value = "0";
  drink?.dispatchEvent(new Event("change"));
  pressed("‹").click();
  pressed("Keep pair").click();
  pressed("Run all 6 sites").click();
  expect(asked(model)).toEqual([
    { do: "set", side: "source", input: "drink", value: 0 },
    { do: "go", to: 2 },
    { do: "keep", of: OF },
    { do: "run", of: OF },
  ]);
});

test("until another pair came, what is asked is of the one that is seen", () => {
  const model = render();
  pressed("›").click();
  pressed("Keep pair").click();
  expect(model.last).toMatchObject({ do: "keep", of: OF });
  model.push("state", state({ seq: 2, at: 1, base: [1, 1], source: [0, 0] }));
  cells()[0]?.click();
  const of = [
    [1, 1],
    [0, 0],
  ];
  expect(model.last).toMatchObject({ do: "run", layer: 0, position: 0, of });
});

test("a pair that tells nothing apart is marked in words and cannot be kept", () => {
  render(state({ pair: alike, at: null }));
  expect(textOf(".mw-dverdict")).toBe("⚠ Cannot tell apart: pointer and payload.");
  expect(el.querySelector<HTMLElement>(".mw-dverdict")?.dataset.ok).toBe("false");
  expect(textOf(".mw-dalike")).toBe("⚠ same as payload");
  expect(pressed("Keep pair").disabled).toBe(true);
  expect(textOf(".mw-where")).toBe("yours");
});

test("inputs that have no prompt leave nothing to be run", () => {
  const model = render();
  model.push("state", state({ pair: null, error: "Not so." }));
  expect(cells()).toEqual([]);
  expect(textOf(".mw-dverdict")).toBe("⚠ There is no such pair of prompts.");
  expect(textOf(".mw-said")).toBe("Not so.");
  expect(textOf(".mw-drivals")).toBe("");
  model.push("state", state());
  expect(cells()).toHaveLength(6);
});

test("a kernel that is gone is said, and every control keeps the notebook's keys out", () => {
  const model = render();
  model.gone = true;
  cells()[0]?.click();
  expect(textOf(".mw-said")).toContain("Disconnected");
  for (const one of el.querySelectorAll("button, select"))
    expect(one.getAttribute(SUPPRESS)).toBe("true");
});

test("a page without a kernel says where the model can be run", () => {
  const model = render();
  cells()[0]?.click();
  expect(model.last.kind).toBe("request");
  const error = { message: "Not computed in this export.", fix: "Open it in a notebook." };
  model.message({ kind: "reply", id: 0, ok: false, error });
  expect(textOf(".mw-said")).toBe("Not computed in this export. Open it in a notebook.");
  expect(el.querySelector("[data-waiting]")).toBeNull();
});

test("what a server says meanwhile stands in the top line, as text", () => {
  const model = render();
  cells()[0]?.click();
  model.message({ kind: "waiting", words: "queued, place 3 <b>" });
  expect(textOf(".mw-kernel")).toBe("queued, place 3 <b>");
  expect(el.querySelector("[data-waiting]")).not.toBeNull();
  model.message({ kind: "waiting", words: "" });
  expect(textOf(".mw-kernel")).toBe("");
});
