// The board as it is drawn: layout, clicks that wait, sizes, names.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { decodeGraph, decodeNetwork } from "./board_data.ts";
import { components, layout } from "./board_layout.ts";
import { sizeAt, stepOf } from "./board_sizes.ts";
import circuitBoard from "./circuit_board.ts";
import { SUPPRESS } from "./dom.ts";
import { FakeModel, unaligned } from "./fake.ts";

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
  vi.spyOn(HTMLElement.prototype, "getBoundingClientRect").mockReturnValue({
    width: 700,
  } as DOMRect);
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  end();
  el.remove();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function network(layers = 3, heads = 2, change: Record<string, unknown> = {}) {
  return {
    ...{ model: "m", task: "t", unit: "logits", metric: "logit(a) − logit(b)", overlay: "" },
    ...{ layers, heads, mlps: true, parallel: false, ghosts: true, places: ["END"], known: [] },
    ...change,
  };
}
const NUMBERS = {
  ...{ f: 0.75, low: 0.6, high: 0.9, refused: "", kept: 5, model: 10, empty: -10, terms: "x" },
  ...{ n_nodes: 2, n_edges: 3, of_nodes: 9, of_edges: 50, found: [] },
};
function graph(change: Record<string, unknown> = {}) {
  return {
    ...{ seq: 1, mode: "edge", note: "", undo: false, redo: false, following: false, hidden: 0 },
    nodes: [
      { id: "L0H1", layer: 0, head: 1, score: 2 },
      { id: "mlp2", layer: 2, class: "writer" },
    ],
    edges: [
      { id: "embed → L0H1.q", from: "", to: "L0H1", port: "q", score: -1 },
      { id: "L0H1 → mlp2", from: "L0H1", to: "mlp2", port: "", score: 4 },
      { id: "mlp2 → logits", from: "mlp2", to: "", port: "" },
    ],
    numbers: NUMBERS,
    ...change,
  };
}
function open(change: Record<string, unknown> = {}): FakeModel {
  const model = new FakeModel({
    network: network(),
    graph: graph(),
    late: { seq: 1, gap: 1.5, left: { L0H1: -0.5, "L0H1 → mlp2": 0.1 } },
    curve: {},
    selected: { all: [], new: [] },
    ...change,
  });
  const widget = circuitBoard();
  widget.initialize({ model });
  end = widget.render({ model, el });
  return model;
}
const item = (id: string) => el.querySelector(`[data-id="${id}"]`) as SVGElement;
const click = (id: string) => item(id).dispatchEvent(new MouseEvent("click", { bubbles: true }));
const press = (on: Element, key: string) =>
  on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const reply = (model: FakeModel, id: unknown) => model.message({ kind: "reply", id, ok: true });

test("labels never overlap, from 2 layers to 12 x 12, and beyond only the circuit is drawn", () => {
  for (const [layers, heads, width] of [
    [2, 1, 454],
    [6, 4, 742],
    [12, 12, 454],
  ] as const) {
    const net = decodeNetwork(network(layers, heads));
    const nodes = components(net).map((node) => ({ ...node, within: node.layer % 2 === 0 }));
    const found = layout(net, { nodes: nodes.filter((n) => n.within), mode: "edge" }, [], width);
    expect(found.width).toBeLessThanOrEqual(width);
    expect(found.nodes).toHaveLength(layers * (heads + 1));
    for (const a of found.nodes)
      for (const b of found.nodes)
        if (a.id < b.id)
          expect(
            Math.abs(a.x - b.x) >= (a.w + b.w) / 2 || Math.abs(a.y - b.y) >= (a.h + b.h) / 2,
            `${a.id} ${b.id}`,
          ).toBe(true);
  }
  const large = decodeNetwork(network(32, 32, { ghosts: false }));
  const { nodes } = decodeGraph(graph());
  expect(layout(large, { nodes, mode: "edge" }, [], 454).nodes).toHaveLength(2);
});

test("nodes at a place stand in its column", () => {
  const nodes = decodeGraph(
    graph({ nodes: [{ id: "L1H0 @ END", layer: 1, head: 0, place: "END" }] }),
  ).nodes;
  const found = layout(decodeNetwork(network()), { nodes, mode: "edge" }, [], 700);
  expect(found.places.map(({ text }) => text)).toEqual(["everywhere", "END"]);
  const placed = found.nodes.find(({ id }) => id === "L1H0 @ END");
  for (const other of found.nodes)
    if (other !== placed) expect(other.x).toBeLessThan(placed?.x ?? 0);
});

test("names begin with the label, and say what leaving it out does", () => {
  open();
  expect(item("L0H1").getAttribute("aria-label")).toBe(
    "L0H1: in the circuit, score +2.0 logits, without it faithfulness 0.75 becomes 0.25 (−0.50). Enter removes it.",
  );
  expect(item("L2H0").getAttribute("aria-label")).toBe("L2H0: not in the circuit. Enter adds it.");
  expect(item("mlp2").getAttribute("aria-label")).toContain("writer");
  const signs = ["embed → L0H1.q", "L0H1 → mlp2", "mlp2 → logits"].map((id) =>
    item(id).getAttribute("data-sign"),
  );
  expect(signs).toEqual(["away", "toward", "none"]);
  expect([...el.querySelectorAll(".mw-bport")].map((mark) => mark.textContent)).toEqual(["q"]);
  expect(el.querySelector(".mw-bvalue")?.textContent).toBe("0.75");
});

test("a click is ringed at once, and what is clicked meanwhile goes as one request", () => {
  const model = open();
  click("L2H0");
  expect(item("L2H0").hasAttribute("data-pending")).toBe(true);
  expect(model.last).toMatchObject({ action: "set", items: [{ id: "L2H0", on: true }] });
  const first = model.last.id;
  const n = model.sent.length;
  for (const id of ["L1H0", "L1H1", "L1H0", "mlp2"]) click(id);
  expect(model.sent).toHaveLength(n);
  reply(model, first);
  expect(model.last).toMatchObject({
    items: [
      { id: "L1H0", on: false },
      { id: "L1H1", on: true },
      { id: "mlp2", on: false },
    ],
  });
  expect(item("L2H0").hasAttribute("data-pending")).toBe(false);
  reply(model, model.last.id);
  expect(el.querySelector("[data-pending]")).toBeNull();
});

test("an edge that is taken out stays dashed, to be put back", () => {
  const model = open();
  item("L0H1 → mlp2").focus();
  press(item("L0H1 → mlp2"), "Enter");
  expect(model.last).toMatchObject({ items: [{ id: "L0H1 → mlp2", on: false }] });
  model.push("graph", graph({ seq: 2, edges: graph().edges.filter((e) => e.port) }));
  reply(model, model.last.id);
  const edge = item("L0H1 → mlp2");
  expect(edge.hasAttribute("data-in")).toBe(false);
  expect(edge.getAttribute("aria-pressed")).toBe("false");
  press(edge, "Enter");
  expect(model.last).toMatchObject({ items: [{ id: "L0H1 → mlp2", on: true }] });
});

test("arrows go along rows and to the next layer; one tab stop for nodes and one for edges", () => {
  open();
  item("L0H1").focus();
  press(item("L0H1"), "ArrowDown");
  expect(document.activeElement).toBe(item("L1H1"));
  press(item("L1H1"), "ArrowLeft");
  expect(document.activeElement).toBe(item("L1H0"));
  expect([...el.querySelectorAll("svg [tabindex='0']")]).toHaveLength(2);
  for (const one of el.querySelectorAll("[tabindex], button, input, select"))
    expect(one.getAttribute(SUPPRESS)).toBe("true");
});

test("keys ask for undo, redo and the selection", () => {
  const model = open({ selected: { all: ["L1H1"], new: ["L1H1"] } });
  const root = el.querySelector(".mw") as HTMLElement;
  for (const key of ["u", "U", "a"]) press(root, key);
  expect(model.sent.slice(-3).map(({ action }) => action)).toEqual([
    "undo",
    "redo",
    "add_selection",
  ]);
  expect(el.textContent).toContain("Add L1H1");
});

test("the slider counts by the logarithm, and the curve says what was not run", () => {
  for (const n of [1, 7, 64, 1108]) expect(sizeAt(stepOf(n, 1108), 1108)).toBe(n);
  expect(sizeAt(0, 1108)).toBe(0);
  const floats = (values: number[]) => unaligned(Float32Array.from(values));
  const model = open({
    curve: {
      ...{ kind: "edges", name: "EAP", n: 4, counts: [1, 2, 4], kept: [-10, null, 10] },
      ...{ at: floats([0, 1, 2, 3]), strengths: floats([8, 4, 2, 1]), chosen: 2 },
    },
  });
  const chart = el.querySelector(".mw-bcurve");
  expect(chart?.getAttribute("aria-label")).toContain("1: 0.00, 2: not run, 4: 1.00");
  expect(el.querySelectorAll(".mw-bdot[data-open]")).toHaveLength(1);
  expect(el.querySelector(".mw-bsize")?.textContent).toBe(
    "the 2 strongest of 4 edges, each at least 4.0 logits",
  );
  press(el.querySelector(".mw-bslider") as Element, "ArrowRight");
  expect(model.last).toMatchObject({ action: "size", n: 3 });
});

test("a search draws without numbers, holds clicks, and can be cancelled", () => {
  const model = open();
  model.push("graph", graph({ seq: 2, following: true, numbers: null }));
  model.message({
    ...{ kind: "progress", panels: ["search"], done: 3, total: 9 },
    ...{ seconds_left: 4, state: "running" },
  });
  expect(el.querySelector(".mw-brunning")?.textContent).toContain(
    "Searching: 3 of 9, ~4.0\u00a0s left",
  );
  const n = model.sent.length;
  click("L2H0");
  expect(model.sent).toHaveLength(n);
  [...el.querySelectorAll("button")].find((one) => one.textContent === "Cancel")?.click();
  expect(model.last).toMatchObject({ action: "cancel" });
});

test("what is announced is the change and what it came to", () => {
  const model = open();
  const nodes = [...graph().nodes, { id: "L2H0", layer: 2, head: 0 }];
  model.push("graph", graph({ seq: 2, nodes, numbers: { ...NUMBERS, n_nodes: 3 } }));
  expect(el.querySelector("[aria-live]")?.textContent).toBe(
    "L2H0 added. Faithfulness 0.75. 3 nodes, 3 edges.",
  );
});

// --- the slider while the kernel is at work -------------------------------------------------------

const bytes = (values: number[]) => unaligned(Float32Array.from(values));
const curve = (change: Record<string, unknown> = {}) => ({
  ...{ kind: "edges", name: "EAP", n: 8, counts: [1, 8], kept: [-10, null], chosen: 2 },
  ...{ at: bytes([0, 1, 2, 3]), strengths: bytes([8, 4, 2, 1]) },
  ...change,
});
const slider = () => el.querySelector(".mw-bslider") as HTMLInputElement;

test("a running curve takes nothing from who drags the slider, and the circuit is not emptied", () => {
  const model = open({ curve: curve() });
  const active = vi.spyOn(slider(), "matches").mockReturnValue(true);
  slider().value = String(stepOf(5, 8));
  slider().dispatchEvent(new Event("input"));
  model.push("curve", curve({ kept: [-10, 10] }));
  expect(slider().value).toBe(String(stepOf(5, 8)));
  active.mockReturnValue(false);
  slider().dispatchEvent(new Event("change"));
  expect(model.last).toMatchObject({ action: "size", n: 5 });
});

test("a slider that was not dragged sends where it stands", () => {
  const model = open({ curve: curve() });
  slider().dispatchEvent(new Event("change"));
  expect(model.last).toMatchObject({ action: "size", n: 2 });
});

test("held arrow keys count on while a busy kernel says other sizes, and then its word is shown", () => {
  const model = open({ curve: curve() });
  press(slider(), "ArrowRight");
  const first = model.last.id;
  press(slider(), "ArrowRight");
  expect(model.last).toMatchObject({ action: "size", n: 4 });
  const second = model.last.id;
  model.push("curve", curve({ chosen: 3 }));
  reply(model, first);
  press(slider(), "ArrowRight");
  expect(model.last).toMatchObject({ action: "size", n: 5 });
  reply(model, second);
  model.push("curve", curve({ chosen: 7 }));
  expect(el.querySelector(".mw-bsize")?.textContent).toContain("the 5 strongest of 8");
  reply(model, model.last.id);
  expect(el.querySelector(".mw-bsize")?.textContent).toContain("the 7 strongest of 8");
});
