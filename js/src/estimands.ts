// From corners to effects, the same signs as mediawidget/estimands.py; a shared fixture ties the two.

export type Direction = "restore" | "break" | "difference";

/** Y11 clean, Y00 corrupt; y10 and y01 are the edited runs on the clean and the corrupt base. */
export interface Corners {
  y11: number;
  y00: number;
  y10: number;
  y01: number;
}

export interface Estimands {
  TE: number;
  TIE: number;
  PIE: number;
  PDE: number;
  TDE: number;
  INT: number;
}

/** The six quantities of a patch between the two prompts, in the metric's unit. */
export function estimands({ y11, y00, y10, y01 }: Corners): Estimands {
  return {
    TE: y11 - y00,
    TIE: y11 - y10,
    PIE: y01 - y00,
    PDE: y10 - y00,
    TDE: y11 - y01,
    INT: y11 - y10 - y01 + y00,
  };
}

/** What an edit to a constant does: Y(base) − Y(base, do), and clean minus corrupt. */
export function constantEffects({ y11, y00, y10, y01 }: Corners) {
  return { clean: y11 - y10, corrupt: y00 - y01, difference: y11 - y10 - y00 + y01 };
}

/** The number a direction shows. `patch`: the edit has four corners (else a constant). */
export function effect(
  direction: Direction,
  patch: boolean,
  { y11, y00, y10, y01 }: Corners,
): number {
  const lost = y11 - y10;
  const gained = patch ? y01 - y00 : y00 - y01;
  return direction === "restore" ? gained : direction === "break" ? lost : lost - gained;
}

const NEAR_ZERO = 1e-6;

/** Whether the total effect is far enough from 0 to divide by (the rule of effects.py). */
export function normalizable(y11: number, y00: number): boolean {
  return Math.abs(y11 - y00) > NEAR_ZERO * Math.max(1, Math.abs(y11), Math.abs(y00));
}

/** A value as percent of the total effect; NaN where the total effect is near 0. */
export function percent(value: number, y11: number, y00: number): number {
  return normalizable(y11, y00) ? (100 * value) / (y11 - y00) : Number.NaN;
}

/** +1 where a positive value moves toward the clean run, −1 where the metric runs the other way. */
export function towardClean(y11: number, y00: number): 1 | -1 {
  return y11 < y00 ? -1 : 1;
}
