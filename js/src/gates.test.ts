import { expect, test } from "vitest";
import {
  CORNERS,
  choices,
  cornerOf,
  type Gate,
  isRight,
  plainNumber,
  score,
  signedNumber,
  switchesOf,
  verdict,
} from "./gates.ts";

const gate = (name: string, run: (m: number, b: number) => number): Gate => ({
  name,
  words: name,
  corners: { y11: run(1, 1), y10: run(0, 1), y01: run(1, 0), y00: run(0, 0) },
});
const ADD = gate("ADD", (m, b) => m + b);
const AND = gate("AND", (m, b) => m & b);
const OR = gate("OR", (m, b) => m | b);
const XOR = gate("XOR", (m, b) => m ^ b);

test("switches and corners are each other's inverse: Y(input, mediator)", () => {
  expect(cornerOf(false, true)).toBe("y10");
  for (const corner of CORNERS) {
    const { mediator, bypass } = switchesOf(corner);
    expect(cornerOf(mediator, bypass)).toBe(corner);
  }
});

test("the score counts answers to gates that are there", () => {
  const guesses = { AND: { y11: 1, y10: 1 }, OR: { y00: 0 }, GONE: { y11: 1 } };
  expect(score([AND, OR], guesses)).toEqual({ right: 2, asked: 3 });
  expect(isRight(ADD, "y11", 2)).toBe(true);
  expect(choices([AND, ADD])).toEqual([0, 1, 2]);
});

test.each([
  [ADD, "Restoring M gives 1 (PIE), breaking it costs 1 (TIE): INT = 0. M does the same"],
  [AND, "Restoring M gives 0 (PIE), breaking it costs 1 (TIE): INT = +1. AND-like"],
  [OR, "Restoring M gives 1 (PIE), breaking it costs 0 (TIE): INT = −1. OR-like"],
  [XOR, "Restoring M gives 1 (PIE), breaking it costs −1 (TIE): INT = −2. M's effect turns round"],
])("$0.name: what the numbers say", (it, words) => {
  expect(verdict(it.corners)).toContain(words);
});

test("numbers of gates", () => {
  expect([0, 2, -1, 0.5].map(plainNumber)).toEqual(["0", "2", "−1", "0.50"]);
  expect([0, 2, -1, 0.5].map(signedNumber)).toEqual(["0", "+2", "−1", "+0.50"]);
});
