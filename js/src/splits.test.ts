import { expect, test } from "vitest";
import fixture from "../../tests/fixtures/estimands.json";
import { PATCH, ZERO } from "./fake.ts";
import {
  amountText,
  formulaText,
  noCorners,
  pictureWords,
  runSentence,
  runWords,
  type Scene,
} from "./mediation_words.ts";
import {
  CONSTANT_FORMULAS,
  constantBars,
  enters,
  FORMULAS,
  type Formula,
  quantities,
  SPLITS,
  waterfall,
} from "./splits.ts";

const cases = fixture.cases.map((c) => ({
  ...c,
  corners: { y11: c.Y11, y00: c.Y00, y10: c.Y10, y01: c.Y01 },
}));
const scene = (change: Partial<Scene> = {}): Scene => ({
  metric: "logit(a) − logit(b)",
  unit: "logits",
  label: "L3H1",
  edit: PATCH,
  constant: false,
  corners: { y11: 11, y00: -5, y10: 2, y01: 1 },
  shares: true,
  ...change,
});

test.each(cases)("$name: a formula's runs add up to its quantity", ({ corners, expected }) => {
  const total = (formula: Formula) =>
    formula.reduce((sum, [sign, key]) => sum + sign * corners[key], 0);
  for (const [name, formula] of Object.entries(FORMULAS))
    expect(total(formula)).toBe(expected[name as keyof typeof expected]);
  const found = quantities(corners, false);
  for (const [name, formula] of Object.entries(CONSTANT_FORMULAS))
    expect(total(formula)).toBe(found[name]);
});

test.each(cases)("$name: every split goes from the corrupt to the clean run", ({ corners }) => {
  for (const split of SPLITS) {
    const bars = waterfall(split, corners);
    expect(bars.map((bar) => bar.name).join(" + ")).toBe(split.sum);
    expect(bars[0]?.from).toBe(corners.y00);
    expect(bars.at(-1)?.to).toBeCloseTo(corners.y11, 12);
    bars.slice(1).forEach((bar, i) => {
      expect(bar.from).toBe(bars[i]?.to);
    });
    const sizes = quantities(corners, true);
    for (const bar of bars) expect(bar.to - bar.from).toBeCloseTo(sizes[bar.name] as number, 12);
  }
});

test.each(cases)(
  "$name: with the mediator set, TE = CDE + On clean − On corrupt",
  ({ corners }) => {
    const [clean, corrupt, left] = constantBars(corners).map(({ from, to }) => to - from);
    const { TE } = quantities(corners, false);
    expect((left as number) + (clean as number) - (corrupt as number)).toBeCloseTo(
      TE as number,
      12,
    );
  },
);

test("a run says what it was and which differences it enters", () => {
  expect(enters("y10", true)).toEqual(["PDE", "TIE", "INT"]);
  expect(runWords("y10", PATCH)).toBe("clean input, corrupt mediator");
  expect(runSentence("y10", scene())).toBe(
    "Y10: the clean prompt, with L3H1 set to its value on the corrupt prompt (breaking); logit(a) − logit(b) was +2.0. It enters PDE, TIE and INT.",
  );
  expect(runSentence("y00", scene())).toContain("the corrupt prompt, nothing changed");
  const unknown = { y11: 11, y00: -5, y10: Number.NaN, y01: Number.NaN };
  expect(runSentence("y01", scene({ corners: unknown, label: "" }))).toContain(
    "the mediator set to its value on the clean prompt (restoring); it has not been run",
  );
});

test("under a constant there are no corners, and a CDE only where both runs got one value", () => {
  const set = scene({ edit: ZERO, constant: true });
  expect(runSentence("y01", set)).toBe(
    "Y(corrupt, do): the corrupt prompt, with L3H1 set to zero; logit(a) − logit(b) was +1.0. It enters On corrupt and CDE.",
  );
  expect(formulaText("CDE", set)).toBe("Y(clean, do) − Y(corrupt, do)");
  expect(noCorners(set)).toContain("TIE, PIE and INT do not exist");
  expect(noCorners(set)).toContain("and CDE is");
  const own = scene({ edit: ZERO, constant: false });
  expect(runSentence("y01", own)).toContain("It enters On corrupt.");
  expect(noCorners(own)).toContain("is no CDE");
});

test("numbers carry their share only where there is a total to divide by", () => {
  expect(amountText(4, scene())).toBe("+4.0 (25%)");
  expect(amountText(-4, scene())).toBe("−4.0 (−25%)");
  expect(amountText(4, scene({ shares: false }))).toBe("+4.0");
  expect(pictureWords(scene(), ["TE", "INT"])).toBe(
    "Paths from the prompt to the metric, through L3H1 and past it: TE +16.0 (100%), INT +3.0 (19%).",
  );
});
