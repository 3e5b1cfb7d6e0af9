// A game of sites as Python sends it, and what a pair of its players does in words.
import { Reader } from "./decode.ts";
import { raw } from "./numbers.ts";
import { roundUp } from "./scale.ts";
import { plain } from "./text.ts";

const LONG = 80;

export type Verb = "restore" | "break";
export const VERBS: readonly Verb[] = ["restore", "break"];

/** One direction: worths of players alone and of pairs together, and the interval of INT. */
export interface Side {
  title: string;
  /** The metric with nothing set. */
  base: number;
  alone: Float32Array;
  joint: Float32Array;
  low: Float32Array;
  high: Float32Array;
}
export interface Game {
  labels: string[];
  unit: string;
  frozen: boolean;
  /** Whether sites are set to their value on the other prompt; else the goal in words. */
  patch: boolean;
  goal: string;
  n: number;
  stale: boolean;
  sides: Record<Verb, Side>;
}

/** The `game` trait. */
export function decodeGame(value: unknown): Game {
  const from = new Reader(value, "game");
  const labels = from.values<string>("labels", "string");
  const sides = from.at("sides");
  const edit = from.at("edit");
  return {
    labels,
    unit: plain(from.text("unit"), LONG),
    frozen: from.text("game") === "frozen",
    patch: edit.flag("corners"),
    goal: edit.text("goal"),
    n: from.count("n"),
    stale: from.flag("stale"),
    sides: {
      restore: side(sides.at("restore"), labels.length),
      break: side(sides.at("break"), labels.length),
    },
  };
}

function side(from: Reader, n: number): Side {
  return {
    title: plain(from.text("title"), 300),
    base: from.number("base"),
    alone: from.floats("alone", n),
    joint: from.floats("joint", n * n),
    low: from.floats("low", n * n),
    high: from.floats("high", n * n),
  };
}

/** Two players: each alone, together, and together minus the sum. Worths, in the metric's unit. */
export interface Pair {
  a: number;
  b: number;
  sum: number;
  joint: number;
  int: number;
  ci: [number, number] | null;
}

export function pairOf(game: Game, verb: Verb, i: number, j: number): Pair {
  const s = game.sides[verb];
  const at = i * game.labels.length + j;
  const [a, b, joint] = [s.alone[i], s.alone[j], s.joint[at]].map((x) => x ?? Number.NaN) as [
    number,
    number,
    number,
  ];
  const [low, high] = [s.low[at] ?? Number.NaN, s.high[at] ?? Number.NaN];
  const ci: [number, number] | null = Number.isFinite(low) ? [low, high] : null;
  return { a, b, sum: a + b, joint, int: joint - a - b, ci };
}

/** The metric where a set worth `worth` is set: restoring adds to it, breaking takes away. */
export const metricAt = (game: Game, verb: Verb, worth: number): number =>
  game.sides[verb].base + (verb === "restore" ? worth : -worth);

/** The metric of both prompts as the game had it; the study's may be another by now. */
export const basesOf = ({ sides }: Game): { y11: number; y00: number } => ({
  y11: sides.break.base,
  y00: sides.restore.base,
});

/** One scale for both directions, so that a colour means one size. */
export function gameScale(game: Game): number {
  let largest = 0;
  const n = game.labels.length;
  for (const verb of VERBS)
    for (let i = 0; i < n; i++)
      for (let j = i + 1; j < n; j++) {
        const { int } = pairOf(game, verb, i, j);
        if (Number.isFinite(int)) largest = Math.max(largest, Math.abs(int));
      }
  return roundUp(largest);
}

// --- words -----------------------------------------------------------------------------------

const HALF = 0.5;
const TENTH = 0.1;

/** "L3H1 + L3H0", or one player's label. */
export function pairLabel(game: Game, i: number, j: number): string {
  const name = (at: number) => plain(game.labels[at] ?? "", LONG);
  return i === j ? name(i) : `${name(i)} + ${name(j)}`;
}

/** What a pair does. `toward` is +1 where the clean run's metric is the higher one. */
export function pairSentence(game: Game, verb: Verb, i: number, j: number, toward: 1 | -1): string {
  const name = (at: number) => plain(game.labels[at] ?? "", LONG);
  const { did, gains } = words(game, verb);
  const held = game.frozen ? ", the other players held," : "";
  const set = game.patch ? "" : ` ${plain(game.goal, LONG)}`;
  const pair = pairOf(game, verb, i, j);
  if (i === j) return `${did} ${name(i)}${set}${held} alone ${gains} ${raw(pair.a)} ${game.unit}.`;
  if (!Number.isFinite(pair.int)) return `${pairLabel(game, i, j)} was not run together.`;
  const start = `${did} ${name(i)} and ${name(j)}${set}${held} together ${gains} ${raw(pair.joint)} ${game.unit}, alone ${raw(pair.a)} and ${raw(pair.b)}: together minus the sum is ${raw(pair.int)}`;
  return `${start}${interval(pair)}.${game.patch ? kind(pair, verb, toward) : ""}`;
}

function words(game: Game, verb: Verb): { did: string; gains: string } {
  if (!game.patch)
    return { did: "Setting", gains: verb === "restore" ? "moves corrupt by" : "costs clean" };
  return verb === "restore"
    ? { did: "Restoring", gains: "gains" }
    : { did: "Breaking", gains: "costs" };
}

function interval(pair: Pair): string {
  if (!pair.ci) return "";
  const zero = pair.ci[0] <= 0 && pair.ci[1] >= 0 ? ", which includes 0" : "";
  return `, CI ${raw(pair.ci[0])} to ${raw(pair.ci[1])}${zero}`;
}

/** Which gate the pair looks like, where INT is over half the larger of the two worths. */
function kind(pair: Pair, verb: Verb, toward: 1 | -1): string {
  const [a, b, joint] = [pair.a, pair.b, pair.joint].map((x) => x * toward) as [
    number,
    number,
    number,
  ];
  const larger = Math.max(Math.abs(a), Math.abs(b), Math.abs(joint));
  if (!(Math.abs(pair.int) > HALF * Math.max(Math.abs(a), Math.abs(b)))) return "";
  // Where one of them opposes the answer, neither gate is what they are.
  if (Math.min(a, b, joint) < -TENTH * larger) return "";
  const more = pair.int * toward > 0;
  return more === (verb === "restore")
    ? " They need each other (AND-like)."
    : " Each can stand in for the other (OR-like).";
}
