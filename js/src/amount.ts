// The number of a reading as the view shows it now, in its direction and unit.
import { percentText, raw } from "./numbers.ts";
import type { Reading } from "./reading.ts";
import { shownValue } from "./scale.ts";
import type { Store } from "./store.ts";

/** What the present direction and unit show of a reading. */
export const effectOf = (
  { direction, unit }: Store,
  { edit, corners }: Pick<Reading, "edit" | "corners">,
): number => shownValue(direction, edit, unit, corners);

/** A number of the present unit: "+40%", "−1.2". `percent` writes a percentage. */
export const amount = ({ unit }: Store, value: number, percent = percentText): string =>
  unit === "percent" ? `${percent(value)}%` : raw(value);

/** Why a patch and a constant are not subtracted from each other. */
export const APART = "have no effect in common: only one is a patch from the other prompt.";
