// The attention of one head, query by key. Ink is probability, never an effect: what knocking an
// edge out came to is an outline, and the sentence.

import { Reader } from "./decode.ts";
import { h, setText } from "./dom.ts";
import type { Drawer } from "./drawers.ts";
import { type Box, InkMap, type Inks, type Spot } from "./ink_map.ts";
import { raw } from "./numbers.ts";
import { effectWords, numbers, partView, readLine, segments } from "./part_view.ts";
import { type CellRef, Status } from "./protocol.ts";
import { blueSign, shown, shownValue } from "./scale.ts";
import type { Store } from "./store.ts";
import { word } from "./text.ts";

const KEY = "attention";
const HINT = "Point at an edge to read its weight; click it, or press Enter, to knock it out.";
const LARGEST = 32;
const SMALLEST = 2;
const BASES = { clean: "Clean", corrupt: "Corrupt", difference: "Difference" };
type Base = keyof typeof BASES;

interface Pattern {
  layer: number;
  head: number;
  tokens: { clean: string[]; corrupt: string[] };
  weights: { clean: Float32Array; corrupt: Float32Array };
}

function pattern(store: Store, from: Reader): Pattern {
  // A live page gets the weights apart, and only when they change.
  const apart = () => new Reader(store.model.get("attention_weights"), "attention_weights");
  const texts = from.at("tokens");
  const bytes = (from.has("weights") ? from : apart()).at("weights");
  const [clean, corrupt] = (["clean", "corrupt"] as const).map((base) => {
    const tokens = texts.values<string>(base, "string");
    return { tokens, weights: bytes.floats(base, tokens.length ** 2) };
  }) as [{ tokens: string[]; weights: Float32Array }, { tokens: string[]; weights: Float32Array }];
  return {
    layer: from.count("layer"),
    head: from.count("head"),
    tokens: { clean: clean.tokens, corrupt: corrupt.tokens },
    weights: { clean: clean.weights, corrupt: corrupt.weights },
  };
}

export const attention: Drawer = { part: KEY, title: "Attention", draw };

function draw(store: Store, signal: AbortSignal): HTMLElement {
  let now: Pattern | null = null;
  let base: Base = "clean";
  let spot: Spot | null = null;
  const line = readLine(HINT);
  const which = segments("Prompt", BASES, (value) => {
    base = value;
    show();
  });
  const head = headChooser(store);
  const size = () => now?.tokens[base === "corrupt" ? "corrupt" : "clean"].length ?? 0;
  const ref = (at: Spot): CellRef => ({ panel: KEY, index: at.row * size() + at.col });
  const said = (at: Spot | null) => now && at && words(store, now, at, ref(at));
  const point = (at: Spot | null) => {
    spot = at;
    store.setHover(at && store.panel(KEY) ? ref(at) : null);
    line.say(said(at));
  };
  const choose = (at: Spot, add: boolean) => store.panel(KEY) && store.choose(ref(at), add);
  const map = new InkMap({ label: (at) => said(at) ?? "", point, choose }, signal);
  const rings = () => map.ring(chosen(store, size()), store.pending !== null);
  const show = () => {
    if (!now) return;
    const unequal = now.tokens.clean.length !== now.tokens.corrupt.length;
    if (unequal && base === "difference") base = "clean";
    which.set(base, unequal ? ["difference"] : []);
    map.show(picture(store, now, base));
    rings();
  };
  const again = () => {
    show();
    map.name();
    line.say(said(spot));
  };
  const read = (fields: Reader) => {
    now = pattern(store, fields);
    head.read(fields);
    again();
  };
  const top = h("div", { class: "mw-lookhead" }, ...head.fields, which.el, head.note);
  store.on(["scale", "result"], again, signal);
  store.on(["pending"], rings, signal);
  return partView(store, KEY, signal, read, top, line.el, map.scroll, legend());
}

/** Which head; the note says what its numbers are of. */
function headChooser(store: Store) {
  let [layer, head] = [0, 0];
  const choose = () => store.ask("attention", { layer, head });
  const layers = numbers("Layer", "Layer", (value) => {
    layer = value;
    choose();
  });
  const heads = numbers("Head", "Head", (value) => {
    head = value;
    choose();
  });
  const note = h("span", { class: "mw-hint" });
  const read = (fields: Reader) => {
    layer = fields.count("layer");
    head = fields.count("head");
    layers.set(fields.count("n_layers"), layer);
    heads.set(fields.count("n_heads"), head);
    setText(note, about(store, fields));
  };
  return { fields: [layers.el, heads.el], note, read };
}

/** The edges that are selected, on a map of `size` keys. */
function chosen(store: Store, size: number): Spot[] {
  const mine = store.selection.filter((cell) => cell.panel === KEY);
  return mine.map(({ index }) => ({ row: Math.floor(index / size), col: index % size }));
}

function picture(store: Store, now: Pattern, base: Base) {
  const tokens = now.tokens[base === "corrupt" ? "corrupt" : "clean"];
  return {
    rows: tokens.length,
    cols: tokens.length,
    rowLabels: tokens,
    colLabels: tokens,
    name: `Attention of L${now.layer}H${now.head} on ${BASES[base].toLowerCase()}, query by key`,
    cell: (room: number): [number, number] => {
      const fits = Math.floor(room / tokens.length);
      const side = Math.max(SMALLEST, Math.min(LARGEST, fits));
      return [side, side];
    },
    draw: faces(store, now, base),
  };
}

function about(store: Store, fields: Reader): string {
  const n = store.view?.pairs.n ?? 1;
  const out = fields.flag("selected") ? ["the selected head"] : [];
  if (n > 1)
    out.push(
      `weights of pair ${fields.count("pair") + 1} of ${n}, effects of ${store.view?.pairs.index === null ? "all" : "it"}`,
    );
  if (!fields.has("panel")) out.push("edges are knocked out where all prompts are of one length");
  return out.join("; ");
}

/** A cell in words: its label, its weights, what knocking it out came to. */
function words(
  store: Store,
  { layer, head, tokens, weights }: Pattern,
  at: Spot,
  ref: CellRef,
): string {
  const panel = store.panel(KEY);
  const own = `L${layer}H${head} @ ${word(tokens.clean[at.row] ?? "")} ← ${word(tokens.clean[at.col] ?? "")}`;
  const label = panel?.labels[ref.index] ?? own;
  if (at.col > at.row) return `${label}: a token cannot attend to what comes after it.`;
  const of = (base: "clean" | "corrupt") => {
    const n = tokens[base].length;
    return at.row < n && at.col < n
      ? (weights[base][at.row * n + at.col] ?? Number.NaN)
      : Number.NaN;
  };
  const [a, b] = [of("clean"), of("corrupt")];
  const said = `${label}: clean ${weight(a)}, corrupt ${weight(b)}, difference ${raw(a - b)}.`;
  const reading = panel ? store.cellReading(ref) : null;
  if (!reading || !store.view || reading.status === Status.Impossible) return said;
  return shown(reading.status)
    ? `${said} ${effectWords(store, reading, "Knocked out")}`
    : `${said} Enter knocks it out.`;
}

function weight(p: number): string {
  return Number.isFinite(p) ? p.toFixed(p < 0.0995 ? 3 : 2) : "–";
}

// --- how cells look -----------------------------------------------------------------------------

function faces(store: Store, { tokens, weights }: Pattern, base: Base) {
  const n = tokens[base === "corrupt" ? "corrupt" : "clean"].length;
  const value = (index: number) =>
    base === "difference"
      ? (weights.clean[index] ?? 0) - (weights.corrupt[index] ?? 0)
      : (weights[base][index] ?? 0);
  return (context: CanvasRenderingContext2D, { row, col }: Spot, box: Box, inks: Inks) => {
    const { x, y, w, h } = box;
    const p = value(row * n + col);
    if (col > row) {
      impossible(context, box, inks);
      return;
    }
    if (w >= 6) {
      context.globalAlpha = 1;
      context.strokeStyle = inks.line;
      context.lineWidth = 1;
      context.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
    }
    context.fillStyle = inks.ink;
    context.globalAlpha = Math.min(1, Math.abs(p));
    if (p >= 0) context.fillRect(x, y, w, h);
    else {
      // Less than on corrupt: a half, so that the sign is no second hue.
      context.beginPath();
      context.moveTo(x, y + h);
      context.lineTo(x + w, y + h);
      context.lineTo(x + w, y);
      context.fill();
    }
    context.globalAlpha = 1;
    const effect = outline(store, row * n + col);
    if (effect === 0) return;
    context.lineWidth = w >= 8 ? 2 : 1;
    context.strokeStyle = effect > 0 ? inks.toward : inks.away;
    const inset = context.lineWidth / 2;
    context.strokeRect(x + inset, y + inset, w - 2 * inset, h - 2 * inset);
  };
}

/** Nothing is there to be seen: a grid of dots, which no weight looks like. */
function impossible(context: CanvasRenderingContext2D, { x, y, w, h }: Box, inks: Inks): void {
  context.globalAlpha = 1;
  context.fillStyle = inks.field;
  context.fillRect(x, y, w + 1, h + 1);
  if (w < 6) return;
  context.fillStyle = inks.soft;
  context.globalAlpha = 0.5;
  context.fillRect(x + w / 2 - 0.5, y + h / 2 - 0.5, 1, 1);
  context.globalAlpha = 1;
}

/** Toward (+1) or away (−1) from the clean answer; 0 where it was not knocked out. */
function outline(store: Store, index: number): number {
  const reading = store.cellReading({ panel: KEY, index });
  if (!reading || !store.view || !shown(reading.status)) return 0;
  const value = shownValue(store.direction, reading.edit, store.unit, reading.corners);
  return blueSign(store.view, store.unit, value) < 0 ? -1 : 1;
}

function legend(): HTMLElement {
  const item = (kind: string, text: string) =>
    h("span", { class: "mw-keyitem" }, h("i", { class: "mw-lookkey", "data-kind": kind }), text);
  return h(
    "div",
    { class: "mw-key mw-looklegend" },
    h("span", { class: "mw-keyitem" }, "0", h("i", { class: "mw-ramp" }), "1 weight"),
    item("less", "less than on corrupt"),
    item("impossible", "impossible"),
    item("cut", "knocked out"),
  );
}
