// The cells of a page without a kernel: which site each is, and what a click on one would answer.

export type Fields = Record<string, unknown>;

export interface Cell {
  /** None where the view has one grid, which is of features. */
  panel?: string;
  index: number;
  label?: string;
}
export interface Edit extends Fields {
  kind: string;
  goal: string;
}
export interface Panel {
  key: string;
  axes: { labels: string[] }[];
  labels?: string[];
  edges_of?: string;
  y01: DataView;
  y10: DataView;
  status: DataView;
  edit?: Edit;
  /** Of features: how a click sets them. */
  way?: string;
}
/** The fields of the `view` trait that are read here. */
export interface Shown {
  revision: number;
  edit: Edit;
  base: { y11: number; y00: number };
  pairs: { n: number; index: number | null };
  prompts: { clean_top: unknown[]; corrupt_top: unknown[] };
  checks: unknown[];
  panels: Panel[];
}
/** An entry of the history: its sites, and what each view (by its place) draws of it. */
export interface Entry {
  sites: string[];
  told: Record<string, Fields>;
}

/** The key of a grid of features (widgets/_features.py) among the panels of its view. */
export const FEATURES = "features";
const [EXACT, ZERO] = [1, 3];

/** Whether a cell of a panel was run, so that a click on it has an answer. */
export function computed({ status }: Panel, index: number): boolean {
  const code = status.getUint8(index);
  return code >= EXACT && code <= ZERO;
}

/** One computed cell, as a view draws it that shows the same pairs. */
export function single(
  view: Shown,
  own: Panel[],
  name: string,
  index: number,
  { key, y01, y10, status, edit }: Panel,
): Fields {
  const here = own.find((panel) => panel.key === key && labels(panel)[index] === name);
  const other = own.find((panel) => panel.key !== FEATURES && labels(panel).includes(name));
  const feature = here?.key === FEATURES ? { feature: index, way: here.way } : { feature: null };
  const cell =
    here && here.key !== FEATURES
      ? { panel: key, index }
      : other
        ? { panel: other.key, index: labels(other).indexOf(name) }
        : { panel: "site", index: 0 };
  const { n, index: pair } = view.pairs;
  const { clean_top: clean, corrupt_top: corrupt } = view.prompts;
  return {
    revision: view.revision,
    cells: [{ ...cell, label: name }], // the page looks whether it still stands there
    label: name,
    edit: edit ?? view.edit,
    ...view.base,
    y10: y10.getFloat32(4 * index, true),
    y01: y01.getFloat32(4 * index, true),
    status: status.getUint8(index),
    ci: null,
    n: pair === null ? n : 1,
    top: { clean, corrupt, restored: [], broken: [] },
    checks: view.checks,
    constant: (edit ?? view.edit).kind === "zero",
    held: "",
    players: [],
    ...feature,
  };
}

/** The panels of a view, those of its parts, and its features. */
export function panels(state: Fields): Panel[] {
  const parts = Object.values(state).map((value) => (value as { panel?: Panel } | null)?.panel);
  const grid = state.features as (Panel & { labels?: string[] }) | undefined;
  const features = grid?.labels ? [{ ...grid, key: FEATURES, axes: [] }] : [];
  const own = (state.view as Shown | undefined)?.panels ?? [];
  return [...own, ...parts.filter((p) => !!p), ...features];
}

export function labels({ labels: given, edges_of: head, axes }: Panel): string[] {
  if (!head) return given ?? [];
  const [queries, keys] = axes.map((axis) => axis.labels);
  return (queries ?? []).flatMap((q) => (keys ?? []).map((k) => `${head} @ ${q} \u2190 ${k}`));
}
