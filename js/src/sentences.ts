// The sentence of a cell or a result: what was done, what moved, from where to where, and by how
// much. It stands in a fixed line and is the cell's accessible name.
import { effect, percent } from "./estimands.ts";
import { count, percentSize, percentText, raw, seconds, size } from "./numbers.ts";
import { type Direction, type Panel, Status, type View } from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { DIRECTIONS, shown, type Unit, unitFor } from "./scale.ts";
import { plain } from "./text.ts";

const LONG = 160;
const HALF = 0.5;
const TENTH = 0.1;
/** Percent below which a share is told as 0.0%, which is no step in either direction. */
const STEP = 0.05;

interface Words {
  view: View;
  reading: Reading;
  unit: Unit;
  /** Percent of the total effect. */
  share: number;
  /** A constant's effect on the corrupt run, whose sign is the opposite of a patch's gain. */
  loss: boolean;
  /** Whether it is told as an effect against the clean answer. */
  away: boolean;
}

/** The whole sentence, with how sure it is. `panel` gives a cell that was not run its cost. */
export function sentence(
  view: View,
  direction: Direction,
  reading: Reading,
  panel: Panel | null = null,
): string {
  const label = plain(reading.label, LONG);
  const { corners, edit, status } = reading;
  if (status === Status.Failed)
    return `${label} failed a check, so it has no number. Enter runs it again.`;
  if (status === Status.Impossible)
    return `${label} ${edit.corners ? "has no partner in the other prompt" : "cannot be set to this value"}.`;
  if (!shown(status)) return `${label} was not run. Enter runs it: ${oneCost(panel)}.`;
  const unit = unitFor(view, "percent");
  const patch = edit.corners;
  const share = percent(effect(direction, patch, corners), corners.y11, corners.y00);
  const loss = direction === "restore" && !patch;
  const away = (loss ? share : -share) >= STEP;
  const words = { view, reading: { ...reading, label }, unit, share, loss, away };
  const body = direction === "difference" ? difference(words) : moved(words, direction);
  return [body, ...sureness(words, direction)].join(" ");
}

function oneCost(panel: Panel | null): string {
  if (!panel || panel.cost.runs === 0) return "1 pass";
  const each = panel.cost.seconds / panel.cost.runs;
  return each > HALF ? `1 pass, ${seconds(each)}` : "1 pass";
}

/** A cell's name for people who hear it: its label first, then the sentence. */
export function cellName(view: View, direction: Direction, reading: Reading, panel: Panel): string {
  const label = plain(reading.label, LONG);
  const text = sentence(view, direction, reading, panel);
  return text.startsWith(`${label} `) ? text : `${label}: ${text}`;
}

// --- one base run, or the difference of both ------------------------------------------------------

const NEAR_ZERO = "The total effect is near 0, so there is no percentage.";

function moved({ view, reading, unit, share, loss, away }: Words, direction: Direction): string {
  const { corners, edit, label } = reading;
  const patch = edit.corners;
  const restore = direction === "restore";
  const [from, to] = restore ? [corners.y00, corners.y01] : [corners.y11, corners.y10];
  const run = restore ? "corrupt" : "clean";
  const done = patch
    ? `Patching ${edit.part}${label} from ${restore ? "clean" : "corrupt"} into ${run}`
    : `Setting ${label} ${plain(edit.goal, LONG)} in the ${run} run`;
  const start = `${done} moves ${plain(view.metric.label, LONG)} from ${raw(from)} to ${raw(to)}`;
  if (unit === "raw")
    return `${start}${patch ? `: ${raw(to - from)} ${view.metric.unit}` : ""}. ${NEAR_ZERO}`;
  const against = restore ? "further from" : "added; it opposes";
  const said = away ? against : `of the total effect${loss ? " toward" : ""}`;
  const end = away || loss ? " the clean answer" : restore ? "" : " lost";
  return `${start}: ${percentSize(Math.abs(share))}% ${said}${end}.`;
}

function difference({ view, reading, unit }: Words): string {
  const { corners, edit, label } = reading;
  const both = edit.corners;
  const [first, second, gap] = [
    ...(both ? (["restore", "break"] as const) : (["break", "restore"] as const)),
    "difference" as const,
  ].map((direction) => effect(direction, both, corners)) as [number, number, number];
  const share = (value: number) => percent(value, corners.y11, corners.y00);
  const amount = (value: number) =>
    unit === "percent" ? `${percentSize(share(value))}%` : size(value);
  const end = unit === "percent" ? `${percentText(share(gap))}%` : raw(gap);
  const units = unit === "percent" ? "" : ` ${view.metric.unit}`;
  if (!both)
    return `Setting ${label} ${plain(edit.goal, LONG)} costs ${amount(first)}${units} on clean and ${amount(second)}${units} on corrupt: difference ${end}.`;
  const start = units ? `${label}: restoring` : "Restoring";
  const near = units ? " The total effect is near 0." : "";
  return `${start} gains ${amount(first)}, breaking loses ${amount(second)}${units}: interaction ${end}.${near}${interaction(first, second, gap)}`;
}

/** Which gate the two effects look like, where the interaction is over half the larger of them. */
function interaction(pie: number, tie: number, int: number): string {
  const larger = Math.max(Math.abs(pie), Math.abs(tie));
  if (!(Math.abs(int) > HALF * larger)) return "";
  if (pie * tie < 0 && Math.min(Math.abs(pie), Math.abs(tie)) > TENTH * larger)
    return " Its effect changes sign with the rest.";
  return Math.abs(tie) >= Math.abs(pie)
    ? " It matters more when the rest is clean (AND-like)."
    : " It matters more when the rest is corrupt (OR-like).";
}

// --- how sure ----------------------------------------------------------------------------------

const QUANTITIES = [
  ["corrupt", "clean", "difference"],
  ["PIE", "TIE", "INT"],
] as const;

/** By what Python names the interval of what a direction shows; shares have intervals of their own. */
export function intervalKey(direction: Direction, patch: boolean, unit: Unit): string {
  return QUANTITIES[+patch as 0 | 1][DIRECTIONS.indexOf(direction)] + (unit === "raw" ? "" : "%");
}

function sureness({ reading, unit, loss, away }: Words, direction: Direction): string[] {
  const { edit, status, n } = reading;
  const out: string[] = [];
  if (status === Status.ImpliedZero) {
    // A constant is not what either prompt has here, so equal prompts are no reason.
    const constant = ["zero", "mean"].includes(edit.kind);
    const equal = constant ? "" : "both prompts have the same value here, or ";
    out.push(
      `Zero by construction, so nothing was run: ${equal}nothing that is read comes after it.`,
    );
  }
  if (n > 1) out.push(`Mean of ${count(n, "pair")}${interval()}.`);
  if (status === Status.Estimate) out.push("≈ estimate; click to run.");
  if (reading.stale) out.push("Out of date: run again.");
  return out;

  function interval(): string {
    const ci = reading.ci?.[intervalKey(direction, edit.corners, unit)];
    if (!ci) return "";
    if (unit === "raw") return `, 95% CI ${raw(ci[0])} to ${raw(ci[1])}`;
    // A share is told by its size, in the direction of its words ("27% added"); so is its interval.
    const turned = direction !== "difference" && away !== loss;
    const [low, high] = turned ? [-ci[1], -ci[0]] : ci;
    return `, 95% CI ${percentSize(low)}% to ${percentSize(high)}%`;
  }
}
