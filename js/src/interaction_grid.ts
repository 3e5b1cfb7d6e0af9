// InteractionGrid: players by players, together minus the sum; a click runs the pair.
import "./styles.css";
import "./mediation.css";
import "./interactions.css";
import { type Bar, barChart } from "./bars.ts";
import { button, h, setProps, setText } from "./dom.ts";
import { towardClean } from "./estimands.ts";
import { cellSize, type Face, type Matrix, matrix, type Place } from "./matrix.ts";
import { announcer, errorLine } from "./notices.ts";
import { raw, short } from "./numbers.ts";
import {
  basesOf,
  decodeGame,
  type Game,
  gameScale,
  metricAt,
  pairLabel,
  pairOf,
  pairSentence,
  VERBS,
  type Verb,
} from "./pairs.ts";
import type { Model } from "./protocol.ts";
import { railScale } from "./rail_scale.ts";
import { followWidth, shell } from "./shell.ts";
import { kernel } from "./status_bar.ts";
import { Store } from "./store.ts";
import { plain } from "./text.ts";

const PADDING = 26;
const CHARACTER = 7;
const LONGEST = 13;
const VERB_WORDS: Record<Verb, string> = { restore: "Restore", break: "Break" };
const SET_WORDS: Record<Verb, string> = { restore: "On corrupt", break: "On clean" };
const HINT = "Point at a cell to read it; click it, or press Enter, to run the pair together.";
const STALE =
  "The study's prompts, metric or weights have changed since this game was run: these are the old numbers. Run mw.interactions again.";

class PairView {
  readonly parts: HTMLElement[];
  #game: Game;
  #scale: number;
  #matrix: Matrix;
  #hover: Place | null = null;
  #pending: Place | null = null;
  #title = h("p", { class: "mw-gametitle" });
  #switch = h("div", { class: "mw-segments", role: "group", "aria-label": "Direction" });
  #legend = h("div", { class: "mw-pairlegend" });
  #words = h("p", { class: "mw-sentence" });
  #stale = h("p", { class: "mw-gamestale", role: "status" });
  #table = h("div", { class: "mw-pairtable" });

  constructor(
    readonly store: Store,
    signal: AbortSignal,
  ) {
    this.#game = decodeGame(store.model.get("game"));
    this.#scale = gameScale(this.#game);
    this.#matrix = this.#grid();
    const set = this.#game.patch ? VERB_WORDS : SET_WORDS;
    for (const verb of VERBS)
      this.#switch.append(
        button(set[verb], () => store.setDirection(verb), {
          class: "mw-segment",
          "data-verb": verb,
        }),
      );
    this.parts = [
      this.#title,
      this.#stale,
      errorLine(store, signal),
      h("div", { class: "mw-part mw-pairhead" }, this.#switch, this.#legend, kernel(store, signal)),
      h("div", { class: "mw-scroll" }, this.#matrix.el),
      this.#words,
      this.#table,
      announcer(store, signal),
    ];
    store.model.on("change:game", () => {
      if (signal.aborted) return;
      this.#game = decodeGame(store.model.get("game"));
      this.#draw();
    });
    store.on(["scale", "result", "view", "status"], () => this.#draw(), signal);
    this.#draw();
  }

  get #verb(): Verb {
    return this.store.direction === "break" ? "break" : "restore";
  }
  get #toward(): 1 | -1 {
    const base = basesOf(this.#game);
    return towardClean(base.y11, base.y00);
  }
  /** The pair that is selected in the study; twice the same for one player. */
  get #chosen(): Place | null {
    if (this.#pending) return this.#pending;
    const raw = this.store.model.get("result") as { players?: unknown } | undefined;
    const players = Array.isArray(raw?.players) ? (raw.players as number[]) : [];
    const [row, col = row] = players;
    return row === undefined || col === undefined || players.length > 2 ? null : { row, col };
  }

  // --- the grid --------------------------------------------------------------------------------

  #grid(): Matrix {
    const { labels } = this.#game;
    const label = (at: number, name: string) =>
      h("bdi", { class: name, text: plain(labels[at] ?? "", 60) });
    return matrix({
      rows: labels.length,
      cols: labels.length,
      corner: [h("span", { class: "mw-hidden", text: "with" })],
      rowHead: (row) => [label(row, "mw-pairname")],
      colHead: (col) => h("span", { class: "mw-up" }, label(col, "mw-pairname")),
      name: () => `Pairs: ${this.#game.sides[this.#verb].title}`,
      face: (row, col) => this.#face(row, col),
      hover: (at) => {
        this.#hover = at;
        this.#point();
      },
      choose: (at) => this.#choose(at),
    });
  }

  #face(row: number, col: number): Face {
    const pair = pairOf(this.#game, this.#verb, row, col);
    const sentence = pairSentence(this.#game, this.#verb, row, col, this.#toward);
    const name = `${pairLabel(this.#game, row, col)}: ${sentence}`;
    if (row === col) return { state: "plain", share: 0, text: short(pair.a), name };
    if (!Number.isFinite(pair.int)) return { state: "none", share: 0, text: "", name };
    const share = (pair.int * this.#toward) / this.#scale;
    return { state: "exact", share, text: short(pair.int), name };
  }

  #choose(at: Place): void {
    if (this.#game.stale) return;
    const cells = [...new Set([at.row, at.col])].map((index) => ({ panel: "players", index }));
    this.#pending = at;
    const id = this.store.ask("intervene", { cells });
    if (id === 0) this.#pending = null;
    this.#marks();
  }

  /** For a width in CSS pixels. */
  resize(width: number): void {
    const longest = Math.max(...this.#game.labels.map((label) => label.length));
    const head = Math.min(longest, LONGEST) * CHARACTER + 6;
    const cell = cellSize(width - PADDING - head, this.#game.labels.length);
    this.#matrix.el.style.setProperty("--rh", `${head}px`);
    this.#matrix.el.style.setProperty("--head-h", `${head + 8}px`);
    this.#matrix.resize(cell, Math.max(20, Math.min(cell, 32)));
  }

  // --- drawing ---------------------------------------------------------------------------------

  #draw(): void {
    const raw = this.store.model.get("result") as { players?: unknown } | undefined;
    if (this.#pending && (raw?.players || this.store.error || !this.store.live)) {
      const wanted = new Set([this.#pending.row, this.#pending.col]);
      const got = (raw?.players ?? []) as number[];
      const here = got.length === wanted.size && got.every((player) => wanted.has(player));
      if (here || this.store.error || !this.store.live) this.#pending = null;
    }
    const side = this.#game.sides[this.#verb];
    setText(this.#title, side.title);
    setText(this.#stale, this.#game.stale ? STALE : "");
    // Not by `dataset`: the build gives `verb` a shorter name (OWN in build.mjs).
    for (const el of this.#switch.querySelectorAll("button"))
      setProps(el, { "aria-pressed": String(el.getAttribute("data-verb") === this.#verb) });
    this.#drawLegend();
    this.#matrix.paint();
    this.#marks();
    this.#point();
    this.#drawTable();
  }

  #drawLegend(): void {
    const end = raw(this.#scale).replace("+", "");
    const [low, high] = this.#toward > 0 ? ["less", "more"] : ["more", "less"];
    this.#legend.replaceChildren(
      h("span", { text: `${low} than the sum ` }),
      h("i", { class: "mw-pairbar", "aria-hidden": "true" }),
      h("span", { text: `${high}, ±${end} ${this.#game.unit}` }),
    );
  }

  #marks(): void {
    const chosen = this.#chosen;
    const is = (row: number, col: number) =>
      !!chosen &&
      ((chosen.row === row && chosen.col === col) || (chosen.row === col && chosen.col === row));
    this.#matrix.mark("aria-selected", (row, col) => (is(row, col) ? "true" : "false"));
    this.#matrix.mark("data-pending", (row, col) =>
      this.#pending && is(row, col) ? "true" : null,
    );
  }

  #point(): void {
    const at = this.#hover ?? this.#chosen;
    setText(
      this.#words,
      at ? pairSentence(this.#game, this.#verb, at.row, at.col, this.#toward) : HINT,
    );
  }

  #drawTable(): void {
    const at = this.#chosen;
    const pair = at && at.row !== at.col ? pairOf(this.#game, this.#verb, at.row, at.col) : null;
    const shown = at && pair && Number.isFinite(pair.int);
    this.#table.replaceChildren();
    if (!shown) return;
    const base = basesOf(this.#game);
    const bars = pairBars(this.#game, this.#verb, at, this.#toward);
    const place = railScale(
      base.y00,
      base.y11,
      bars.flatMap(({ from, to }) => [from, to]),
    );
    this.#table.append(
      h("div", { class: "mw-title" }, h("bdi", { text: pairLabel(this.#game, at.row, at.col) })),
      barChart("The pair's runs", bars, base, place, ["metric", "worth"]),
    );
  }
}

/** Both alone, end to end; together; and what is missing or too much. */
export function pairBars(game: Game, verb: Verb, { row, col }: Place, toward: 1 | -1): Bar[] {
  const pair = pairOf(game, verb, row, col);
  const v = (worth: number) => metricAt(game, verb, worth);
  const bar = (name: string, words: string, from: number, to: number, gain: number): Bar => ({
    name,
    words,
    from: v(from),
    to: v(to),
    sign: (v(to) - v(from)) * toward >= 0 ? "toward" : "away",
    value: raw(v(gain)),
    more: raw(gain),
  });
  const [a, b] = [row, col].map((at) => plain(game.labels[at] ?? "", 24)) as [string, string];
  const ci = pair.ci ? `, CI ${raw(pair.ci[0])} to ${raw(pair.ci[1])}` : "";
  // Not INT: that is what one mediator does more when the rest is clean, TIE − PIE.
  const gap = bar("gap", `together − sum${ci}`, pair.sum, pair.joint, pair.int);
  return [
    { ...bar("∅", "nothing set", 0, 0, 0), from: Number.NaN, to: Number.NaN, more: "" },
    bar(a, "alone", 0, pair.a, pair.a),
    bar(b, "alone, added on", pair.a, pair.sum, pair.b),
    { ...gap, value: "" },
    { ...bar("both", "together", 0, pair.joint, pair.joint), sign: "total" },
  ];
}

export default () => {
  let store: Store | null = null;
  return {
    initialize({ model }: { model: Model }) {
      store = new Store(model);
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      const end = new AbortController();
      store ??= new Store(model);
      const view = new PairView(store, end.signal);
      const root = shell("Interaction grid", model, el, end.signal, ...view.parts);
      followWidth(root, end.signal, (width) => view.resize(width));
      return () => end.abort();
    },
  };
};
