// What the designer of counterfactuals is sent, and the sentences it makes of it.
import { plain, word } from "./text.ts";

export const SIDES = ["base", "source"] as const;
export type Side = (typeof SIDES)[number];
/** What was said, and which texts say that; null where nothing was run. */
export type Cell = [said: string, as: number[]] | null;
export interface Rival {
  name: string;
  mark: string;
  predicted: string;
  /** Those that predict the same here. */
  alike: string[];
}
export interface Pair {
  tokens: Record<Side, string[]>;
  /** The hypotheses, and last that nothing changes. */
  rivals: Rival[];
  telling: boolean;
  kept: boolean;
  plain: string;
  other: string;
  says: Record<Side, Cell>;
  /** By layer, then token. */
  cells: Cell[][];
}
export interface Input {
  name: string;
  values: string[];
}
export interface State extends Record<Side, number[]> {
  seq: number;
  inputs: Input[];
  at: number | null;
  n: number;
  kept: number;
  error: string;
  layers: string[];
  pair: Pair | null;
}

/** A site as people read it: its token, numbered where it occurs twice. */
export function siteName(state: State, layer: number, position: number): string {
  const tokens = state.pair?.tokens.base ?? [];
  const text = word(tokens[position] ?? "");
  const twice = tokens.filter((one) => word(one) === text).length > 1;
  return `${state.layers[layer]} @ ${twice ? `${text}(${position})` : text}`;
}

/** The letter of a cell: of the first hypothesis that predicts it, "?" for what none does. */
export function markOf(pair: Pair, cell: Cell): string {
  if (!cell) return "";
  const first = cell[1][0];
  return first === undefined ? "?" : (pair.rivals[first]?.mark ?? "?");
}

const named = (pair: Pair, as: number[]) =>
  as.map((i) => `${pair.rivals[i]?.mark} ${plain(pair.rivals[i]?.name ?? "")}`).join(" and ");

/** What an interchange came to, in one sentence. */
export function outcome(state: State, layer: number, position: number): string {
  const pair = state.pair;
  if (!pair) return "";
  const site = siteName(state, layer, position);
  const cell = pair.cells[layer]?.[position];
  if (!cell) return `${site} was not run. Click or Enter runs the interchange there.`;
  const [said, as] = cell;
  const start = `${site} set to its value on the counterfactual: the model says ${plain(said)}`;
  if (!as.length)
    return word(said) === word(pair.other)
      ? `${start}, as it does on the counterfactual; no hypothesis predicts that.`
      : `${start}; no hypothesis predicts that.`;
  const both = as.length > 1 ? ": this pair cannot tell them apart" : "";
  return `${start}, as ${named(pair, as)} predict${as.length > 1 ? "" : "s"}${both}.`;
}

/** Whether the pair is of use, in words. */
export function verdict(pair: Pair): string {
  if (pair.telling) return "Every hypothesis predicts another output.";
  const seen = new Set<string>();
  const said: string[] = [];
  for (const one of pair.rivals)
    for (const other of one.alike) {
      const key = [one.name, other].sort().join("\n");
      if (!seen.has(key)) said.push(`${plain(one.name)} and ${plain(other)}`);
      seen.add(key);
    }
  return `Cannot tell apart: ${said.join("; ")}.`;
}

/** What the model says of a prompt by itself, against what it should. */
export function alone(cell: Cell, wanted: string): string {
  if (!cell) return `should say ${plain(wanted)}; not run`;
  return cell[1].length
    ? `says ${plain(cell[0])} ✓`
    : `says ${plain(cell[0])}, not ${plain(wanted)} ✗`;
}
