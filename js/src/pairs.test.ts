import { expect, test } from "vitest";
import { unaligned, ZERO } from "./fake.ts";
import { pairBars } from "./interaction_grid.ts";
import {
  basesOf,
  decodeGame,
  gameScale,
  metricAt,
  pairLabel,
  pairOf,
  pairSentence,
} from "./pairs.ts";

const numbers = (values: number[]) => unaligned(Float32Array.from(values));
const NO = Number.NaN;

/** Two players and a third that was not run with the second. */
function game(change: Record<string, unknown> = {}) {
  const side = (alone: number[], joint: number, low = NO, high = NO) => ({
    title: "Restoring sites.",
    base: -5,
    alone: numbers(alone),
    joint: numbers([NO, joint, 4, joint, NO, NO, 4, NO, NO]),
    low: numbers([NO, low, NO, low, NO, NO, NO, NO, NO]),
    high: numbers([NO, high, NO, high, NO, NO, NO, NO, NO]),
  });
  return decodeGame({
    labels: ["L0H1", "L3H1", "mlp2"],
    unit: "logits",
    game: "recomputed",
    edit: { kind: "patch", corners: true, goal: "to its value on the other prompt" },
    n: 8,
    stale: false,
    sides: {
      restore: side([8, 8, 1], 10, -7, -5),
      break: { ...side([1, 2, 1], 9), base: 11 },
    },
    ...change,
  });
}

test("together minus the sum, the same from either side of the diagonal", () => {
  const pair = pairOf(game(), "restore", 0, 1);
  expect(pair).toEqual({ a: 8, b: 8, sum: 16, joint: 10, int: -6, ci: [-7, -5] });
  expect(pairOf(game(), "restore", 1, 0)).toEqual(pair);
  expect(pairOf(game(), "restore", 1, 2).int).toBeNaN();
  expect(gameScale(game())).toBe(6);
});

test("the ends of the axis are the game's own", () => {
  expect(basesOf(game())).toEqual({ y11: 11, y00: -5 });
});

test("restoring adds to the metric, breaking takes away", () => {
  expect(metricAt(game(), "restore", 10)).toBe(5);
  expect(metricAt(game(), "break", 9)).toBe(2);
});

test("sentences name the direction and say what the pair is like", () => {
  expect(pairSentence(game(), "restore", 0, 1, 1)).toBe(
    "Restoring L0H1 and L3H1 together gains +10.0 logits, alone +8.0 and +8.0: together minus the sum is −6.0, CI −7.0 to −5.0. Each can stand in for the other (OR-like).",
  );
  // Losing both costs more than losing each: they cover for each other.
  expect(pairSentence(game(), "break", 0, 1, 1)).toBe(
    "Breaking L0H1 and L3H1 together costs +9.0 logits, alone +1.0 and +2.0: together minus the sum is +6.0. Each can stand in for the other (OR-like).",
  );
  expect(pairSentence(game(), "restore", 0, 2, 1)).toContain("alone +8.0 and +1.0");
  expect(pairSentence(game(), "restore", 1, 2, 1)).toBe("L3H1 + mlp2 was not run together.");
  expect(pairSentence(game(), "restore", 2, 2, 1)).toBe("Restoring mlp2 alone gains +1.0 logits.");
  expect(pairLabel(game(), 0, 1)).toBe("L0H1 + L3H1");
});

test("where a player opposes the answer no gate is named", () => {
  expect(pairSentence(game(), "restore", 0, 1, -1)).not.toContain("like)");
});

test("frozen games and constants say so", () => {
  expect(pairSentence(game({ game: "frozen" }), "restore", 0, 1, 1)).toContain(
    "Restoring L0H1 and L3H1, the other players held, together gains",
  );
  expect(pairSentence(game({ edit: ZERO }), "break", 0, 1, 1)).toBe(
    "Setting L0H1 and L3H1 to zero together costs clean +9.0 logits, alone +1.0 and +2.0: together minus the sum is +6.0.",
  );
});

test("bars: both alone end to end, the gap, and together", () => {
  const bars = pairBars(game(), "restore", { row: 0, col: 1 }, 1);
  const ends = bars.map(({ name, from, to }) => [name, from, to]);
  expect(ends.slice(1)).toEqual([
    ["L0H1", -5, 3],
    ["L3H1", 3, 11],
    ["gap", 11, 5],
    ["both", -5, 5],
  ]);
  expect(bars.map(({ value }) => value)).toEqual(["−5.0", "+3.0", "+3.0", "", "+5.0"]);
  const broken = pairBars(game(), "break", { row: 0, col: 1 }, 1).at(-1);
  expect([broken?.from, broken?.to, broken?.value]).toEqual([11, 2, "+2.0"]);
});

test("numbers of another shape are refused", () => {
  expect(() => game({ labels: ["a", "b"] })).toThrow("game.sides.restore.alone is not 8 bytes");
});
