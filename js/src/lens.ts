// The logit lens: layer by position, the likeliest next token if the model stopped there. Ink is
// probability, never an effect.
import type { Reader } from "./decode.ts";
import { h, setText } from "./dom.ts";
import type { Drawer } from "./drawers.ts";
import { type Box, InkMap, type Inks, type Spot } from "./ink_map.ts";
import { probability } from "./numbers.ts";
import { effectWords, partView, readLine, segments } from "./part_view.ts";
import type { CellRef } from "./protocol.ts";
import { shown } from "./scale.ts";
import type { Store } from "./store.ts";
import { plain, word } from "./text.ts";

const KEY = "lens";
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
  let name: Name = "clean";
  let what: What = "answer";
  let spot: Spot | null = null;
  const line = readLine(
    "Point at a cell to read what the model would say next if it stopped there.",
  );
  const note = h("span", { class: "mw-hint" });
  const which = segments("Run", NAMES, (value) => {
    name = value;
    show();
  });
  const colour = segments("Ink", WHAT, (value) => {
    what = value;
    show();
  });
  const run = () => now?.runs.get(name) ?? null;
  const ref = (at: Spot): CellRef => ({
    panel: KEY,
    index: at.row * (run()?.tokens.length ?? 0) + at.col,
  });
  const words = (at: Spot) => (now ? cellWords(store, now, name, at, ref(at)) : "");
  const tell = () => line.say(spot ? words(spot) : null);
  const map = new InkMap(
    {
      label: words,
      point: (at) => {
        spot = at;
        store.setHover(at && store.panel(KEY) ? ref(at) : null);
        tell();
      },
      choose: (at, add) => {
        if (store.panel(KEY)) store.choose(ref(at), add);
      },
    },
    signal,
  );
  const rings = () => {
    const cols = run()?.tokens.length ?? 1;
    const places = own(store).map((index) => ({
      row: Math.floor(index / cols),
      col: index % cols,
    }));
    map.ring(places, store.pending !== null);
  };
  const show = () => {
    if (!now) return;
    if (!now.runs.has(name)) name = "clean";
    const some = now.runs;
    which.set(
      name,
      (Object.keys(NAMES) as Name[]).filter((one) => !some.has(one)),
    );
    colour.set(what);
    const { tokens } = some.get(name) as Run;
    map.show({
      rows: now.layers.length,
      cols: tokens.length,
      rowLabels: now.layers.map((layer) => (layer === "out" ? layer : `L${layer}`)),
      colLabels: tokens,
      name: `Logit lens, ${NAMES[name].toLowerCase()} run, layer by position`,
      cell: (room) => [
        Math.max(NARROWEST, Math.min(WIDEST, Math.floor(room / tokens.length))),
        HEIGHT,
      ],
      draw: faces(now, some.get(name) as Run, what),
    });
    rings();
  };
  const read = (fields: Reader) => {
    now = decode(fields);
    setText(note, about(store, fields));
    show();
    map.name();
    tell();
  };
  const part = partView(
    store,
    KEY,
    signal,
    read,
    h("div", { class: "mw-lookhead" }, which.el, colour.el, note),
    line.el,
    map.scroll,
    h(
      "div",
      { class: "mw-key mw-looklegend" },
      h("span", { class: "mw-keyitem" }, "0", h("i", { class: "mw-ramp" }), "1 probability"),
    ),
  );
  store.on(
    ["scale", "result"],
    () => {
      map.name();
      tell();
      rings();
    },
    signal,
  );
  store.on(["pending"], rings, signal);
  return part;
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

function fitted(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let cut = text;
  while (cut.length > 1 && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return `${cut}…`;
}
