import { expect, test } from "vitest";
import fixture from "../../tests/fixtures/estimands.json";
import { constantEffects, effect, estimands, percent, towardClean } from "./estimands.ts";

const cases = fixture.cases.map((c) => ({
  ...c,
  corners: { y11: c.Y11, y00: c.Y00, y10: c.Y10, y01: c.Y01 },
}));

test.each(cases)("$name: the numbers that Python makes of it", (c) => {
  expect(estimands(c.corners)).toEqual(c.expected);
  expect(constantEffects(c.corners)).toEqual(c.constant);
});

test.each(cases)("$name: each direction shows its quantity", (c) => {
  expect(effect("restore", true, c.corners)).toBe(c.expected.PIE);
  expect(effect("break", true, c.corners)).toBe(c.expected.TIE);
  expect(effect("difference", true, c.corners)).toBe(c.expected.INT);
  expect(effect("restore", false, c.corners)).toBe(c.constant.corrupt);
  expect(effect("break", false, c.corners)).toBe(c.constant.clean);
  expect(effect("difference", false, c.corners)).toBe(c.constant.difference);
});

test.each(cases)("$name: percents", (c) => {
  const share = percent(c.expected.PIE, c.Y11, c.Y00);
  if (c.percent) expect(share).toBeCloseTo(c.percent.PIE, 9);
  else expect(share).toBeNaN();
});

test("blue's sign follows the clean run where the metric runs the other way", () => {
  expect(towardClean(10, 0)).toBe(1);
  expect(towardClean(-5, 11)).toBe(-1);
});
