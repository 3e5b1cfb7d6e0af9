// What the diagram says: of a run, of the paths, of what to do where nothing is selected.
import type { Corners } from "./estimands.ts";
import { percentText, raw } from "./numbers.ts";
import type { EditInfo } from "./protocol.ts";
import {
  CONSTANT_FORMULAS,
  type CornerKey,
  enters,
  FORMULAS,
  type Formula,
  quantities,
} from "./splits.ts";
import { plain } from "./text.ts";

const LONG = 160;
export const MINUS = "\u2212";

/** What a picture of paths is drawn from. */
export interface Scene {
  /** The metric's name and unit. */
  metric: string;
  unit: string;
  /** The mediator's label; empty where nothing is selected. */
  label: string;
  edit: EditInfo;
  /** Whether both prompts got one and the same value: only then is there a CDE. */
  constant: boolean;
  /** NaN where there is no number. */
  corners: Corners;
  /** Percent of the total effect can be shown. */
  shares: boolean;
}

/** The total effect alone is known. */
export const known = (scene: Scene): boolean => Number.isFinite(scene.corners.y10);

/** A run's name in formulas: Y10; under other edits Y(clean, do). */
export function runName(key: CornerKey, patch: boolean): string {
  if (patch) return key.toUpperCase();
  return { y11: "Y(clean)", y00: "Y(corrupt)", y10: "Y(clean, do)", y01: "Y(corrupt, do)" }[key];
}

/** The three or four words of a run: "clean input, corrupt mediator". */
export function runWords(key: CornerKey, edit: EditInfo): string {
  const input = key === "y11" || key === "y10" ? "clean" : "corrupt";
  if (edit.corners) return `${input} input, ${mediator(key)} mediator`;
  return key === "y11" || key === "y00"
    ? `${input} input, mediator as it is`
    : `${input} input, mediator set`;
}

/** From which prompt the mediator's value comes. */
export function mediator(key: CornerKey): "clean" | "corrupt" {
  return key === "y11" || key === "y01" ? "clean" : "corrupt";
}

/** What a run was and which differences it enters. */
export function runSentence(key: CornerKey, scene: Scene): string {
  const { edit, corners } = scene;
  const label = plain(scene.label || "the mediator", LONG);
  const base = key === "y11" || key === "y10" ? "clean" : "corrupt";
  const name = runName(key, edit.corners);
  const value = Number.isFinite(corners[key])
    ? `${plain(scene.metric, LONG)} was ${raw(corners[key])}`
    : "it has not been run";
  const did =
    key === "y11" || key === "y00"
      ? `the ${base} prompt, nothing changed`
      : edit.corners
        ? `the ${base} prompt, with ${label} set to its value on the ${mediator(key)} prompt (${key === "y01" ? "restoring" : "breaking"})`
        : `the ${base} prompt, with ${label} set ${plain(edit.goal, LONG)}`;
  const names = enters(key, edit.corners).filter((one) => one !== "CDE" || scene.constant);
  return `${name}: ${did}; ${value}. It enters ${list(names)}.`;
}

function list(names: string[]): string {
  const last = names.at(-1) ?? "";
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${last}` : last;
}

/** "Y01 − Y00", in the runs' names. */
export function formulaText(name: string, scene: Scene): string {
  const formulas: Record<string, Formula> = scene.edit.corners ? FORMULAS : CONSTANT_FORMULAS;
  return (formulas[name] ?? [])
    .map(([sign, key], i) => {
      const mark = sign < 0 ? ` ${MINUS} ` : i > 0 ? " + " : "";
      return mark + runName(key, scene.edit.corners);
    })
    .join("");
}

/** What a quantity is, in words for those who do not know its letters. */
const MEANING: Record<string, string> = {
  TE: "all of it: clean minus corrupt",
  PDE: "past the mediator, which stays corrupt",
  TDE: "past the mediator, which stays clean",
  PIE: "restore: through it, the rest corrupt",
  TIE: "break: through it, the rest clean",
  INT: "only together: mediator and rest",
  "On clean": "what setting it costs on clean",
  "On corrupt": "what setting it costs on corrupt",
  CDE: "what is left, set alike in both",
};

/** What a quantity is, in words for those who do not know its letters. */
export function meaning(name: string, scene: Scene): string {
  if (name === "CDE" && !scene.constant) return "what is left of the total effect";
  return MEANING[name] ?? "";
}

/** Name of what is left when the mediator is set: a controlled direct effect only where the value
 * is the same for both prompts. */
const leftName = (scene: Scene): string => (scene.constant ? "CDE" : "left");

export function shownName(name: string, scene: Scene): string {
  return name === "CDE" ? leftName(scene) : name;
}

const ROUNDING = 1e-5;

/** Whether a difference of runs is no more than their rounding. */
export function isNothing(value: number, { corners: { y11, y00 } }: Scene): boolean {
  return Math.abs(value) < ROUNDING * Math.max(1, Math.abs(y11), Math.abs(y00));
}

/** "+6.4" and, where there is a total to divide by, its share: "40%". */
export function amount(exact: number, scene: Scene): { value: string; share: string } {
  const value = isNothing(exact, scene) ? 0 : exact;
  const te = scene.corners.y11 - scene.corners.y00;
  return {
    value: raw(value),
    share:
      scene.shares && Number.isFinite(value)
        ? `${percentText((100 * value) / te).replace("+", "")}%`
        : "",
  };
}

export function amountText(value: number, scene: Scene): string {
  const { value: number, share } = amount(value, scene);
  return share ? `${number} (${share})` : number;
}

/** What stands where nothing is selected. */
export const NOTHING =
  "Only the total effect is known. Click a head in a linked view, or run study.intervene(site): " +
  "then the paths through it and past it get their numbers.";

/** Why there are no TIE, PIE and INT, where there are none. */
export function noCorners(scene: Scene): string {
  const goal = plain(scene.edit.goal, LONG);
  const left = scene.constant
    ? "and CDE is the total effect that is left with the mediator held there"
    : "and what is left of the total effect is no CDE, for the two runs did not get one value";
  return `The mediator was set ${goal}, not to the other prompt's value, so TIE, PIE and INT do not exist. On clean and On corrupt are what it costs each run, ${left}.`;
}

/** The picture in words, for those who do not see it. */
export function pictureWords(scene: Scene, names: readonly string[]): string {
  const all = quantities(scene.corners, scene.edit.corners);
  const told = names.map(
    (name) => `${shownName(name, scene)} ${amountText(all[name] ?? Number.NaN, scene)}`,
  );
  const label = plain(scene.label || "no mediator", LONG);
  return `Paths from the prompt to the metric, through ${label} and past it: ${told.join(", ")}.`;
}
