// The sentence of a cell or a result: what was done, what moved, from where to where, and by how
// much. It stands in a fixed line and is the cell's accessible name.
import { constantEffects, effect, estimands } from "./estimands.ts";
import { count, percentSize, percentText, raw, seconds, size } from "./numbers.ts";
import { type Direction, type Panel, Status, type View } from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { shown, type Unit, unitFor } from "./scale.ts";
import { plain } from "./text.ts";

const LONG = 160;
const HALF = 0.5;
const TENTH = 0.1;

interface Words {
  view: View;
  reading: Reading;
  unit: Unit;
}

/** The whole sentence, with how sure it is. `panel` gives a cell that was not run its cost. */
export function sentence(
  view: View,
  direction: Direction,
  reading: Reading,
  panel: Panel | null = null,
): string {
  const label = plain(reading.label, LONG);
  if (reading.status === Status.Failed)
    return `${label} failed a check, so it has no number. Enter runs it again.`;
  if (reading.status === Status.Impossible) return `${label} cannot be set to this value.`;
  if (!shown(reading.status)) return `${label} was not run. Enter runs it: ${oneCost(panel)}.`;
  const unit = unitFor(view, "percent");
  const words = { view, reading: { ...reading, label }, unit };
  const body = reading.edit.corners ? patched(words, direction) : constant(words, direction);
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

// --- patches between the two prompts ---------------------------------------------------------

function patched({ view, reading, unit }: Words, direction: Direction): string {
  const { y11, y00, y10, y01 } = reading.corners;
  const { PIE, TIE, INT, TE } = estimands(reading.corners);
  const metric = plain(view.metric.label, LONG);
  const near = unit === "raw";
  const share = (value: number) => (100 * value) / TE;
  if (direction === "restore") {
    const start = `Patching ${reading.label} from clean into corrupt moves ${metric} from ${raw(y00)} to ${raw(y01)}`;
    if (near) return `${start}: ${bare(PIE, view)}.`;
    return share(PIE) < 0
      ? `${start}: ${percentSize(-share(PIE))}% further from the clean answer.`
      : `${start}: ${percentSize(share(PIE))}% of the total effect.`;
  }
  if (direction === "break") {
    const start = `Patching ${reading.label} from corrupt into clean moves ${metric} from ${raw(y11)} to ${raw(y10)}`;
    if (near) return `${start}: ${bare(-TIE, view)}.`;
    return share(TIE) < 0
      ? `${start}: ${percentSize(-share(TIE))}% added; it opposes the clean answer.`
      : `${start}: ${percentSize(share(TIE))}% of the total effect lost.`;
  }
  const gate = interaction(PIE, TIE, INT);
  if (near)
    return `${reading.label}: restoring gains ${size(PIE)}, breaking loses ${size(TIE)} ${view.metric.unit}: interaction ${raw(INT)}. The total effect is near 0.${gate}`;
  return `Restoring gains ${percentSize(share(PIE))}%, breaking loses ${percentSize(share(TIE))}%: interaction ${percentText(share(INT))}%.${gate}`;
}

function bare(value: number, view: View): string {
  return `${raw(value)} ${view.metric.unit}. The total effect is near 0, so there is no percentage`;
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

// --- other edits -----------------------------------------------------------------------------

function constant({ view, reading, unit }: Words, direction: Direction): string {
  const { y11, y00, y10, y01 } = reading.corners;
  const effects = constantEffects(reading.corners);
  const metric = plain(view.metric.label, LONG);
  const share = (value: number) => (100 * value) / (y11 - y00);
  const amount = (value: number) =>
    unit === "percent" ? `${percentSize(share(value))}%` : `${size(value)} ${view.metric.unit}`;
  const near = unit === "raw" ? ". The total effect is near 0, so there is no percentage" : "";
  const what = `Setting ${reading.label} ${plain(reading.edit.goal, LONG)}`;
  if (direction === "break") {
    const start = `${what} in the clean run moves ${metric} from ${raw(y11)} to ${raw(y10)}`;
    if (near) return `${start}${near}.`;
    return share(effects.clean) < 0
      ? `${start}: ${percentSize(-share(effects.clean))}% added; it opposes the clean answer.`
      : `${start}: ${percentSize(share(effects.clean))}% of the total effect lost.`;
  }
  if (direction === "restore") {
    const start = `${what} in the corrupt run moves ${metric} from ${raw(y00)} to ${raw(y01)}`;
    if (near) return `${start}${near}.`;
    return share(effects.corrupt) < 0
      ? `${start}: ${percentSize(-share(effects.corrupt))}% of the total effect toward the clean answer.`
      : `${start}: ${percentSize(share(effects.corrupt))}% further from the clean answer.`;
  }
  return `${what} costs ${amount(effects.clean)} on clean and ${amount(effects.corrupt)} on corrupt: difference ${unit === "percent" ? `${percentText(share(effects.difference))}%` : raw(effects.difference)}.`;
}

// --- how sure ----------------------------------------------------------------------------------

function sureness({ reading, unit }: Words, direction: Direction): string[] {
  const out: string[] = [];
  if (reading.status === Status.ImpliedZero) {
    // A constant is not what either prompt has here, so equal prompts are no reason.
    const constant = reading.edit.kind === "zero" || reading.edit.kind === "mean";
    const equal = constant ? "" : "both prompts have the same value here, or ";
    out.push(
      `Zero by construction, so nothing was run: ${equal}nothing that is read comes after it.`,
    );
  }
  if (reading.n > 1) out.push(`Mean of ${count(reading.n, "pair")}${interval()}.`);
  if (reading.status === Status.Estimate) out.push("≈ estimate; click to run.");
  if (reading.stale) out.push("Out of date: run again.");
  return out;

  function interval(): string {
    const key = intervalKey(reading.edit.corners, direction);
    const ci = reading.ci?.[key];
    if (!ci) return "";
    if (unit === "raw") return `, CI ${raw(ci[0])} to ${raw(ci[1])}`;
    const te = reading.corners.y11 - reading.corners.y00;
    // A negative effect is told by its size ("27% added"), and so is its interval.
    const told = effect(direction, reading.edit.corners, reading.corners) / te;
    const turn = told < 0 && direction !== "difference" ? -1 : 1;
    const ends = ci.map((end) => (100 * turn * end) / te).sort((a, b) => a - b);
    return `, CI ${percentSize(ends[0] ?? Number.NaN)} to ${percentSize(ends[1] ?? Number.NaN)}`;
  }
}

function intervalKey(patch: boolean, direction: Direction): string {
  if (patch) return direction === "restore" ? "PIE" : direction === "break" ? "TIE" : "INT";
  return direction === "restore" ? "corrupt" : direction === "break" ? "clean" : "difference";
}
