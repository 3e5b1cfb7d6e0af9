// What a question's card holds, as Python writes it (mediawidget/teach/card.py), and how it is said.
import { plain } from "./text.ts";

export type Kind = "choice" | "number" | "pick" | "text" | "do";
export type Stage = "open" | "committed" | "revealed" | "failed";
/** An option's place, a number, labels of cells, a sentence, or that something was done. */
export type Guess = number | string | string[] | true;

export interface Step {
  id: string;
  title: string;
  status: Stage;
  /** Null where it is not known yet, or never. */
  right: boolean | null;
}
export interface Lesson {
  title: string;
  at: number;
  steps: Step[];
  /** How many questions of the lesson have a guess, and how many there are. */
  given: number;
  questions: number;
  seq: number;
  feedback: boolean;
  notice: string;
  card: Card | null;
}
export interface Tried {
  label: string;
  sentence: string;
  corners: Record<"y11" | "y10" | "y01" | "y00", number>;
  unit: string;
  /** What a constant sets the cells to; empty where it is their value on the other prompt. */
  goal: string;
}
export interface Truth {
  right: boolean | null;
  words: string;
  after: string[];
  /** Shares of the total effect, 1 is all of it; NaN where a cell was not run. */
  cells: number[][];
  best: string[];
  option: number;
  value: number;
  /** How far a number may be off; NaN: not told. */
  within: number;
}
export interface Card {
  id: string;
  kind: Kind;
  prompt: string[];
  status: Stage;
  guess: Guess | null;
  hints: string[];
  hintsLeft: number;
  options: string[];
  unit: string;
  least: number;
  rows: string[];
  cols: string[];
  labels: string[][];
  several: number;
  /** What the shares are of: "PIE", "TIE", "INT", or an effect on one base. */
  estimand: string;
  tried: Tried | null;
  truth: Truth | null;
  error: string;
}

// Names are given as texts: build.mjs shortens properties that no message has.
const get = (from: unknown, name: string) => (from as Record<string, unknown> | null)?.[name];
const list = (from: unknown, name: string) => {
  const value = get(from, name);
  return Array.isArray(value) ? value : [];
};
const text = (from: unknown, name: string) => String(get(from, name) ?? "");
const texts = (from: unknown, name: string) => list(from, name).map(String);
const numeric = (value: unknown) => (typeof value === "number" ? value : Number.NaN);
const number = (from: unknown, name: string) => numeric(get(from, name));
const verdict = (from: unknown, name: string) => {
  const value = get(from, name);
  return typeof value === "boolean" ? value : null;
};

/** The trait, with every field that is missing left empty. */
export function lessonOf(state: unknown): Lesson {
  const card = get(state, "card");
  return {
    title: text(state, "title"),
    at: number(state, "at") || 0,
    steps: list(state, "steps").map((step) => ({
      id: text(step, "id"),
      title: text(step, "title"),
      status: text(step, "status") as Stage,
      right: verdict(step, "right"),
    })),
    given: number(state, "answered") || 0,
    questions: number(state, "questions") || 0,
    seq: number(state, "seq") || 0,
    feedback: get(state, "feedback") !== false,
    notice: text(state, "notice"),
    card: card ? cardOf(card) : null,
  };
}

function cardOf(card: unknown): Card {
  const [grid, hints] = [get(card, "grid"), get(card, "hints")];
  const [tried, truth] = [get(card, "tried"), get(card, "truth")];
  return {
    id: text(card, "id"),
    kind: text(card, "kind") as Kind,
    prompt: texts(card, "prompt"),
    status: text(card, "status") as Stage,
    guess: (get(card, "guess") ?? null) as Guess | null,
    hints: texts(hints, "shown"),
    hintsLeft: number(hints, "left") || 0,
    options: texts(card, "options"),
    unit: text(card, "unit"),
    least: number(card, "least") || 0,
    rows: texts(grid, "rows"),
    cols: texts(grid, "cols"),
    labels: list(grid, "labels").map((row) => (row as unknown[]).map(String)),
    several: number(grid, "several") || 1,
    estimand: text(grid, "estimand"),
    tried: tried ? triedOf(tried) : null,
    truth: truth ? truthOf(truth) : null,
    error: text(card, "error"),
  };
}

function triedOf(tried: unknown): Tried {
  const corners = get(tried, "corners");
  const at = (name: string) => number(corners, name);
  return {
    label: text(tried, "label"),
    sentence: text(tried, "sentence"),
    corners: { y11: at("y11"), y10: at("y10"), y01: at("y01"), y00: at("y00") },
    unit: text(tried, "unit"),
    goal: text(tried, "goal"),
  };
}

function truthOf(truth: unknown): Truth {
  return {
    right: verdict(truth, "right"),
    words: text(truth, "words"),
    after: texts(truth, "after"),
    cells: list(truth, "cells").map((row) => (row as unknown[]).map(numeric)),
    best: texts(truth, "best"),
    option: number(truth, "option"),
    value: number(truth, "value"),
    within: number(truth, "within"),
  };
}

// --- words -----------------------------------------------------------------------------------------

const MINUS = "\u2212";
const LONGEST = 4000;

/** Several lines of text, each as text. */
export const lines = (words: string) =>
  words
    .split("\n")
    .map((line) => plain(line, LONGEST))
    .join("\n");

/** A number in its unit, to three digits unless `all` of them were typed by somebody. */
export function inUnit(value: number, unit: string, all = false): string {
  if (!Number.isFinite(value)) return "–";
  const kept = all
    ? value
    : Math.abs(value) < 100
      ? Number(value.toPrecision(3))
      : Math.round(value);
  const gap = unit === "" || unit === "%" ? "" : "\u00a0";
  return String(kept).replace("-", MINUS) + gap + plain(unit, 40);
}

/** A typed number: with a real minus, a comma for the point, and the unit where people write it. */
export function numberOf(typed: string, unit: string): number | null {
  let bare = typed.trim().replace(/[\u2212\u2013]/g, "-");
  if (unit && bare.endsWith(unit)) bare = bare.slice(0, -unit.length).trim();
  if (!bare.includes(".")) bare = bare.replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(bare) ? Number(bare) : null;
}

/** Names in a row: "a", "a and b", "a, b and c". */
export function together(names: readonly string[]): string {
  const told = names.map((name) => plain(name, 60));
  return told.length < 2 ? told.join("") : `${told.slice(0, -1).join(", ")} and ${told.at(-1)}`;
}

/** A text within a sentence, without the point at its end. */
const quoted = (words: string) => `“${plain(words.replace(/\.$/, ""), 200)}”`;

/** What was guessed, as a sentence has it. */
export function guessed({ kind, guess, options, unit }: Card): string {
  if (guess === null) return "";
  if (kind === "choice") return quoted(options[guess as number] ?? "");
  if (kind === "number") return inUnit(guess as number, unit, true);
  if (kind === "pick") return together(guess as string[]);
  return kind === "text" ? lines(guess as string) : "";
}

/** Longer options are marked where they stand, and not said again. */
const SHORT = 48;

/** Guess and model side by side; empty where nobody says what is right. */
export function compared(card: Card): string {
  const { truth, kind, options, unit } = card;
  if (!truth || truth.right === null) return truth ? lines(truth.words) : "";
  const { right, option, value, best } = truth;
  if (kind === "choice") {
    if (right) return "As you predicted.";
    const model = options[option] ?? truth.words;
    return Math.max(model.length, guessed(card).length) > SHORT
      ? "Not as you predicted: the model's answer is marked."
      : `You predicted ${guessed(card)}, the model says ${quoted(model)}.`;
  }
  const said = kind === "number" ? inUnit(value, unit) : lines(truth.words) || together(best);
  return right
    ? `As you predicted${kind === "number" ? `: you said ${guessed(card)}, the model` : "."} ${said}.`
    : `You predicted ${guessed(card)}, the model says ${said}.`;
}

/** A question's state in the lesson. */
export function stepWords({ status, right }: Step): string {
  if (status === "revealed" && right !== null) return right ? "as predicted" : "not as predicted";
  return { open: "not answered", committed: "answered", revealed: "done", failed: "answered" }[
    status
  ];
}
