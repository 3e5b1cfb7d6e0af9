// The grid of features as it is drawn, and what clicks on it ask for.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { answer, FakeModel, payload, unaligned } from "./fake.ts";
import { decodeFeatures } from "./feature_data.ts";
import featureGrid from "./feature_grid.ts";

let el: HTMLElement;
let end: () => void = () => {};
const HOSTILE = "<img src=x onerror=alert(1)>\u202e";

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

/** Two features and the error at two tokens: F7 @ b was run, F9 @ a is zero by construction. */
function features(change: Record<string, unknown> = {}): Record<string, unknown> {
  const floats = (values: number[]) => unaligned(Float32Array.from(values));
  const nan = Number.NaN;
  const rows = ["L3F7", "L3F9", "L3 error"];
  return {
    site: "L3",
    name: "SAE",
    n_features: 20,
    columns: ["all", " a", " b"],
    labels: rows.flatMap((row) => [row, `${row} @ a`, `${row} @ b`]),
    rows: rows.map((label, i) => ({
      label,
      tops: i < 2 ? [{ before: "the ", token: HOSTILE, after: " x", code: 3 }] : [],
    })),
    clean: floats([1, 4, 0, 2, nan, nan]),
    corrupt: floats([1, 0, 0, 2, nan, nan]),
    y01: floats([nan, nan, 3, nan, 0, nan, nan, nan, nan]),
    y10: floats([nan, nan, 8, nan, 10, nan, nan, nan, nan]),
    status: unaligned(Uint8Array.from([0, 0, 1, 0, 3, 0, 0, 0, 0])),
    way: "patch",
    amount: 5,
    by: "activation",
    edit: { kind: "patch", corners: true, goal: "to its value on the other prompt", part: "" },
    revision: 1,
    pair: 0,
    ...change,
  };
}

function shown(change: Record<string, unknown> = {}): FakeModel {
  const model = new FakeModel({ view: payload({ panels: [] }), features: features(change) });
  const widget = featureGrid();
  widget.initialize({ model });
  end = widget.render({ model, el });
  return model;
}
const cells = () => [...el.querySelectorAll<HTMLElement>("[role=gridcell]")];
const at = (i: number) => cells()[i] as HTMLElement;
const words = () => el.querySelector(".mw-sentence")?.textContent ?? "";
const pressed = (name: string) =>
  [...el.querySelectorAll("button")].find((one) => one.textContent === name) as HTMLButtonElement;

test("cells have states, names that begin with the label, and bars for codes", () => {
  shown();
  expect(cells().map((cell) => cell.dataset.state)).toEqual([
    "none",
    "none",
    "exact",
    "none",
    "zero",
    "none",
    "none",
    "none",
    "none",
  ]);
  expect(at(2).textContent).toBe("+30");
  expect(at(2).getAttribute("aria-label")).toMatch(
    /^L3F7 @ b: Code 4\.0 on clean, 0 on corrupt\. Patching L3F7 @ b from clean into corrupt moves .* 30% of the total effect/,
  );
  expect(at(4).getAttribute("aria-label")).toMatch(/^L3F9 @ a: active on neither prompt/);
  expect(at(8).getAttribute("aria-label")).toMatch(/^L3 error @ b: L3 error @ b was not run/);
  expect(at(2).style.getPropertyValue("--clean")).toBe("100.0%");
  expect(at(2).style.getPropertyValue("--corrupt")).toBe("0.0%");
  expect(at(0).style.getPropertyValue("--clean")).toBe("0.0%");
  expect(el.querySelector("[role=grid]")?.getAttribute("aria-label")).toBe(
    "Features of L3 by token",
  );
});

test("a zero by construction is quiet, however it was rounded", () => {
  const nan = Number.NaN;
  shown({
    y01: unaligned(Float32Array.from([nan, nan, nan, nan, 1e-7, nan, nan, nan, nan])),
    status: unaligned(Uint8Array.from([0, 0, 0, 0, 3, 0, 0, 0, 0])),
  });
  expect(at(4).dataset.state).toBe("zero");
  expect(Number(at(4).style.getPropertyValue("--v"))).toBe(0);
});

test("hostile tokens are text", () => {
  shown();
  expect(el.querySelector("img")).toBeNull();
  at(2).dispatchEvent(new Event("pointerover", { bubbles: true }));
  expect(el.querySelector(".mw-tops")?.textContent).toContain(
    "<img src=x onerror=alert(1)>\\u202e",
  );
  expect(words()).toContain("Code 4.0 on clean");
});

test("a click asks for one cell, and its answer fills it", () => {
  const model = shown();
  at(5).click();
  const asked = { cells: [{ index: 5, label: "L3F9 @ b", way: "patch" }] };
  expect(model.last).toMatchObject({ action: "intervene", ...asked });
  expect(at(5).dataset.pending).toBe("true");
  model.push("result", {
    ...answer([], {
      cells: [{ panel: "site", index: 0, label: "L3 @ b" }],
      label: "L3 @ b",
      y01: 6,
      y10: 1,
    }),
    feature: 5,
    way: "patch",
  });
  expect(at(5).dataset.pending).toBeUndefined();
  expect(at(5).dataset.state).toBe("exact");
  expect(at(5).textContent).toBe("+60");
  expect(at(5).getAttribute("aria-selected")).toBe("true");
});

test("a feature's name stands for it at every token", () => {
  const model = shown();
  el.querySelectorAll<HTMLElement>(".mw-featurename")[1]?.click();
  expect(model.last).toMatchObject({ cells: [{ index: 3, label: "L3F9" }] });
});

test("what cannot be set is not asked for", () => {
  const model = shown({ status: unaligned(Uint8Array.from([0, 0, 1, 0, 3, 0, 5, 5, 5])) });
  at(7).click();
  expect(model.sent).toEqual([]);
});

test("ways, order and a feature of one's own are asked for", () => {
  const model = shown();
  pressed("Ablate").click();
  expect(model.last).toMatchObject({ action: "features_way", way: "zero", amount: 5 });
  pressed("by effect").click();
  expect(model.last).toMatchObject({ action: "features_order", by: "effect" });
  const search = el.querySelector("input[aria-label=Feature]") as HTMLInputElement;
  search.value = "12";
  pressed("Show").click();
  expect(model.last).toMatchObject({ action: "features_show", unit: 12 });
  pressed("Run all shown").click();
  expect(model.last).toMatchObject({ action: "features_run" });
});

test("a constant has other directions, and no whole grid is steered", () => {
  shown({
    way: "steer",
    edit: { kind: "steer", corners: false, goal: "+5 in code", part: "" },
  });
  const names = [...el.querySelectorAll("[aria-label=Direction] button")].map((b) => b.textContent);
  expect(names).toEqual(["On corrupt", "On clean", "Difference"]);
  expect(pressed("Run all shown").disabled).toBe(true);
  expect(el.querySelector("input[aria-label=Amount]")?.closest("label")?.hidden).toBe(false);
});

test("numbers that do not fit are refused", () => {
  expect(() => decodeFeatures(features({ labels: ["L3F7"] }))).toThrow("9 names");
  expect(() => decodeFeatures(features({ way: "melt" }))).toThrow("a way to set features");
});

test("arrows move and every focusable element keeps the notebook's keys out", () => {
  shown();
  at(0).focus();
  at(0).dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  expect(document.activeElement).toBe(at(1));
  for (const one of el.querySelectorAll("button, input, [tabindex]"))
    expect(one.getAttribute("data-lm-suppress-shortcuts")).toBe("true");
});
