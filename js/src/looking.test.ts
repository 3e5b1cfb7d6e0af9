// What looks closer, as it is drawn: maps, their one cell, the line of numbers, strips of pairs.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { attention } from "./attention.ts";
import { SUPPRESS } from "./dom.ts";
import type { Drawer } from "./drawers.ts";
import { answer, FakeModel, PATCH, payload, unaligned } from "./fake.ts";
import { lens } from "./lens.ts";
import { neuronCells } from "./neuron_cells.ts";
import { pairStrip, perPair } from "./pair_strip.ts";
import { readers } from "./parts.ts";
import { Store } from "./store.ts";

const N = 3;
const TOKENS = ["[BOS]", " a", " b"];
const CUT = { kind: "source", corners: false, goal: "to no attention", part: "" };
const floats = (numbers: number[]) => unaligned(Float32Array.from(numbers));
const ints = (numbers: number[]) => {
  const bytes = new Uint8Array(Int32Array.from(numbers).buffer);
  return unaligned(bytes);
};

let model: FakeModel;
let store: Store;
let el: HTMLElement;
let end: AbortController;
const drawn: string[] = [];

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  vi.stubGlobal("requestAnimationFrame", (run: () => void) => {
    run();
    return 0;
  });
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({
    width: 600,
    left: 0,
    right: 0,
    top: 0,
  } as DOMRect);
  drawn.length = 0;
  const context = new Proxy(
    { measureText: (text: string) => ({ width: 6 * text.length }) } as Record<string, unknown>,
    {
      get: (target, name: string) =>
        target[name] ?? ((...all: unknown[]) => void drawn.push(`${name} ${all.join()}`)),
    },
  );
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(context as never);
});
afterEach(() => {
  end.abort();
  el.remove();
  vi.unstubAllGlobals();
});

function draw(drawer: Drawer, fields: Record<string, unknown>, change = {}, more = {}): void {
  const part = { revision: 1, ...fields };
  model = new FakeModel({ view: payload(change), [drawer.part]: part, ...more });
  store = new Store(model, readers([drawer.part]));
  end = new AbortController();
  el = drawer.draw(store, end.signal);
  document.body.append(el);
}

const read = () => el.querySelector(".mw-readline")?.textContent ?? "";
const cell = () => el.querySelector("[role=gridcell]") as HTMLElement;
function press(key: string): void {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
  (document.activeElement ?? el).dispatchEvent(event);
  expect(event.defaultPrevented).toBe(true);
}

// --- attention -------------------------------------------------------------------------------------

const edges = (change = {}) => ({
  key: "attention",
  mediator: "edge",
  title: "Attention edges",
  axes: ["query", "key"].map((name) => ({ name, labels: ["[BOS]", "a", "b"] })),
  shape: [N, N],
  y01: floats([0, 0, 0, 0, 0, 0, 0, 4, 0]),
  y10: floats([0, 0, 0, 0, 0, 0, 0, 6, 0]),
  status: unaligned(Uint8Array.from([5, 5, 5, 0, 0, 5, 0, 1, 0])),
  edges_of: "L1H0",
  cost: { runs: 2, passes: 1, seconds: 0 },
  edit: CUT,
  ...change,
});
const pattern = (change = {}) => ({
  layer: 1,
  head: 0,
  n_layers: 3,
  n_heads: 2,
  selected: false,
  pair: 0,
  tokens: { clean: TOKENS, corrupt: TOKENS },
  weights: {
    clean: floats([1, 0, 0, 0.5, 0.5, 0, 0.1, 0.7, 0.2]),
    corrupt: floats([1, 0, 0, 0.5, 0.5, 0, 0.1, 0.3, 0.6]),
  },
  panel: edges(),
  ...change,
});

test("an edge is read with the arrows: label, weights, what cutting it came to", () => {
  draw(attention, pattern());
  const map = el.querySelector("[role=grid]");
  expect(map?.getAttribute("aria-label")).toBe("Attention of L1H0 on clean, query by key");
  expect(map?.querySelectorAll("[tabindex='0']")).toHaveLength(1);
  expect(cell().getAttribute(SUPPRESS)).toBe("true");
  cell().focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowRight"]) press(key);
  expect(document.activeElement).toBe(cell());
  expect([cell().getAttribute("aria-rowindex"), cell().getAttribute("aria-colindex")]).toEqual([
    "3",
    "2",
  ]);
  const said =
    "L1H0 @ b ← a: clean 0.70, corrupt 0.30, difference +0.40. Knocked out, on corrupt: −40%.";
  expect(read()).toBe(said);
  expect(cell().getAttribute("aria-label")).toBe(said);
  expect(store.hover).toEqual({ panel: "attention", index: 7 });
});

test("weights that came apart, and cells of which only those that were run came", () => {
  const { weights, ...rest } = pattern({
    panel: edges({
      at: [4, 7],
      y01: floats([3, 4]),
      y10: floats([7, 6]),
      status: unaligned(Uint8Array.from([4, 1])),
    }),
  });
  const whole = edges();
  draw(attention, rest, {}, { attention_weights: { weights } });
  const panel = store.panel("attention");
  expect([...(panel?.status ?? [])]).toEqual([5, 5, 5, 0, 4, 5, 0, 1, 0]);
  expect([4, 7, 8].map((i) => panel?.y01[i])).toEqual([3, 4, Number.NaN]);
  expect(panel?.y10[7]).toBe(6);
  cell().focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowRight"]) press(key);
  expect(read()).toContain("clean 0.70, corrupt 0.30, difference +0.40. Knocked out");
  // Another click changes the cells alone.
  model.push("attention", { ...rest, revision: 1, panel: whole });
  expect(read()).toContain("clean 0.70, corrupt 0.30");
  expect(store.panel("attention")?.status[4]).toBe(0);
});

test("Enter knocks an edge out; what comes after a token cannot be", () => {
  draw(attention, pattern());
  cell().focus();
  press("ArrowRight");
  expect(read()).toBe("L1H0 @ [BOS] ← a: a token cannot attend to what comes after it.");
  press("Enter");
  expect(model.sent).toEqual([]);
  press("ArrowDown");
  press("Enter");
  expect(model.last).toMatchObject({
    action: "intervene",
    cells: [{ panel: "attention", index: 4 }],
  });
  expect(el.querySelectorAll(".mw-ring[data-pending]")).toHaveLength(1);
});

test("the cell that is selected says so, whichever element stands for it", () => {
  draw(attention, pattern());
  cell().focus();
  press("ArrowDown");
  const label = "L1H0 @ a ← [BOS]";
  const cells = [{ panel: "attention", index: 3, label }];
  model.push("result", answer([0], { cells, label, edit: CUT }));
  const said = ["ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"].map((key) => {
    press(key);
    return cell().getAttribute("aria-selected");
  });
  expect(said).toEqual(["false", "false", "false", "true"]);
});

test("the page asks for another head, and differences have a face of their own", () => {
  draw(attention, pattern());
  const [, heads] = el.querySelectorAll("select");
  (heads as HTMLSelectElement).value = "1";
  heads?.dispatchEvent(new Event("change"));
  expect(model.last).toMatchObject({ action: "attention", layer: 1, head: 1 });
  const halves = () => new Set(drawn.filter((call) => call.startsWith("lineTo"))).size;
  expect(halves()).toBe(0);
  const buttons = [...el.querySelectorAll<HTMLButtonElement>(".mw-segment")];
  buttons.find((one) => one.textContent === "Difference")?.click();
  expect(halves()).toBe(2); // one cell has less weight on clean
});

test("prompts of two lengths have no difference, and no cells no clicks", () => {
  const four = [...TOKENS, " c"];
  draw(
    attention,
    pattern({
      panel: undefined,
      tokens: { clean: TOKENS, corrupt: four },
      weights: { clean: floats(Array(9).fill(0.5)), corrupt: floats(Array(16).fill(0.5)) },
    }),
  );
  const off = [...el.querySelectorAll<HTMLButtonElement>(".mw-segment")].filter((b) => b.disabled);
  expect(off.map((one) => one.textContent)).toEqual(["Difference"]);
  cell().focus();
  press("ArrowDown");
  press("Enter");
  expect(model.sent).toEqual([]);
});

test("an error of the engine is said in the part, and stays away when it works again", () => {
  const error = { message: "No module.", value: "M", expected: "", fix: "Use another." };
  draw(attention, { error });
  expect(el.textContent).toContain("No module. (M) Use another.");
  expect(el.querySelector<HTMLElement>(".mw-partbody")?.hidden).toBe(true);
  model.push("attention", { revision: 1, ...pattern() });
  expect(el.querySelector<HTMLElement>(".mw-partbody")?.hidden).toBe(false);
  expect(el.textContent).not.toContain("No module");
});

test("200 tokens are one element, and labels do not meet", () => {
  const n = 200;
  const tokens = [...Array(n).keys()].map((i) => ` t${i}`);
  const weights = new Float32Array(n * n).fill(0.1);
  draw(
    attention,
    pattern({
      panel: undefined,
      tokens: { clean: tokens, corrupt: tokens },
      weights: { clean: unaligned(weights), corrupt: unaligned(weights) },
    }),
  );
  expect(el.querySelectorAll("[role=gridcell]")).toHaveLength(1);
  const labels = [...new Set(drawn.filter((call) => call.startsWith("fillText")))];
  expect(labels.length).toBeGreaterThan(20);
  expect(labels.length).toBeLessThan((2 * 600) / 11);
});

// --- lens ------------------------------------------------------------------------------------------

const run = (name: string, change = {}) => ({
  name,
  tokens: TOKENS,
  k: 2,
  top: ints([...Array(4 * N).keys()].flatMap((i) => [i % 3, (i + 1) % 3])),
  p: floats(
    Array(4 * N)
      .fill([0.6, 0.3])
      .flat(),
  ),
  of_answer: floats([...Array(4 * N).keys()].map((i) => i / 12)),
  of_wrong: floats(Array(4 * N).fill(0.02)),
  ...change,
});
const lensFields = (runs = ["clean", "corrupt"]) => ({
  pair: 0,
  answer: " a",
  wrong: " b",
  layers: ["0", "1", "2", "out"],
  words: [" x", " y", " z"],
  runs: runs.map((name) => run(name)),
  label: runs.length > 2 ? "L1H0" : "",
  panel: {
    ...edges({ key: "lens", shape: [4, N], edges_of: undefined, edit: undefined }),
    axes: [
      { name: "layer", labels: ["0", "1", "2", "out"] },
      { name: "position", labels: TOKENS },
    ],
    labels: ["L0", "L1", "L2", "out"].flatMap((layer) =>
      TOKENS.map((t) => `${layer} @ ${t.trim()}`),
    ),
    y01: floats(Array(4 * N).fill(5)),
    y10: floats(Array(4 * N).fill(5)),
    status: unaligned(new Uint8Array(4 * N).fill(1)),
  },
});

test("a cell of the lens says its tokens, the answers, and what patching it came to", () => {
  draw(lens, lensFields());
  cell().focus();
  for (const key of ["ArrowDown", "ArrowRight"]) press(key);
  expect(read()).toBe("L1 @ a: y 60%, z 30%. Answers: a 33%, b 2%. Patched, Restore (PIE): +50%.");
  press("Enter");
  expect(model.last).toMatchObject({ cells: [{ panel: "lens", index: 4 }] });
});

test("the lens says what its numbers are", () => {
  draw(lens, lensFields());
  expect(el.querySelector(".mw-looklegend")?.textContent).toContain(
    "Numbers are probabilities of the next token",
  );
});

test("the lens says that words are shown only where there is room for them", () => {
  const words = () => {
    const said = [...el.querySelectorAll<HTMLElement>(".mw-looklegend span")];
    return said.find((one) => one.textContent?.startsWith("; the word"))?.hidden === false;
  };
  draw(lens, lensFields());
  expect(words()).toBe(true);
  end.abort();
  el.remove();
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ width: 100 } as DOMRect);
  draw(lens, lensFields());
  expect(words()).toBe(false);
});

test("edited runs can be chosen only while there are some", () => {
  draw(lens, lensFields());
  const names = () =>
    [...el.querySelectorAll<HTMLButtonElement>(".mw-segment")]
      .filter((one) => !one.disabled)
      .map((one) => one.textContent);
  expect(names()).toEqual(["Clean", "Corrupt", "Answer", "Top token"]);
  model.push("lens", { revision: 1, ...lensFields(["clean", "corrupt", "restored", "broken"]) });
  expect(names()).toContain("Corrupt, edited");
  const button = [...el.querySelectorAll("button")].find((b) => b.textContent === "Clean, edited");
  button?.click();
  expect(el.querySelector("[role=grid]")?.getAttribute("aria-label")).toContain("clean, edited");
  model.push("lens", { revision: 1, ...lensFields() });
  expect(el.querySelector("[role=grid]")?.getAttribute("aria-label")).toContain("clean run");
});

test("a site that another panel shows is ringed too", () => {
  draw(lens, lensFields());
  const site = { panel: "site", index: 0, label: "L2 @ b" };
  model.push("result", { ...answer([]), cells: [site], label: "L2 @ b" });
  expect(el.querySelectorAll(".mw-ring")).toHaveLength(1);
});

// --- pairs -----------------------------------------------------------------------------------------

const corners = {
  y11: Float32Array.from([10, 12, 8]),
  y00: Float32Array.from([0, 0, 0]),
  y10: Float32Array.from([6, 6, 9]),
  y01: Float32Array.from([4, 8, -1]),
};
const several = { pairs: { n: 3, index: null, name: "t" } };
const strip = (change = {}) => ({
  prompts: ["one", "two", "three"],
  groups: [],
  label: "L1H0",
  edit: PATCH,
  corners: Object.fromEntries(
    Object.entries(corners).map(([name, numbers]) => [name, unaligned(numbers)]),
  ),
  rows: [{ name: "", n: 3, members: ints([0, 1, 2]), ci: { PIE: [1, 6], "PIE%": [20, 50] } }],
  ...change,
});

test("the mean of the pairs' percents is the percent of the means", () => {
  const { values, factor } = perPair("restore", PATCH, corners, true);
  expect(factor).toBe(10);
  expect(values).toEqual([40, 80, -10]);
  expect(perPair("break", PATCH, corners, false).values).toEqual([4, 6, -1]);
});

test("a mark a pair, in the order of the numbers; Enter shows the pair", () => {
  draw(pairStrip, strip(), several);
  const marks = [...el.querySelectorAll<HTMLElement>("[role=option]")];
  expect(marks.map((mark) => mark.getAttribute("aria-label"))).toEqual([
    // The page's "This pair" divides by the pair's own total effect: 8, 10 and 12.
    "Pair 3 of 3: −10% of the mean total effect, −13% of its own. three",
    "Pair 1 of 3: +40% of the mean total effect, +40% of its own. one",
    "Pair 2 of 3: +80% of the mean total effect, +67% of its own. two",
  ]);
  expect(el.textContent).toContain("3 pairs: mean +37%, 95% CI +20% to +50%");
  expect(el.querySelectorAll("[role=listbox] [tabindex='0']")).toHaveLength(1);
  marks[0]?.focus();
  press("ArrowRight");
  expect(document.activeElement).toBe(marks[1]);
  expect(read()).toBe("Pair 1 of 3: +40% of the mean total effect, +40% of its own. one");
  press("End");
  press("Enter");
  expect(model.last).toMatchObject({ action: "pair", index: 1 });
  store.setUnit("raw");
  expect(document.activeElement?.getAttribute("aria-label")).toBe("Pair 2 of 3: +8.0. two");
});

test("blue is toward clean, whichever way the metric runs", () => {
  const fields = { y11: [-10, -10, -10], y00: [0, 0, 0], y10: [-5, -5, -5], y01: [-4, 2, -6] };
  const bytes = Object.entries(fields).map(([name, numbers]) => [name, floats(numbers)]);
  const base = { y11: -10, y00: 0 };
  draw(pairStrip, strip({ corners: Object.fromEntries(bytes) }), { ...several, base });
  const signs = () =>
    [...el.querySelectorAll<HTMLElement>(".mw-pairmark")]
      .sort((a, b) => ((a.ariaLabel ?? "") < (b.ariaLabel ?? "") ? -1 : 1))
      .map((mark) => mark.dataset.sign);
  const expected = ["toward", "away", "toward"];
  expect(signs()).toEqual(expected);
  store.setUnit("raw");
  expect(signs()).toEqual(expected);
});

test("a mark keeps the focus where the picture is made anew", () => {
  draw(pairStrip, strip(), several);
  const marks = () => [...el.querySelectorAll<HTMLElement>("[role=option]")];
  marks()[0]?.focus();
  press("Enter");
  model.push("view", payload({ pairs: { n: 3, index: 2, name: "t" } }));
  expect(document.activeElement).toBe(marks()[0]);
  store.setDirection("break");
  expect(document.activeElement?.getAttribute("aria-label")).toContain("Pair 3 of 3");
});

test("groups have a row each, and every pair one mark", () => {
  const row = (name: string, members: number[]) => ({
    ...{ name, n: members.length, members: ints(members), ci: null },
  });
  const rows = [row("", [0, 1, 2]), row("ABBA", [0, 2]), row("BABA", [1])];
  draw(pairStrip, strip({ rows }), several);
  expect(el.querySelectorAll("[role=option]")).toHaveLength(3);
  const names = [...el.querySelectorAll("[role=listbox] > [role=group]")];
  expect(names.map((one) => one.getAttribute("aria-label"))).toEqual([
    "all, 3 pairs: mean +37%",
    "ABBA, 2 pairs: mean +15%",
    "BABA, 1 pairs: mean +80%",
  ]);
});

test("one pair, and nothing selected, are said in words", () => {
  draw(pairStrip, strip({ prompts: ["one"], corners: undefined }));
  expect(el.textContent).toContain("There is one pair");
  model.push("view", payload(several));
  expect(el.textContent).toContain("Nothing is selected");
});

// --- neurons ---------------------------------------------------------------------------------------

const neurons = (status: number) => ({
  layer: 2,
  n_layers: 3,
  n_units: 64,
  units: [7, 40],
  by: "estimated effect",
  panel: {
    ...edges({ key: "neurons", shape: [1, 2], edges_of: undefined, edit: undefined }),
    axes: [
      { name: "layer", labels: ["2"] },
      { name: "unit", labels: ["7", "40"] },
    ],
    labels: ["L2N7", "L2N40"],
    y01: floats([2, 1]),
    y10: floats([9, 9]),
    status: unaligned(new Uint8Array(2).fill(status)),
  },
});

test("neurons are estimates until they are run, and can be found by number", () => {
  draw(neuronCells, neurons(2));
  const cells = [...el.querySelectorAll<HTMLElement>("[role=gridcell]")];
  expect(cells.map((one) => one.textContent)).toEqual(["+20", "+10"]);
  expect(cells.map((one) => one.dataset.state)).toEqual(["estimate", "estimate"]);
  cells[1]?.focus();
  expect(read()).toBe("L2N40: Estimated, Restore (PIE): ≈+10%.");
  const input = el.querySelector("input") as HTMLInputElement;
  input.value = "12";
  input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  expect(model.last).toMatchObject({ action: "neurons", layer: 2, unit: 12 });
  [...el.querySelectorAll("button")].find((one) => one.textContent === "Run these 2")?.click();
  expect(model.last).toMatchObject({ action: "neurons_run" });
  model.push("neurons", { revision: 1, ...neurons(1) });
  expect(cells.map((one) => one.textContent)).toEqual(["+20", "+10"]);
  expect(cells[1]?.isConnected).toBe(true);
  const { panel, ...rest } = neurons(1);
  model.push("neurons", { revision: 1, ...rest, panel: { ...panel, y01: floats([0.04, 1]) } });
  expect(cells.map((one) => one.textContent)).toEqual(["+0.4", "+10"]);
});
