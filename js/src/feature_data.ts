// The features of a site as Python sends them, and what setting one comes to in words.
import { editInfo, Reader } from "./decode.ts";
import { percentText, raw, short } from "./numbers.ts";
import { type EditInfo, Status, type View } from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { roundUp, shown, shownValue, unitFor } from "./scale.ts";
import { sentence } from "./sentences.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";

export type Way = "patch" | "zero" | "steer";
export const WAYS: Readonly<Record<Way, string>> = {
  patch: "Patch",
  zero: "Ablate",
  steer: "Steer",
};
export type Order = "activation" | "effect";
export const ORDERS: Readonly<Record<Order, string>> = {
  activation: "by code",
  effect: "by effect",
};

/** A place where a feature fires, and how much. */
export interface Top {
  before: string;
  token: string;
  after: string;
  code: number;
}
export interface Features {
  name: string;
  site: string;
  n: number;
  /** "all", then the tokens. */
  columns: string[];
  /** A name per cell, row by row. */
  names: string[];
  rows: { label: string; tops: Top[] }[];
  /** Codes (row, token) on either prompt; NaN of the error, which has none. */
  clean: Float32Array;
  corrupt: Float32Array;
  y01: Float32Array;
  y10: Float32Array;
  status: Uint8Array;
  way: Way;
  amount: number;
  by: Order;
  edit: EditInfo;
  revision: number;
  pair: number;
}

/** The `features` trait. */
export function decodeFeatures(value: unknown): Features {
  const from = new Reader(value, "features");
  const columns = from.values<string>("columns", "string");
  const rows = from.list("rows", (row) => ({
    label: row.text("label"),
    tops: row.list("tops", (top) => ({
      before: top.text("before"),
      token: top.text("token"),
      after: top.text("after"),
      code: top.number("code"),
    })),
  }));
  const [codes, cells] = [rows.length * (columns.length - 1), rows.length * columns.length];
  const names = from.values<string>("labels", "string");
  if (names.length !== cells) from.fail("labels", `${cells} names`);
  const [way, by] = [from.text("way"), from.text("by")];
  if (!(way in WAYS)) from.fail("way", "a way to set features");
  return {
    name: plain(from.text("name"), 120),
    site: from.text("site"),
    n: from.count("n_features"),
    columns,
    names,
    rows,
    clean: from.floats("clean", codes),
    corrupt: from.floats("corrupt", codes),
    y01: from.floats("y01", cells),
    y10: from.floats("y10", cells),
    status: from.bytes("status", cells),
    way: way as Way,
    amount: from.number("amount"),
    by: by === "effect" ? by : "activation",
    edit: editInfo(from),
    revision: from.number("revision"),
    pair: from.number("pair"),
  };
}

/** What a cell came to, as the sentence reads it. */
export function readingOf(view: View, grid: Features, index: number): Reading {
  return {
    kind: "cell",
    cells: [],
    label: grid.names[index] ?? "",
    corners: {
      ...view.base,
      y01: grid.y01[index] ?? Number.NaN,
      y10: grid.y10[index] ?? Number.NaN,
    },
    edit: grid.edit,
    status: grid.status[index] ?? 0,
    n: view.pairs.index === null ? view.pairs.n : 1,
    ci: null,
    stale: grid.revision < view.revision,
  };
}

/** What a cell shows in a direction, in percent points or in the metric's unit. */
export function valueAt(store: Store, view: View, grid: Features, index: number): number {
  const { corners } = readingOf(view, grid, index);
  return shownValue(store.direction, grid.edit, unitFor(view, store.wanted), corners);
}

/** The largest size that any cell shows, rounded up. */
export function featureScale(store: Store, view: View, grid: Features): number {
  let most = 0;
  grid.status.forEach((status, index) => {
    const value = Math.abs(valueAt(store, view, grid, index));
    if (shown(status) && status !== Status.ImpliedZero && value > most) most = value;
  });
  return roundUp(most);
}

/** A cell's two codes in words. */
function codeWords(grid: Features, index: number): string {
  const cols = grid.columns.length;
  const [row, col] = [Math.floor(index / cols), index % cols];
  const at = row * (cols - 1) + col - 1;
  const [clean, corrupt] = [grid.clean[at], grid.corrupt[at]];
  if (col === 0 || clean === undefined || corrupt === undefined || Number.isNaN(clean)) return "";
  const code = (value: number) => (value === 0 ? "0" : raw(value).replace("+", ""));
  return clean === 0 && corrupt === 0
    ? "Active on neither prompt."
    : `Code ${code(clean)} on clean, ${code(corrupt)} on corrupt.`;
}

/** What a cell says where it is pointed at: its codes, and what setting it comes to. */
export function cellWords(store: Store, view: View, grid: Features, index: number): string {
  const name = plain(grid.names[index] ?? "", 120);
  const codes = codeWords(grid, index);
  const status = grid.status[index];
  if (status === Status.ImpliedZero && codes.startsWith("Active on neither"))
    return `${name}: active on neither prompt, so its code is 0 and stays 0. Nothing was run.`;
  const said = sentence(view, store.direction, readingOf(view, grid, index));
  return `${codes} ${said}`.trim();
}

/** A cell's name for those who hear it: its label first. */
export function nameOf(store: Store, view: View, grid: Features, index: number): string {
  const name = plain(grid.names[index] ?? "", 120);
  const words = cellWords(store, view, grid, index);
  return words.startsWith(`${name}:`) ? words : `${name}: ${words}`;
}

/** A value as it stands in a cell: whole percent points, or in the metric's unit. */
export function cellText(store: Store, view: View, value: number): string {
  if (unitFor(view, store.wanted) !== "percent") return short(value);
  return percentText(Math.abs(value) < 0.5 ? 0 : value);
}
