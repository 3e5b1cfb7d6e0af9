import { expect, test } from "vitest";
import { percentText, probability, raw, seconds, short } from "./numbers.ts";
import { roundUp } from "./scale.ts";
import { plain, token, word } from "./text.ts";

test("spaces are marks that copy as spaces, line ends are seen", () => {
  const el = token(" Mary\n");
  expect(el.tagName).toBe("BDI");
  expect(el.textContent).toBe(" Mary⏎");
  expect(el.querySelectorAll(".mw-space")).toHaveLength(1);
});

test("what cannot be seen is spelled out", () => {
  expect(plain("a\u202eb")).toBe("a\\u202eb");
  expect(plain("\ud83d\ude00")).toBe("😀");
  expect(plain("\ud83d")).toBe("\ufffd");
  expect(word("  ")).toBe("'  '");
});

test("numbers: a real minus, always signed, no negative zero", () => {
  expect([raw(-5.2), raw(11), raw(0), raw(-0.0001), raw(Number.NaN)]).toEqual([
    "−5.2",
    "+11.0",
    "0.00",
    "0.000",
    "–",
  ]);
  expect([percentText(39.6), percentText(-0.4), percentText(-0.01), percentText(0)]).toEqual([
    "+40",
    "−0.4",
    "0.0",
    "0",
  ]);
  expect([short(-16.24), short(5.26), short(0.04)]).toEqual(["−16", "+5.3", "0"]);
  expect([probability(0.934), probability(0.0004), probability(0)]).toEqual([
    "93%",
    "<0.1%",
    "0.0%",
  ]);
  expect([seconds(0.04), seconds(2.34), seconds(300)]).toEqual([
    "<\u00a00.1\u00a0s",
    "~2.3\u00a0s",
    "~5\u00a0min",
  ]);
});

test("scales end at round numbers", () => {
  expect([0.37, 71, 1, 0, 16.2].map(roundUp)).toEqual([0.4, 80, 1, 1, 20]);
});
