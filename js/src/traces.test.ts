import { expect, test } from "vitest";
import { trace } from "./fake_trace.ts";
import { cellLabel, cellOf, cellSentence, decodeTrace, dotsOf, traceScale } from "./traces.ts";

const decoded = decodeTrace(trace());
const [state, mlp] = decoded.kinds as [(typeof decoded.kinds)[0], (typeof decoded.kinds)[0]];

test("a cell is layer by token, and its draws are its own", () => {
  const cell = cellOf(decoded, state, 1, 2);
  expect(cell.restored).toBe(0.625);
  expect(cell.effect).toBe(0.375);
  expect(dotsOf(state, cell)).toEqual([0.625, 0.75]);
  expect(cellLabel(decoded, mlp, 1, 1)).toBe("mlp1 @ Eiffel");
});

test("sentences name the layers that are restored together, and how sure it is", () => {
  expect(cellSentence(decoded, mlp, 1, 1)).toBe(
    "Restoring the MLP outputs of layers 0 to 1 together at 'Eiffel' (subject) moves P(a) from +0.25 to +0.13: 17% further from the clean run. Mean of 4 pairs.",
  );
  expect(cellSentence(decoded, state, 1, 2)).toBe(
    "Restoring the state entering layer 1 at 'is' moves P(a) from +0.25 to +0.63: 50% of what the corruption took away. Mean of 4 pairs, CI of the effect −0.25 to +0.50. 2 draws: +0.63 to +0.75.",
  );
  expect(cellSentence(decoded, state, 2, 0)).toContain("the last state at 'The'");
  expect(cellSentence(decoded, mlp, 1, 2)).toContain("was not run");
});

test("without an effect of the corruption there is no percentage", () => {
  const flat = decodeTrace(trace({ clean: 0.25 }));
  expect(cellSentence(flat, state, 1, 2)).toContain("to +0.63: +0.38 probability.");
});

test("one scale for all kinds; grids of another shape are refused", () => {
  expect(traceScale(decoded)).toBe(0.8);
  expect(() => decodeTrace(trace({ tokens: ["a"] }))).toThrow("dots is not 24 bytes");
});
