// The three views as they are drawn: keyboard, names, states, hostile texts.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SUPPRESS } from "./dom.ts";
import explorer from "./explorer.ts";
import { answer, FakeModel, MIXED, payload, unaligned, ZERO } from "./fake.ts";
import headGrid from "./head_grid.ts";

let model: FakeModel;
let el: HTMLElement;
let end: () => void;

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  vi.stubGlobal("matchMedia", () => ({ addEventListener() {}, removeEventListener() {} }));
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ width: 768 } as DOMRect);
});
afterEach(() => {
  end();
  el.remove();
  vi.unstubAllGlobals();
});

function draw(view: Record<string, unknown>, make: typeof explorer = explorer): void {
  model = new FakeModel({ view });
  el = document.createElement("div");
  document.body.append(el);
  const widget = make();
  widget.initialize({ model });
  end = widget.render({ model, el });
}

const cells = () => [...el.querySelectorAll<HTMLElement>("[role=gridcell]")];
const at = (i: number) => cells()[i] as HTMLElement;
function press(key: string, init: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  (document.activeElement ?? el).dispatchEvent(event);
  return event;
}

test("a grid has one tab stop, rows of cells, and a name with direction and unit", () => {
  draw(payload());
  const grid = el.querySelector("[role=grid]");
  expect(grid?.getAttribute("aria-label")).toBe(
    "Heads, layer by head: Restore (PIE), percent of the total effect",
  );
  expect(grid?.querySelectorAll("[tabindex='0']")).toHaveLength(1);
  const rows = [...(grid?.querySelectorAll("[role=row]") ?? [])].slice(1);
  expect(rows.map((row) => row.querySelectorAll("[role=gridcell]").length)).toEqual([2, 2, 2]);
  expect(cells().map((cell) => cell.textContent)).toEqual(["0", "+10", "+20", "+30", "+40", "+50"]);
});

test("arrows, Home and End move the focus and stay inside", () => {
  draw(payload());
  at(0).focus();
  const walk: [string, number][] = [
    ["ArrowLeft", 0],
    ["ArrowRight", 1],
    ["ArrowDown", 3],
    ["ArrowDown", 5],
    ["ArrowDown", 5],
    ["Home", 4],
    ["End", 5],
    ["ArrowUp", 3],
  ];
  for (const [key, to] of walk) {
    expect(press(key).defaultPrevented).toBe(true);
    expect(document.activeElement).toBe(at(to));
    expect(at(to).tabIndex).toBe(0);
  }
  expect(el.querySelectorAll("[role=grid] [tabindex='0']")).toHaveLength(1);
  expect(model.sent).toEqual([]);
});

test("Enter runs, X adds, and the ring is there before any answer", () => {
  draw(payload());
  at(3).focus();
  press("Enter");
  expect(model.last).toMatchObject({ action: "intervene", cells: [{ panel: "head", index: 3 }] });
  expect(at(3).dataset.pending).toBe("true");
  press("ArrowLeft");
  press("x");
  expect((model.last.cells as unknown[]).length).toBe(2);
  model.push("result", answer([3, 2]));
  expect(at(3).getAttribute("aria-selected")).toBe("true");
  expect(at(3).dataset.pending).toBeUndefined();
});

test("a click runs, a shift-click adds", () => {
  draw(payload());
  at(1).click();
  expect(model.last).toMatchObject({ cells: [{ panel: "head", index: 1 }] });
  at(2).dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
  expect(model.last).toMatchObject({ cells: [{ index: 1 }, { index: 2 }] });
});

test("keys: directions, undo, redo, swap, clear; other keys are left alone", () => {
  draw(payload());
  at(0).focus();
  press("2");
  expect(model.traits.direction).toBe("break");
  expect(el.querySelector("[role=grid]")?.getAttribute("aria-label")).toContain("Break (TIE)");
  for (const [key, action] of [
    ["u", "undo"],
    ["U", "redo"],
    ["s", "swap"],
    ["Escape", "clear"],
  ] as const) {
    press(key);
    expect(model.last.action).toBe(action);
  }
  press("n");
  expect(document.activeElement).toBe(at(5));
  expect(press("d").defaultPrevented).toBe(false);
  expect(press("u", { ctrlKey: true }).defaultPrevented).toBe(false);
});

test("a bracket that a keyboard writes with Alt or AltGr walks, a command of the browser does not", () => {
  draw(payload());
  at(0).focus();
  press("[", { altKey: true });
  expect(model.last.action).toBe("undo");
  press("]", { altKey: true, ctrlKey: true });
  expect(model.last.action).toBe("redo");
  const before = model.sent.length;
  press("[", { metaKey: true });
  press("]", { ctrlKey: true });
  press("s", { altKey: true });
  expect(model.sent).toHaveLength(before);
});

test("N stays in the panel that is enlarged", () => {
  const [head] = payload().panels as Record<string, unknown>[];
  const mlp = {
    ...{ ...head, key: "mlp_out", mediator: "mlp_out", title: "MLP", shape: [3, 1] },
    axes: [{ labels: ["0", "1", "2"] }, { labels: [""] }],
    labels: ["mlp0", "mlp1", "mlp2"],
    y01: unaligned(Float32Array.of(9, 9.5, 9.9)),
    y10: unaligned(new Float32Array(3)),
    status: unaligned(new Uint8Array(3).fill(1)),
  };
  draw(payload({ panels: [head, mlp] }));
  el.querySelector<HTMLElement>(".mw-enlarge")?.click();
  at(0).focus();
  press("n");
  expect(document.activeElement).toBe(at(5));
  press("n");
  expect(document.activeElement).toBe(at(4));
});

test("what has the focus keeps it where the selection is drawn anew", () => {
  draw(payload());
  model.push("result", answer([1, 2]));
  const field = el.querySelector<HTMLInputElement>(".mw-typed") as HTMLInputElement;
  field.focus();
  model.push("result", answer([1, 2, 3]));
  expect(document.activeElement).toBe(field);
  const removes = () => [...el.querySelectorAll<HTMLElement>(".mw-remove")];
  removes()[0]?.focus();
  removes()[0]?.click();
  expect(document.activeElement).toBe(removes()[0]);
  expect(removes()[0]?.ariaLabel).toContain("L1H0");
  model.message({ kind: "reply", id: model.last.id, ok: true });
  const clear = () =>
    [...el.querySelectorAll<HTMLElement>(".mw-strip button")].find(
      (one) => one.textContent === "Clear",
    ) as HTMLElement;
  clear().focus();
  model.push("result", answer([1, 2, 3, 4]));
  expect(document.activeElement).toBe(clear());
  model.push("result", {});
  expect(document.activeElement).toBe(el.querySelector(".mw-strip"));
});

test("Swap and Edit keep the focus when the prompts are drawn anew", () => {
  draw(payload());
  const swap = el.querySelector<HTMLElement>("[aria-label='Swap the prompts']");
  swap?.focus();
  model.push("view", payload({ revision: 2 }));
  expect(document.activeElement).toBe(swap);
  expect(el.querySelectorAll(".mw-gloss")).toHaveLength(1);
});

test("what a server says of what is waited for stands where the kernel's state does", () => {
  draw(payload());
  const kernel = el.querySelector(".mw-kernel");
  model.message({ kind: "waiting", words: "queued, place 3" });
  expect(kernel?.textContent).toBe("queued, place 3");
  const progress = { kind: "progress", panels: ["head"], done: 1, total: 9, seconds_left: 2 };
  model.message({ ...progress, state: "running" });
  expect(el.querySelector(".mw-running")?.textContent).toContain("left, queued, place 3");
  model.message({ kind: "waiting", words: "" });
  expect(kernel?.textContent).toBe("");
  expect(el.querySelector(".mw-running")?.textContent).not.toContain("place");
});

test("Escape cancels a running sweep first", () => {
  draw(payload());
  const progress = { kind: "progress", panels: ["head"], done: 1, total: 9, seconds_left: 2 };
  model.message({ ...progress, state: "running" });
  at(0).focus();
  press("Escape");
  expect(model.last.action).toBe("cancel");
  expect(el.querySelector("progress")?.getAttribute("value")).toBe("1");
});

test("the needle, the cell and the sentence agree under the pointer", () => {
  draw(payload());
  at(4).dispatchEvent(new Event("pointerover", { bubbles: true }));
  expect(at(4).textContent).toBe("+40");
  expect(el.querySelector(".mw-readout")?.textContent).toBe("+40%");
  expect(el.querySelector(".mw-sentence")?.textContent).toContain("40% of the total effect");
  expect(at(4).getAttribute("aria-label")).toContain("40% of the total effect");
});

test("the rail's ends stand still, and what lies beyond them is told by its number", () => {
  draw(payload());
  const lefts = () => [...el.querySelectorAll<HTMLElement>(".mw-dot")].map((dot) => dot.style.left);
  const needle = () => el.querySelector<HTMLElement>(".mw-needle") as HTMLElement;
  const ends = lefts();
  expect(ends).toEqual(["88.46%", "11.54%"]);
  model.push("result", answer([1], { y01: 27 }));
  expect(lefts()).toEqual(ends);
  expect(needle().style.width).toBe("88.46%");
  expect(needle().dataset.beyond).toBe("+27.0");
  expect(needle().dataset.points).toBe("right");
  model.push("result", answer([1], { y01: -3 }));
  expect(Number.parseFloat(needle().style.left)).toBe(0);
  expect(needle().dataset.beyond).toBe("−3.0");
  expect(needle().dataset.points).toBe("left");
  model.push("result", answer([1], { y01: 11 }));
  expect([needle().style.width, needle().dataset.beyond]).toEqual(["84.62%", undefined]);
  expect(lefts()).toEqual(ends);
});

test("every element that takes the focus keeps the notebook's shortcuts out", () => {
  draw(payload());
  const focusable = el.querySelectorAll("button, select, input, summary, a, [tabindex]");
  expect(focusable.length).toBeGreaterThan(10);
  for (const element of focusable) expect(element.getAttribute(SUPPRESS)).toBe("true");
});

test("states are marked, and panels that were not run offer to run with their cost", () => {
  const view = payload();
  const [panel] = view.panels as Record<string, unknown>[];
  draw({ ...view, panels: [{ ...panel, status: new Uint8Array([0, 1, 2, 3, 4, 5]) }] });
  const states = ["none", "exact", "estimate", "zero", "failed", "impossible"];
  expect(cells().map((cell) => cell.dataset.state)).toEqual(states);
  expect(at(4).textContent).toBe("");
  const run = el.querySelector<HTMLButtonElement>(".mw-run");
  expect(run?.textContent).toBe("Run 2 heads exactly · 1 pass · ~0.1\u00a0s");
  run?.click();
  expect(model.last).toMatchObject({ action: "sweep", panels: ["head"] });
});

test("an error stands in words and can be dismissed", () => {
  draw(payload(), headGrid);
  at(0).click();
  const error = { message: "No.", value: "one", expected: "two", fix: "three" };
  model.message({ kind: "reply", id: 1, ok: false, error });
  const alert = el.querySelector<HTMLElement>("[role=alert]");
  expect(alert?.hidden).toBe(false);
  expect(alert?.textContent).toContain("Expected: two");
  el.querySelector<HTMLButtonElement>("[aria-label='Dismiss the error']")?.click();
  expect(alert?.hidden).toBe(true);
});

const HOSTILE = [
  "<img src=x onerror=alert(1)>",
  "</bdi><script>alert(1)</script>",
  "\u202Eevil\u2066",
  "\ud800",
  "x".repeat(10_000),
  "a\nb\u0000",
];
test.each(HOSTILE)("hostile text %# stays text", (text) => {
  const side = [{ text, role: text }];
  const prompts = {
    ...(payload().prompts as object),
    clean: side,
    corrupt: side,
    answer: text,
    clean_top: [{ token: text, p: 0.5 }],
  };
  const pairs = { n: 2, index: null, name: text };
  const metric = { name: "m", unit: "logits", label: text };
  const [panel] = payload().panels as Record<string, unknown>[];
  const labels = Array(6).fill(`L0 @ ${text}`);
  draw(payload({ prompts, pairs, metric, panels: [{ ...panel, labels }] }));
  at(0).click();
  model.push(
    "result",
    answer([0], { label: text, checks: [{ name: text, ok: null, words: text }] }),
  );
  expect(el.querySelectorAll("img, script")).toHaveLength(0);
  for (const bdi of el.querySelectorAll("bdi, .mw-sentence")) {
    expect((bdi.textContent ?? "").length).toBeLessThan(900);
    expect(bdi.textContent).not.toMatch(/[\u202e\u2066]/);
  }
});

test("a joint result of several edits has no sum beside it", () => {
  draw(payload());
  const sums = () => [...el.querySelectorAll(".mw-sum b")].map((sum) => sum.textContent);
  model.push("result", answer([1, 2]));
  expect(sums()).toEqual(["+40.0%", "+30.0%", "+10.0%"]);
  model.push("result", answer([1, 2], { edit: MIXED }));
  expect(sums()).toEqual(["−40.0%", "–", "–"]);
});

test("a site that no panel shows counts by what it does alone, or is named as lacking", () => {
  draw(payload());
  const sums = () => [...el.querySelectorAll(".mw-sum b")].map((sum) => sum.textContent);
  const hint = () => el.querySelector(".mw-strip .mw-hint")?.textContent;
  const neuron = { panel: "site", index: 1, label: "L1N5" };
  const cells = (more: object) => [
    { panel: "head", index: 1, label: "L0H1" },
    { ...neuron, ...more },
  ];
  model.push("result", answer([1, 2], { cells: cells({}) }));
  expect([sums()[1], hint()]).toEqual(["–", "sum needs L1N5 alone"]);
  model.push("result", answer([1, 2], { cells: cells({ alone: { y10: 8, y01: 2.5 } }) }));
  expect(sums()).toEqual(["+40.0%", "+35.0%", "+5.0%"]);
  expect(hint()).toBeUndefined();
  at(0).focus();
  press("2");
  expect(sums()).toEqual(["+40.0%", "+30.0%", "+10.0%"]);
});

test("estimates are no part of a sum", () => {
  const [panel] = payload().panels as Record<string, unknown>[];
  draw(payload({ panels: [{ ...panel, status: unaligned(Uint8Array.of(1, 1, 2, 1, 1, 1)) }] }));
  model.push("result", answer([1, 2]));
  const sums = [...el.querySelectorAll(".mw-sum b")].map((sum) => sum.textContent);
  expect(sums).toEqual(["+40.0%", "–", "–"]);
});

test("a view that is drawn anew keeps the focus and does not point", () => {
  draw(payload());
  at(3).click();
  model.push("result", answer([3, 2]));
  const before = at(3);
  const axes = (payload().panels as { axes: object[] }[])[0]?.axes ?? [];
  const [panel] = payload().panels as Record<string, unknown>[];
  model.push("view", payload({ panels: [{ ...panel, title: "Renamed", axes }] }));
  expect(at(3)).not.toBe(before);
  expect(document.activeElement).toBe(at(3));
  expect(el.querySelector(".mw-over bdi")?.textContent).toBe("L1H1 + L1H0");
});

test("what is read with the keyboard is still read where the cells are made anew", () => {
  draw(payload());
  at(3).focus();
  const [panel] = payload().panels as Record<string, unknown>[];
  model.push("view", payload({ panels: [{ ...panel, title: "Renamed" }] }));
  expect(document.activeElement).toBe(at(3));
  expect(el.querySelector(".mw-sentence")?.textContent).toContain("Patching L1H1");
  at(3).dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  expect(el.querySelector(".mw-sentence")?.textContent).toContain("Patching L1H1");
});

test("a closed view takes its listeners along", () => {
  draw(payload());
  end();
  expect(el.childElementCount).toBe(0);
  model.push("view", payload({ revision: 2 }));
  expect(el.childElementCount).toBe(0);
});

test("the legend says what either colour means in the direction that is shown", () => {
  draw(payload());
  const words = () => [...el.querySelectorAll(".mw-legendword span")].map((e) => e.textContent);
  expect(words()).toEqual(["away", "toward clean"]);
  at(0).focus();
  press("2");
  expect(words()).toEqual(["against", "for clean"]);
  press("3");
  expect(words()).toEqual(["OR-like", "AND-like"]);
  end();
  draw(payload({ edit: ZERO }));
  expect(words()).toEqual(["against", "for clean"]);
  at(0).focus();
  press("3");
  expect(words()).toEqual(["on corrupt", "on clean"]);
});

test("the legend's ends have the numbers of its colours, whichever way the metric runs", () => {
  const ends = () =>
    [...el.querySelectorAll(".mw-legend > span")].slice(0, 2).map((e) => e.textContent);
  draw(payload());
  expect(ends()[1]).toMatch(/^\+/);
  for (const [base, low, high] of [
    [{ y11: 10, y00: 0 }, /^−/, /^\+/],
    [{ y11: 0, y00: 10 }, /^\+/, /^−/],
  ] as const) {
    end();
    draw(payload({ base }));
    const show = el.querySelector<HTMLSelectElement>("select[aria-label=Show]");
    if (!show) throw new Error("no choice of a unit");
    show.value = "percent";
    show.dispatchEvent(new Event("change"));
    expect(ends()).toEqual([expect.stringMatching(/^−/), expect.stringMatching(/^\+/)]);
    show.value = "raw";
    show.dispatchEvent(new Event("change"));
    expect(ends()).toEqual([expect.stringMatching(low), expect.stringMatching(high)]);
  }
});
