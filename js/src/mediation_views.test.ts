// The diagram and the gates as they are drawn.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SUPPRESS } from "./dom.ts";
import { answer, FakeModel, payload, ZERO } from "./fake.ts";
import gatePlayground from "./gate_playground.ts";
import mediationDiagram from "./mediation_diagram.ts";

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

function diagram(result: Record<string, unknown> = {}): FakeModel {
  const model = new FakeModel({ view: payload({ panels: [] }), result });
  const widget = mediationDiagram();
  widget.initialize({ model });
  end = widget.render({ model, el });
  return model;
}
const run = (key: string) => el.querySelector<HTMLElement>(`[data-run=${key}]`) as HTMLElement;
const words = () => el.querySelector(".mw-sentence")?.textContent;
const bars = () => [...el.querySelectorAll(".mw-falls [data-name]")].map((row) => row.textContent);

test("nothing selected: the total effect, and what to do", () => {
  diagram();
  expect(words()).toContain("Only the total effect is known. Click a head in a linked view");
  expect(bars()).toEqual(["TEall of it: clean minus corrupt+10.0100%"]);
  expect(run("y11").textContent).toContain("+10.0");
  expect(run("y10").textContent).toContain("–");
});

test("a result is drawn as paths, runs and bars, and the switch regroups them", () => {
  const model = diagram();
  model.push("result", answer([3]));
  expect(el.querySelector(".mw-selected")?.textContent).toBe("L1H1");
  expect(el.querySelector("svg")?.getAttribute("aria-label")).toContain(
    "through L1H1 and past it: TE +10.0 (100%), PIE +4.0 (40%), PDE +6.0 (60%), INT 0.00 (0%)",
  );
  expect(el.querySelectorAll(".mw-falls [data-name]")).toHaveLength(4);
  el.querySelector<HTMLElement>("[data-split=break]")?.click();
  expect([...el.querySelectorAll(".mw-flowname")].map((t) => t.textContent)).toEqual([
    "TIE +4.0",
    "PDE +6.0",
  ]);
  expect(el.querySelectorAll(".mw-falls [data-name]")).toHaveLength(3);
});

test("a run that is clicked is said, and lights the differences it enters", () => {
  diagram(answer([3]));
  run("y01").focus();
  run("y01").click();
  expect(words()).toContain("Y01: the corrupt prompt, with L1H1 set to its value on the clean");
  expect(document.activeElement).toBe(run("y01"));
  const lit = [...el.querySelectorAll(".mw-side[data-lit] b")].map((b) => b.textContent);
  expect(lit).toEqual(["TDE", "INT", "PIE"]);
  run("y01").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  expect(run("y01").getAttribute("aria-pressed")).toBe("false");
});

test("under a constant: what exists is shown, and what does not is said", () => {
  diagram({ ...answer([3], { edit: ZERO }), constant: true });
  expect(words()).toContain("TIE, PIE and INT do not exist");
  expect([...el.querySelectorAll(".mw-side b")].map((b) => b.textContent)).toEqual([
    "On clean",
    "TE",
    "CDE",
    "On corrupt",
  ]);
  expect(el.querySelector(".mw-cut")).not.toBeNull();
});

test("what is held is said beside the mediator", () => {
  diagram({ ...answer([3]), held: "L0H1, mlp_out" });
  expect(el.querySelector(".mw-medhead")?.textContent).toContain(
    "L0H1, mlp_out held as in the base",
  );
});

test("without a total effect paths are drawn against the largest of them", () => {
  const base = { y11: 0, y00: 0 };
  const view = payload({ panels: [], base });
  const model = new FakeModel({ view, result: answer([3], { ...base, y10: 1, y01: 1 }) });
  end = mediationDiagram().render({ model, el });
  const flows = [...el.querySelectorAll<SVGElement>(".mw-flow")];
  const widths = flows.map((flow) => Number.parseFloat(flow.style.strokeWidth));
  // PIE and PDE are 1 each and INT is −2.
  expect(widths).toEqual([8, 8, 14]);
  expect(flows.map((flow) => flow.getAttribute("data-sign"))).toEqual(["toward", "toward", "away"]);
  expect(bars().at(-1)).toBe("TEall of it: clean minus corrupt0.00");
  expect(el.querySelector(".mw-fallends")?.textContent).toBe("corrupt 0.00, clean 0.00");
});

test("what is no more than rounding is nothing", () => {
  diagram(answer([3], { y10: 10 - 1e-6, y01: 1e-6 }));
  expect(words()).toContain("neither restoring nor breaking it changes anything");
  expect([...el.querySelectorAll(".mw-flowname")].map((t) => t.textContent)).toContain("PIE 0.00");
});

test("a failed result has no numbers", () => {
  diagram(answer([3], { status: 4 }));
  expect(words()).toBe("L1H1 failed a check, so it has no numbers.");
  expect(run("y10").textContent).toContain("–");
});

function gates(): FakeModel {
  const corners = { y11: 1, y10: 0, y01: 0, y00: 0 };
  const model = new FakeModel({
    gates: [{ name: "AND", words: "both", corners }],
    gate: "AND",
    guesses: {},
  });
  end = gatePlayground.render({ model, el });
  return model;
}
const predict = (n: number) =>
  el.querySelector<HTMLElement>(`[data-guess="${n}"]`)?.click() as undefined;
const flip = (name: string) =>
  el.querySelector<HTMLElement>(`[data-name="${name}"]`)?.click() as undefined;

test("the output shows once it was predicted, and the first answer counts", () => {
  const model = gates();
  expect(run("y11").textContent).toContain("?");
  predict(0);
  predict(1);
  expect(model.traits.guesses).toEqual({ AND: { y11: 0 } });
  expect(run("y11").textContent).toContain("✗ you said 0");
  expect(el.querySelector(".mw-score")?.textContent).toBe("0 of 1 right");
});

test("PIE, TIE and INT come after all four runs", () => {
  gates();
  const facts = () => [...el.querySelectorAll("[data-fact]")].map((fact) => fact.textContent);
  predict(1);
  flip("M");
  predict(0);
  flip("bypass");
  predict(0);
  expect(facts()).toEqual([]);
  flip("M");
  predict(0);
  expect(facts()).toEqual(["0", "+1", "+1", "+1"]);
  expect(el.querySelector(".mw-verdict")?.textContent).toContain("AND-like");
  expect(el.querySelector(".mw-score")?.textContent).toBe("4 of 4 right");
});

test("a page whose kernel is gone plays on", () => {
  const model = gates();
  model.gone = true;
  predict(1);
  expect(run("y11").textContent).toContain("✓");
});

test.each([diagram, gates])(
  "every element that takes the focus keeps shortcuts out: %#",
  (draw) => {
    draw();
    for (const element of el.querySelectorAll("button, [tabindex]"))
      expect(element.getAttribute(SUPPRESS)).toBe("true");
  },
);
