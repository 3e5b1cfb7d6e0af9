// Gates of a mediator and a bypass: the questions, the score and what the numbers mean. The
// corners come from Python, which runs each gate's function on the four inputs.
import { type Corners, estimands } from "./estimands.ts";
import { raw, size } from "./numbers.ts";

export type CornerName = keyof Corners;
/** In the order in which the playground asks: the two runs that everyone makes first. */
export const CORNERS: readonly CornerName[] = ["y11", "y00", "y01", "y10"];

export interface Gate {
  name: string;
  words: string;
  corners: Corners;
}
/** What was predicted: gate -> corner -> number. The first answer counts. */
export type Guesses = Record<string, Partial<Record<CornerName, number>>>;

/** The corner of two switches, each clean (1) or corrupt (0). */
export function cornerOf(mediator: boolean, bypass: boolean): CornerName {
  return `y${bypass ? 1 : 0}${mediator ? 1 : 0}` as CornerName;
}

/** The switches of a corner: Y(input, mediator), the bypass going with the input. */
export function switchesOf(corner: CornerName): { mediator: boolean; bypass: boolean } {
  return { mediator: corner[2] === "1", bypass: corner[1] === "1" };
}

const CLOSE = 1e-9;
export const isRight = (gate: Gate, corner: CornerName, guess: number): boolean =>
  Math.abs(gate.corners[corner] - guess) < CLOSE;

/** Right answers and all answers, over all gates that are there. */
export function score(gates: readonly Gate[], guesses: Guesses): { right: number; asked: number } {
  let [right, asked] = [0, 0];
  for (const gate of gates)
    for (const corner of CORNERS) {
      const guess = guesses[gate.name]?.[corner];
      if (guess === undefined) continue;
      asked += 1;
      if (isRight(gate, corner, guess)) right += 1;
    }
  return { right, asked };
}

/** The numbers to choose from: whatever any of the gates puts out. */
export function choices(gates: readonly Gate[]): number[] {
  const all = gates.flatMap((gate) => CORNERS.map((corner) => gate.corners[corner]));
  return [...new Set(all)].sort((a, b) => a - b);
}

/** A number of a gate: whole ones without a sign. */
export const plainNumber = (value: number): string =>
  Number.isInteger(value) ? String(value).replace("-", "\u2212") : size(value);

/** The same with its sign. */
export const signedNumber = (value: number): string =>
  Number.isInteger(value) ? (value > 0 ? `+${value}` : plainNumber(value)) : raw(value);

/** What restoring, breaking and their difference say together, in one sentence. */
export function verdict(corners: Corners): string {
  const { PIE, TIE, INT } = estimands(corners);
  const numbers = `Restoring M gives ${plainNumber(PIE)} (PIE), breaking it costs ${plainNumber(TIE)} (TIE): INT = ${signedNumber(INT)}.`;
  return `${numbers} ${kind(PIE, TIE, INT)}`;
}

function kind(pie: number, tie: number, int: number): string {
  if (Math.abs(int) < CLOSE)
    return "M does the same whatever the bypass is: the paths add up, and one experiment tells both.";
  if (pie * tie < -CLOSE)
    return "M's effect turns round with the bypass: neither experiment alone says what M does.";
  return Math.abs(tie) > Math.abs(pie)
    ? "AND-like: M needs the bypass, so restoring M alone shows too little and breaking it shows it all."
    : "OR-like: the bypass stands in for M, so breaking M alone shows too little and restoring shows it all.";
}
