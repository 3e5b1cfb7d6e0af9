// The pairs and the trace as they are drawn.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import causalTrace from "./causal_trace.ts";
import { answer, FakeModel, payload, unaligned } from "./fake.ts";
import { trace } from "./fake_trace.ts";
import interactionGrid from "./interaction_grid.ts";
import { cellSize } from "./matrix.ts";

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
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ width: 704 } as DOMRect);
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  end();
  el.remove();
  vi.unstubAllGlobals();
});

const cells = () => [...el.querySelectorAll<HTMLElement>("[role=gridcell]")];
const at = (i: number) => cells()[i] as HTMLElement;
const words = () => el.querySelector(".mw-sentence")?.textContent ?? "";
function press(key: string): void {
  document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}

// --- InteractionGrid ---------------------------------------------------------------------------

function pairs(change: Record<string, unknown> = {}): FakeModel {
  const numbers = (values: number[]) => unaligned(Float32Array.from(values));
  const none = numbers(Array(4).fill(Number.NaN));
  const side = (title: string, joint: number, base: number) => ({
    title,
    base,
    alone: numbers([3, 4]),
    joint: numbers([Number.NaN, joint, joint, Number.NaN]),
    low: none,
    high: none,
  });
  const game = {
    labels: ["L0H1", "L3H1"],
    unit: "logits",
    game: "recomputed",
    edit: { kind: "patch", corners: true, goal: "" },
    n: 1,
    stale: false,
    sides: { restore: side("Restoring sites.", 5, -2), break: side("Breaking sites.", 8, 6) },
    ...change,
  };
  const model = new FakeModel({ view: payload({ panels: [] }), game });
  const widget = interactionGrid();
  widget.initialize({ model });
  end = widget.render({ model, el });
  return model;
}

test("cells are pairs with names, the diagonal is each alone", () => {
  pairs();
  expect(cells().map((cell) => cell.textContent)).toEqual(["+3.0", "−2.0", "−2.0", "+4.0"]);
  expect(at(1).getAttribute("aria-label")).toMatch(/^L0H1 \+ L3H1: Restoring L0H1 and L3H1 togeth/);
  expect(at(1).dataset.sign).toBe("away");
  expect(at(0).dataset.state).toBe("plain");
  expect(el.querySelector("[role=grid]")?.getAttribute("aria-label")).toContain("Restoring sites.");
});

test("a click runs the pair, and the ring waits for its answer", () => {
  const model = pairs();
  at(1).click();
  const both = [
    { panel: "players", index: 0 },
    { panel: "players", index: 1 },
  ];
  expect(model.last).toMatchObject({ action: "intervene", cells: both });
  expect(at(1).dataset.pending).toBe("true");
  model.push("result", { ...answer([3]), players: [0] });
  expect(at(1).dataset.pending).toBe("true");
  model.push("result", { ...answer([3]), players: [0, 1] });
  expect(at(1).dataset.pending).toBeUndefined();
  expect(at(2).getAttribute("aria-selected")).toBe("true");
  expect(el.querySelector(".mw-pairtable")?.textContent).toContain("L0H1 + L3H1");
});

test("an error ends the waiting", () => {
  const model = pairs();
  at(1).click();
  const error = { message: "No.", value: "", expected: "", fix: "" };
  model.message({ kind: "reply", id: model.last.id, ok: false, error });
  expect(at(1).dataset.pending).toBeUndefined();
  expect(el.querySelector("[role=alert]")?.textContent).toContain("No.");
});

test("the other direction has its own title and numbers on the same scale", () => {
  const model = pairs();
  el.querySelector<HTMLElement>("[data-verb=break]")?.click();
  expect(model.traits.direction).toBe("break");
  expect(el.querySelector(".mw-gametitle")?.textContent).toBe("Breaking sites.");
  expect(at(1).textContent).toBe("+1.0");
  at(0).focus();
  press("ArrowRight");
  expect(words()).toContain("Breaking L0H1 and L3H1 together costs +8.0");
});

test("signs, words and the axis are those of the game, whatever the study's metric is now", () => {
  const model = pairs();
  at(1).click();
  model.push("result", { ...answer([3]), players: [0, 1] });
  const signs = () => cells().map((cell) => cell.dataset.sign);
  const table = () => el.querySelector(".mw-pairtable")?.textContent;
  const legend = () => el.querySelector(".mw-pairlegend")?.textContent;
  const before = [signs(), table(), words(), legend()];
  expect(before[1]).toContain("corrupt −2.0");
  expect(before[1]).toContain("clean +6.0");
  expect(before[3]).toMatch(/^less than the sum/);
  // Of this metric the clean run has less: what led towards it leads away.
  const base = { y11: -7, y00: 3 };
  model.push("view", payload({ panels: [], base }));
  expect([signs(), table(), words(), legend()]).toEqual(before);
});

test("an older game is readable, and is not run", () => {
  const model = pairs({ stale: true });
  expect(el.querySelector(".mw-gamestale")?.textContent).toContain(
    "The study's prompts, metric or weights have changed since",
  );
  at(1).click();
  expect(model.sent).toEqual([]);
});

// --- CausalTrace -------------------------------------------------------------------------------

function tracing(kind = "mlp_out", width = 120): FakeModel {
  vi.mocked(Element.prototype.getBoundingClientRect).mockReturnValue({ width } as DOMRect);
  const model = new FakeModel({ trace: trace(), kind });
  end = causalTrace.render({ model, el });
  return model;
}

test("pointing at a cell frames the layers that it restores", () => {
  tracing();
  expect(cells()).toHaveLength(6);
  expect(el.querySelector(".mw-window")).toBeNull();
  at(3).dispatchEvent(new Event("pointerover", { bubbles: true }));
  const frame = el.querySelector<HTMLElement>(".mw-window");
  expect(frame?.parentElement).toBe(at(3).parentElement);
  expect(frame?.style.getPropertyValue("--first")).toBe("0");
  expect(frame?.style.getPropertyValue("--many")).toBe("2");
  expect(words()).toContain("the MLP outputs of layers 0 to 1 together at 'Eiffel' (subject)");
  expect(at(3).getAttribute("aria-label")).toMatch(/^mlp1 @ Eiffel: Restoring/);
});

test("a click keeps a cell with a dot for every draw, Escape lets it go", () => {
  tracing("residual");
  at(4).focus();
  press("Enter");
  (document.activeElement as HTMLElement).blur();
  expect(words()).toContain("the state entering layer 1 at 'Eiffel'");
  expect(el.querySelectorAll(".mw-draw")).toHaveLength(2);
  at(4).focus();
  press("Escape");
  (document.activeElement as HTMLElement).blur();
  expect(el.querySelectorAll(".mw-draw")).toHaveLength(0);
  expect(words()).toContain("Point at a cell");
});

test("the switch shows another kind, and Python hears of it", () => {
  const model = tracing();
  el.querySelector<HTMLElement>("[data-kind=residual]")?.click();
  expect(model.traits.kind).toBe("residual");
  expect(cells()).toHaveLength(9);
  expect(el.querySelectorAll(".mw-subjectrow")).toHaveLength(1);
  expect(el.querySelector("[role=grid]")?.getAttribute("aria-label")).toContain("State");
});

test("where there is room all kinds stand side by side, and share one kept cell", () => {
  tracing("mlp_out", 704);
  expect(el.querySelectorAll("[role=grid]")).toHaveLength(2);
  expect(el.querySelector<HTMLElement>("[aria-label='What is restored']")?.hidden).toBe(true);
  at(0).click();
  at(12).click();
  expect(el.querySelectorAll("[aria-selected=true]")).toHaveLength(1);
  expect(el.querySelectorAll(".mw-window")).toHaveLength(1);
  expect(words()).toContain("the MLP outputs of layers 0 to 1");
});

const HOSTILE = ["<img src=x>", "\u202Eevil", "\ud800", "x".repeat(5_000)];
function assertTame(): void {
  expect(el.querySelectorAll("img, script")).toHaveLength(0);
  const parts = [...el.querySelectorAll("bdi, .mw-sentence, .mw-gametitle, .mw-metric")];
  expect(parts.length).toBeGreaterThan(2);
  for (const part of parts) {
    expect((part.textContent ?? "").length).toBeLessThan(900);
    expect(part.textContent).not.toMatch(/[\u202e]/);
  }
}
test.each(HOSTILE)("hostile text %# stays text", (text) => {
  const model = new FakeModel({
    trace: trace({ tokens: [text, text, text], metric: text, title: text, unit: text }),
    kind: "residual",
  });
  end = causalTrace.render({ model, el });
  at(0).click();
  assertTame();
  end();
  pairs({ labels: [text, text], unit: text });
  at(1).focus();
  assertTame();
});

test("cells share the width, and are never too small to point at", () => {
  expect(cellSize(600, 12)).toBe(40);
  expect(cellSize(600, 24)).toBe(23);
  expect(cellSize(600, 96)).toBe(12);
});
