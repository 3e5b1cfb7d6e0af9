// A causal trace as Python sends it, and what a cell of it says in words.
import { Reader } from "./decode.ts";
import { normalizable, towardClean } from "./estimands.ts";
import { count, percentSize, raw } from "./numbers.ts";
import { roundUp } from "./scale.ts";
import { plain } from "./text.ts";

export interface Kind {
  kind: string;
  title: string;
  window: number;
  layers: string[];
  /** A site's label without its token, by layer. */
  names: string[];
  /** First and last layer that a cell of a layer restores. */
  spans: [number, number][];
  /** The restored metric, its effect's interval and each draw's effect: (layer, position). */
  restored: Float32Array;
  low: Float32Array;
  high: Float32Array;
  dots: Float32Array[];
}
export interface Trace {
  title: string;
  metric: string;
  unit: string;
  clean: number;
  corrupted: number;
  tokens: string[];
  subject: ReadonlySet<number>;
  pairs: number;
  draws: number;
  kinds: Kind[];
}

/** The `trace` trait. */
export function decodeTrace(value: unknown): Trace {
  const from = new Reader(value, "trace");
  const tokens = from.values<string>("tokens", "string");
  return {
    title: from.text("title"),
    metric: from.text("metric"),
    unit: from.text("unit"),
    clean: from.number("clean"),
    corrupted: from.number("corrupted"),
    tokens,
    subject: new Set(from.values<number>("subject", "number")),
    pairs: from.count("pairs"),
    draws: from.count("draws"),
    kinds: from.list("kinds", (item) => decodeKind(item, tokens.length)),
  };
}

function decodeKind(from: Reader, n: number): Kind {
  const layers = from.values<string>("layers", "string");
  const cells = layers.length * n;
  const spans = from.raw("spans") as [number, number][];
  if (!Array.isArray(spans) || spans.length !== layers.length)
    from.fail("spans", "two layers for every layer");
  const dots = from.floats("dots", from.count("n_dots") * cells);
  return {
    kind: from.text("kind"),
    title: from.text("title"),
    window: from.count("window"),
    layers,
    names: from.values<string>("names", "string"),
    spans,
    restored: from.floats("restored", cells),
    low: from.floats("low", cells),
    high: from.floats("high", cells),
    dots: Array.from({ length: from.count("n_dots") }, (_, i) =>
      dots.subarray(i * cells, (i + 1) * cells),
    ),
  };
}

/** One cell: the restored metric, its effect, and its place in the grids' numbers. */
export interface Cell {
  at: number;
  restored: number;
  effect: number;
}

export function cellOf(trace: Trace, kind: Kind, layer: number, token: number): Cell {
  const at = layer * trace.tokens.length + token;
  const restored = kind.restored[at] ?? Number.NaN;
  return { at, restored, effect: restored - trace.corrupted };
}

export const toward = (trace: Trace): 1 | -1 => towardClean(trace.clean, trace.corrupted);

/** One scale for all kinds, so that a colour means one size. */
export function traceScale(trace: Trace): number {
  let largest = 0;
  for (const { restored } of trace.kinds)
    for (const value of restored) {
      const size = Math.abs(value - trace.corrupted);
      if (size > largest) largest = size;
    }
  return roundUp(largest);
}

/** Every draw's (or pair's) effect in a cell. */
export function dotsOf(kind: Kind, { at }: Cell): number[] {
  return kind.dots.map((dots) => dots[at] ?? Number.NaN).filter(Number.isFinite);
}

// --- words -----------------------------------------------------------------------------------

const LONG = 60;

/** A cell's label: "mlp3 @ store". */
export function cellLabel(trace: Trace, kind: Kind, layer: number, token: number): string {
  return `${kind.names[layer] ?? ""} @ ${plain(trace.tokens[token] ?? "", LONG).trim()}`;
}

/** What restoring a cell did. */
export function cellSentence(trace: Trace, kind: Kind, layer: number, token: number): string {
  const cell = cellOf(trace, kind, layer, token);
  const where = `'${plain(trace.tokens[token] ?? "", LONG).trim()}'${trace.subject.has(token) ? " (subject)" : ""}`;
  const what = `${states(kind, layer)} at ${where}`;
  if (!Number.isFinite(cell.restored)) return `${what} was not run.`;
  const start = `Restoring ${what} moves ${plain(trace.metric, LONG)} from ${raw(trace.corrupted)} to ${raw(cell.restored)}`;
  return [`${start}: ${share(trace, cell)}.`, ...sureness(trace, kind, cell)].join(" ");
}

/** "the MLP output of layers 2 to 4"; the state entering a layer, or leaving the last. */
function states(kind: Kind, layer: number): string {
  const [first, last] = kind.spans[layer] ?? [layer, layer];
  const name = (at: number) => kind.layers[at] ?? String(at);
  if (kind.kind.startsWith("residual") && first === last)
    return name(first) === "out" ? "the last state" : `the state entering layer ${name(first)}`;
  const noun = { mlp_out: "MLP output", attn_out: "attention output" }[kind.kind] ?? kind.kind;
  return first === last
    ? `the ${noun} of layer ${name(first)}`
    : `the ${noun}s of layers ${name(first)} to ${name(last)} together`;
}

function share(trace: Trace, cell: Cell): string {
  const { clean, corrupted, unit } = trace;
  if (!normalizable(clean, corrupted)) return `${raw(cell.effect)} ${unit}`;
  const part = (100 * cell.effect) / (clean - corrupted);
  return part < 0
    ? `${percentSize(-part)}% further from the clean run`
    : `${percentSize(part)}% of what the corruption took away`;
}

function sureness(trace: Trace, kind: Kind, cell: Cell): string[] {
  const out: string[] = [];
  const [low, high] = [kind.low[cell.at] ?? Number.NaN, kind.high[cell.at] ?? Number.NaN];
  const ci = Number.isFinite(low) ? `, CI of the effect ${raw(low)} to ${raw(high)}` : "";
  if (trace.pairs > 1) out.push(`Mean of ${count(trace.pairs, "pair")}${ci}.`);
  const dots = dotsOf(kind, cell);
  if (trace.draws > 1 && dots.length > 1)
    out.push(`${trace.draws} draws: ${raw(Math.min(...dots))} to ${raw(Math.max(...dots))}.`);
  return out;
}

/** How many layers a cell restores, for a grid's title. */
export const windowWords = (kind: Kind): string =>
  kind.window === 1 ? "1 layer at a time" : `${kind.window} layers together`;
