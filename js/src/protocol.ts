// The widget protocol's types, as they are used here once decode.ts has checked a message.
import type { Corners, Direction } from "./estimands.ts";

export type { Direction };

export enum Status {
  NotRun = 0,
  Exact = 1,
  Estimate = 2,
  ImpliedZero = 3,
  Failed = 4,
  Impossible = 5,
}

export interface TokenInfo {
  text: string;
  role: string | null;
  /** Of a clean token: the place of its partner in the corrupt prompt, -1 where it has none; null: its own. */
  partner: number | null;
}
export interface TopToken {
  token: string;
  p: number;
}
export interface CheckInfo {
  name: string;
  ok: boolean | null;
  words: string;
}
export interface CellRef {
  panel: string;
  index: number;
  /** Of a selected site that no panel of this view shows (its panel is "site"). */
  label?: string;
  /** Of a selected site by itself, where no panel has them and it was run. */
  alone?: Pick<Corners, "y10" | "y01">;
}
export interface Cost {
  runs: number;
  passes: number;
  seconds: number;
}
export interface Panel {
  key: string;
  mediator: string;
  title: string;
  /** The labels of rows and of columns. */
  axes: string[][];
  rows: number;
  cols: number;
  y01: Float32Array;
  y10: Float32Array;
  status: Uint8Array;
  labels: string[];
  cost: Cost;
  /** Of a part: the pair whose numbers these are, -1 for the mean. */
  pair?: number;
  /** What a click sets its cells to, where that is not the view's edit. */
  edit?: EditInfo;
  /** Older than the view's where the numbers belong to prompts or edits that have changed since. */
  revision: number;
}
export interface EditInfo {
  /** "mixed": several edits at once; "source": one whose prompt is named and so has no corners. */
  kind: string;
  /** Whether it sets the site to its value on the other prompt: only then are there corners. */
  corners: boolean;
  /** What sites are set to, in words: "to zero". No two edits share them. */
  goal: string;
  /** Before the site's name where a part of it alone is set: "1 direction of "; else empty. */
  part: string;
}
export interface EditChoice {
  kind: string;
  label: string;
  why: string | null;
}
export interface Prompts {
  clean: TokenInfo[];
  corrupt: TokenInfo[];
  answer: string;
  wrong: string;
  cleanTop: TopToken[];
  corruptTop: TopToken[];
}
export interface View {
  revision: number;
  model: { name: string; facts: string };
  metric: { unit: string; label: string };
  edit: EditInfo;
  edits: EditChoice[];
  pairs: { n: number; index: number | null; name: string };
  prompts: Prompts;
  base: { y11: number; y00: number };
  checks: CheckInfo[];
  panels: Panel[];
}
export interface Result extends Corners {
  revision: number;
  cells: CellRef[];
  label: string;
  /** What the sites were set to: history may go back to another edit than the view's. */
  edit: EditInfo;
  status: Status;
  ci: Record<string, [number, number]> | null;
  n: number;
  top: { clean: TopToken[]; corrupt: TopToken[]; restored: TopToken[]; broken: TopToken[] };
  checks: CheckInfo[];
}
export interface History {
  index: number;
  n: number;
  undo: boolean;
  redo: boolean;
}
export interface RequestError {
  message: string;
  value: string;
  expected: string;
  fix: string;
}
export interface Progress {
  panels: string[];
  done: number;
  total: number;
  secondsLeft: number | null;
  state: "running" | "done" | "cancelled" | "failed";
}
export type Message =
  | { kind: "reply"; id: number; ok: boolean; error: RequestError | null; data: unknown }
  | { kind: "waiting"; said: string }
  | ({ kind: "progress" } & Progress);

/** What a widget's model offers here (the part of anywidget's that is used). */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  on(name: string, callback: (...args: never[]) => void): void;
}
