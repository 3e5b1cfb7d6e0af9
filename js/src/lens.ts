// The logit lens: layer by position, the likeliest next token if the model stopped there. Ink is
// probability, never an effect.
import type { Reader } from "./decode.ts";
import { h, setText } from "./dom.ts";
import type { Drawer } from "./drawers.ts";
import { type Box, fitted, InkMap, type Inks, type Spot } from "./ink_map.ts";
import { probability } from "./numbers.ts";
import { effectWords, partView, readLine, segments } from "./part_view.ts";
import type { CellRef } from "./protocol.ts";
import { shown } from "./scale.ts";
import type { Store } from "./store.ts";
import { plain, word } from "./text.ts";

const KEY = "lens";
const HINT = "Point at a cell to read what the model would say next if it stopped there.";
const [NARROWEST, WIDEST, HEIGHT] = [4, 64, 20];
const WORD_FITS = 26;
const NAMES = {
  clean: "Clean",
  corrupt: "Corrupt",
  restored: "Corrupt, edited",
  broken: "Clean, edited",
};
const WHAT = { answer: "Answer", top: "Top token" };
type Name = keyof typeof NAMES;
type What = keyof typeof WHAT;

interface Run {
  tokens: string[];
  /** Likeliest first, k a cell: places in `words`. */
  top: Int32Array;
  p: Float32Array;
  answer: Float32Array;
  wrong: Float32Array;
  k: number;
}
interface Lens {
  layers: string[];
  words: string[];
  answer: string;
  wrong: string;
  runs: Map<Name, Run>;
}

function decode(from: Reader): Lens {
  const layers = from.values<string>("layers", "string");
  const runs = from.list("runs", (run): [Name, Run] => {
    const tokens = run.values<string>("tokens", "string");
    const [cells, k] = [layers.length * tokens.length, run.count("k")];
    return [
      run.text("name") as Name,
      {
        tokens,
        k,
        top: new Int32Array(run.bytes("top", 4 * cells * k).buffer),
        p: run.floats("p", cells * k),
        answer: run.floats("of_answer", cells),
        wrong: run.floats("of_wrong", cells),
      },
    ];
  });
  return {
    layers,
    words: from.values<string>("words", "string"),
    answer: from.text("answer"),
    wrong: from.text("wrong"),
    runs: new Map(runs),
  };
}

export const lens: Drawer = { part: KEY, title: "Logit lens", draw };

function draw(store: Store, signal: AbortSignal): HTMLElement {
  let now: Lens | null = null;
  let spot: Spot | null = null;
  const line = readLine(HINT);
  const note = h("span", { class: "mw-hint" });
  const which = whichInk(() => show());
  const cols = () => now?.runs.get(which.name)?.tokens.length ?? 1;
  const ref = (at: Spot): CellRef => ({ panel: KEY, index: at.row * cols() + at.col });
  const said = (at: Spot | null) => now && at && cellWords(store, now, which.name, at, ref(at));
  const point = (at: Spot | null) => {
    spot = at;
    store.setHover(at && store.panel(KEY) ? ref(at) : null);
    line.say(said(at));
  };
  const choose = (at: Spot, add: boolean) => {
    if (store.panel(KEY)) store.choose(ref(at), add);
  };
  const key = legend();
  const map = new InkMap({ label: (at) => said(at) ?? "", point, choose }, signal);
  const rings = () => {
    const n = cols();
    const spots = own(store).map((index) => ({ row: Math.floor(index / n), col: index % n }));
    map.ring(spots, store.pending !== null);
  };
  const show = () => {
    if (!now) return;
    which.set(now);
    map.show(picture(now, which.name, which.what, key.fit));
    rings();
  };
  const tell = () => {
    map.name();
    line.say(said(spot));
    rings();
  };
  const read = (fields: Reader) => {
    now = decode(fields);
    setText(note, about(store, fields));
    show();
    tell();
  };
  const top = h("div", { class: "mw-lookhead" }, ...which.fields, note);
  store.on(["scale", "result"], tell, signal);
  store.on(["pending"], rings, signal);
  return partView(store, KEY, signal, read, top, line.el, map.scroll, key.el);
}

/** Which run, and what of it is ink. */
function whichInk(changed: () => void) {
  const now = {
    name: "clean" as Name,
    what: "answer" as What,
    fields: [] as HTMLElement[],
    set: (lens: Lens) => {
      if (!lens.runs.has(now.name)) now.name = "clean";
      const none = (Object.keys(NAMES) as Name[]).filter((one) => !lens.runs.has(one));
      run.set(now.name, none);
      colour.set(now.what);
    },
  };
  const run = segments("Run", NAMES, (value) => {
    now.name = value;
    changed();
  });
  const colour = segments("Ink", WHAT, (value) => {
    now.what = value;
    changed();
  });
  now.fields.push(run.el, colour.el);
  return now;
}

/** `sized` is told how wide a cell is. */
function picture(now: Lens, name: Name, what: What, sized: (width: number) => void) {
  const run = now.runs.get(name) as Run;
  return {
    rows: now.layers.length,
    cols: run.tokens.length,
    rowLabels: now.layers.map((layer) => (layer === "out" ? layer : `L${layer}`)),
    colLabels: run.tokens,
    name: `Logit lens, ${NAMES[name].toLowerCase()} run, layer by position`,
    cell: (room: number): [number, number] => {
      const width = Math.max(NARROWEST, Math.min(WIDEST, Math.floor(room / run.tokens.length)));
      sized(width);
      return [width, HEIGHT];
    },
    draw: faces(now, run, what),
  };
}

function legend() {
  const words = h("span", { text: "; the word is the likeliest token", hidden: true });
  const ramp = h(
    "span",
    { class: "mw-keyitem" },
    "0",
    h("i", { class: "mw-ramp" }),
    h("span", {}, "1 probability of what is chosen above", words),
  );
  const numbers =
    "Numbers are probabilities of the next token: the residual stream there, read by the model's own last norm and unembedding. For a cell that was patched, the line above the map also says its effect.";
  const el = h("div", { class: "mw-key mw-looklegend" }, ramp, h("span", { text: numbers }));
  // A word has the cell's width but for the gap.
  const fit = (width: number) => {
    words.hidden = width <= WORD_FITS;
  };
  return { el, fit };
}

function about(store: Store, fields: Reader): string {
  const n = store.view?.pairs.n ?? 1;
  const out = fields.text("label") ? [`edited: ${plain(fields.text("label"), 80)}`] : [];
  if (n > 1) out.push(`tokens of pair ${fields.count("pair") + 1} of ${n}`);
  return out.join("; ");
}

/** The cells of this map that are selected: another panel may be the one that shows the site. */
function own(store: Store): number[] {
  const panel = store.panel(KEY);
  if (!panel) return [];
  const labels = store.selection.map(
    (cell) => cell.label ?? store.panel(cell.panel)?.labels[cell.index],
  );
  return labels.map((label) => panel.labels.indexOf(label ?? "")).filter((index) => index >= 0);
}

/** A cell in words: its label, the likeliest tokens, the answers, what patching it came to. */
function cellWords(store: Store, now: Lens, name: Name, at: Spot, ref: CellRef): string {
  const run = now.runs.get(name);
  if (!run) return "";
  const index = at.row * run.tokens.length + at.col;
  const layer = now.layers[at.row] === "out" ? "out" : `L${now.layers[at.row]}`;
  const panel = store.panel(KEY);
  const label = panel?.labels[ref.index] ?? `${layer} @ ${word(run.tokens[at.col] ?? "")}`;
  const tops = [...Array(run.k).keys()].map((i) => {
    const place = index * run.k + i;
    return `${word(now.words[run.top[place] ?? 0] ?? "")} ${probability(run.p[place] ?? Number.NaN)}`;
  });
  const answers = `${word(now.answer)} ${probability(run.answer[index] ?? Number.NaN)}, ${word(now.wrong)} ${probability(run.wrong[index] ?? Number.NaN)}`;
  const said = `${label}: ${tops.join(", ")}. Answers: ${answers}.`;
  const reading = panel ? store.cellReading(ref) : null;
  if (!reading || !store.view) return said;
  return shown(reading.status)
    ? `${said} ${effectWords(store, reading)}`
    : `${said} Enter patches it.`;
}

function faces(now: Lens, run: Run, what: What) {
  return (context: CanvasRenderingContext2D, { row, col }: Spot, box: Box, inks: Inks) => {
    const index = row * run.tokens.length + col;
    const p = (what === "answer" ? run.answer[index] : run.p[index * run.k]) ?? 0;
    const { x, y, w, h: height } = box;
    context.fillStyle = inks.ink;
    context.globalAlpha = p;
    context.fillRect(x, y, w, height);
    context.globalAlpha = 1;
    if (w >= 6) {
      context.strokeStyle = inks.line;
      context.lineWidth = 1;
      context.strokeRect(x + 0.5, y + 0.5, w - 1, height - 1);
    }
    if (w < WORD_FITS) return;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillStyle = p > 0.5 ? inks.surface : inks.ink;
    const text = fitted(context, word(now.words[run.top[index * run.k] ?? 0] ?? ""), w - 6);
    context.fillText(text, x + 3, y + height / 2 + 0.5);
  };
}
