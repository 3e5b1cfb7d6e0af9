// A causal trace as Python sends it, for tests.
import { unaligned } from "./fake.ts";

const numbers = (values: number[]) => unaligned(Float32Array.from(values));
const NO = Number.NaN;

/** Two layers (and what comes out) of three tokens; the MLPs go in windows of two. */
export function trace(change: Record<string, unknown> = {}): Record<string, unknown> {
  const nine = [...Array(9).keys()].map((i) => 0.125 * i);
  return {
    title: "Noise on the subject.",
    metric: "P(a)",
    unit: "probability",
    clean: 1,
    corrupted: 0.25,
    tokens: ["The", " Eiffel", " is"],
    subject: [1],
    pairs: 4,
    draws: 2,
    kinds: [
      {
        kind: "residual",
        title: "State",
        window: 1,
        layers: ["0", "1", "out"],
        names: ["L0", "L1", "out"],
        spans: [
          [0, 0],
          [1, 1],
          [2, 2],
        ],
        restored: numbers(nine),
        low: numbers(Array(9).fill(-0.25)),
        high: numbers(Array(9).fill(0.5)),
        n_dots: 2,
        dots: numbers([...nine, ...nine.map((x) => x + 0.125)]),
      },
      {
        kind: "mlp_out",
        title: "MLP",
        window: 2,
        layers: ["0", "1"],
        names: ["mlp0", "mlp1"],
        spans: [
          [0, 0],
          [0, 1],
        ],
        restored: numbers([0.25, 0.625, 0.25, 0.25, 0.125, NO]),
        low: numbers(Array(6).fill(NO)),
        high: numbers(Array(6).fill(NO)),
        n_dots: 0,
        dots: numbers([]),
      },
    ],
    ...change,
  };
}
