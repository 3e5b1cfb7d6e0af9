// One colour scale for all panels and all three directions, so that a colour means one size.
import { type Corners, effect, normalizable, percent, towardClean } from "./estimands.ts";
import { type Direction, type EditInfo, type Panel, Status, type View } from "./protocol.ts";

export type Unit = "percent" | "raw";
export const DIRECTIONS: readonly Direction[] = ["restore", "break", "difference"];

/** A cell has a number to show. */
export function shown(status: number): boolean {
  return status === Status.Exact || status === Status.Estimate || status === Status.ImpliedZero;
}

/** The corners of one cell of a panel, under the view's base values. */
export function cornersAt(view: View, panel: Panel, index: number): Corners {
  return {
    ...view.base,
    y01: panel.y01[index] ?? Number.NaN,
    y10: panel.y10[index] ?? Number.NaN,
  };
}

/** The unit that can be shown: percent needs a total effect to divide by. */
export function unitFor(view: View, wanted: Unit): Unit {
  return wanted === "percent" && normalizable(view.base.y11, view.base.y00) ? "percent" : "raw";
}

/** What a direction shows for these corners, in percent points or in the metric's unit. */
export function shownValue(
  direction: Direction,
  edit: EditInfo,
  unit: Unit,
  corners: Corners,
): number {
  const value = effect(direction, edit.corners, corners);
  return unit === "percent" ? percent(value, corners.y11, corners.y00) : value;
}

/** The same with blue's sign: positive is toward the clean run, whichever way the metric runs. */
export function blueSign(view: View, unit: Unit, value: number): number {
  return unit === "percent" ? value : value * towardClean(view.base.y11, view.base.y00);
}

const STEPS = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];
const FULL = 100;

/** The next round number at or above a size: 0.37 to 0.4, 71 to 80. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = STEPS.find((s) => s * power >= value * (1 - 1e-9)) ?? 10;
  return Number((step * power).toPrecision(2));
}

/**
 * The largest size shown over panels and directions, rounded up; at most the total effect itself.
 * Cells beyond it carry a tick.
 */
export function scaleMax(view: View, unit: Unit): number {
  let largest = 0;
  for (const panel of view.panels) {
    panel.status.forEach((status, index) => {
      if (!shown(status)) return;
      for (const direction of DIRECTIONS) {
        const value = Math.abs(
          shownValue(direction, view.edit, unit, cornersAt(view, panel, index)),
        );
        if (value > largest && Number.isFinite(value)) largest = value;
      }
    });
  }
  const total = unit === "percent" ? FULL : Math.abs(view.base.y11 - view.base.y00);
  const cap = normalizable(view.base.y11, view.base.y00) ? total : Number.POSITIVE_INFINITY;
  if (largest === 0) return unit === "percent" ? FULL : roundUp(total);
  return largest >= cap ? cap : Math.min(roundUp(largest), cap);
}
