// CausalTrace: tokens by layers, what restoring a state brings back, and which layers it takes.
import "./styles.css";
import "./interactions.css";
import "./trace.css";
import { button, h, setProps, setText } from "./dom.ts";
import { cellSize, type Face, Matrix, NUMBER_FITS, type Place } from "./matrix.ts";
import { raw, short } from "./numbers.ts";
import type { Model } from "./protocol.ts";
import { railScale } from "./rail.ts";
import { followWidth, shell } from "./shell.ts";
import { plain, token } from "./text.ts";
import {
  cellLabel,
  cellOf,
  cellSentence,
  decodeTrace,
  dotsOf,
  type Kind,
  type Trace,
  toward,
  traceScale,
  windowWords,
} from "./traces.ts";

const PADDING = 26;
const CHARACTER = 7.4;
const LONGEST = 14;
const CELL = 24;
const HINT =
  "Point at a cell to see which layers it restores and what that brings back; click it to keep it.";

class TraceView {
  readonly parts: HTMLElement[];
  readonly #trace: Trace;
  readonly #scale: number;
  #matrix: Matrix;
  #hover: Place | null = null;
  #kept: Place | null = null;
  #width = 0;
  #box = h("div", { class: "mw-scroll" });
  #frame = h("span", { class: "mw-window", "aria-hidden": "true" });
  #switch = h("div", { class: "mw-segments", role: "group", "aria-label": "What is restored" });
  #window = h("span", { class: "mw-hint" });
  #words = h("p", { class: "mw-sentence", role: "status" });
  #rail = h("div", { class: "mw-tracerail" });

  constructor(
    readonly model: Model,
    signal: AbortSignal,
  ) {
    this.#trace = decodeTrace(model.get("trace"));
    this.#scale = traceScale(this.#trace);
    this.#matrix = this.#grid();
    for (const kind of this.#trace.kinds)
      this.#switch.append(
        button(kind.title, () => this.#show(kind), {
          class: "mw-segment",
          "data-kind": kind.kind,
        }),
      );
    this.parts = [
      h("p", { class: "mw-gametitle", text: plain(this.#trace.title, 400) }),
      h("div", { class: "mw-part mw-pairhead" }, this.#switch, this.#window, this.#legend()),
      this.#rail,
      this.#words,
      this.#box,
      h(
        "div",
        { class: "mw-key mw-tracekey" },
        h(
          "span",
          { class: "mw-keyitem" },
          h("span", { class: "mw-subject", text: "token" }),
          "subject, corrupted",
        ),
        h(
          "span",
          { class: "mw-keyitem" },
          h("i", { class: "mw-swatch", "data-state": "none" }),
          "not run",
        ),
      ),
    ];
    model.on("change:kind", () => {
      if (!signal.aborted) this.#rebuild();
    });
    this.#rebuild();
  }

  get #kind(): Kind {
    const name = this.model.get("kind");
    return (this.#trace.kinds.find(({ kind }) => kind === name) ?? this.#trace.kinds[0]) as Kind;
  }

  #show(kind: Kind): void {
    this.model.set("kind", kind.kind);
    try {
      this.model.save_changes();
    } catch {
      // The kernel is gone; all kinds are on the page.
    }
    this.#rebuild();
  }

  #legend(): HTMLElement {
    const end = raw(this.#scale).replace("+", "");
    return h(
      "div",
      { class: "mw-pairlegend" },
      h("span", { text: "away" }),
      h("i", { class: "mw-pairbar", "aria-hidden": "true" }),
      h("span", { text: `toward clean, ±${end} ${plain(this.#trace.unit, 40)}` }),
    );
  }

  // --- the grid --------------------------------------------------------------------------------

  #grid(): Matrix {
    const { tokens, subject } = this.#trace;
    const kind = this.#kind;
    return new Matrix({
      rows: tokens.length,
      cols: kind.layers.length,
      corner: [h("span", { class: "mw-axis", text: "layer" })],
      rowHead: (row) => [token(tokens[row] ?? "")],
      colHead: (col) => h("span", { text: kind.layers[col] ?? "" }),
      rowClass: (row) => (subject.has(row) ? "mw-subjectrow" : ""),
      name: () => `${kind.title}, token by layer: indirect effect, ${plain(this.#trace.unit, 40)}`,
      face: (row, col) => this.#face(kind, row, col),
      hover: (at) => {
        this.#hover = at;
        this.#point();
      },
      choose: (at) => {
        const same = this.#kept?.row === at.row && this.#kept.col === at.col;
        this.#kept = same ? null : at;
        this.#point();
      },
    });
  }

  #face(kind: Kind, row: number, col: number): Face {
    const { effect } = cellOf(this.#trace, kind, col, row);
    const label = cellLabel(this.#trace, kind, col, row);
    const name = `${label}: ${cellSentence(this.#trace, kind, col, row)}`;
    if (!Number.isFinite(effect)) return { state: "none", share: 0, text: "", name };
    const share = (effect * toward(this.#trace)) / this.#scale;
    return { state: "exact", share, text: short(effect), name };
  }

  #rebuild(): void {
    const kind = this.#kind;
    for (const el of this.#switch.querySelectorAll<HTMLElement>("button"))
      setProps(el, { "aria-pressed": String(el.dataset.kind === kind.kind) });
    setText(this.#window, windowWords(kind));
    this.#matrix = this.#grid();
    if (this.#kept && this.#kept.col >= kind.layers.length) this.#kept = null;
    this.#hover = null;
    this.#box.replaceChildren(this.#matrix.el);
    if (this.#width) this.resize(this.#width);
    this.#point();
  }

  /** For a width in CSS pixels. */
  resize(width: number): void {
    this.#width = width;
    const longest = Math.max(5, ...this.#trace.tokens.map((text) => text.length));
    const head = Math.round(Math.min(longest, LONGEST) * CHARACTER + 10);
    const cell = cellSize(width - PADDING - head, this.#kind.layers.length);
    this.#matrix.el.style.setProperty("--rh", `${head}px`);
    this.#matrix.resize(cell, cell < NUMBER_FITS ? 20 : CELL);
  }

  // --- under the pointer -------------------------------------------------------------------------

  #point(): void {
    const at = this.#hover ?? this.#kept;
    const kind = this.#kind;
    setText(this.#words, at ? cellSentence(this.#trace, kind, at.col, at.row) : HINT);
    this.#matrix.mark("aria-selected", (row, col) =>
      this.#kept?.row === row && this.#kept.col === col ? "true" : "false",
    );
    this.#drawFrame(at, kind);
    this.#rail.replaceChildren(...this.#railParts(at, kind));
  }

  /** The layers that a cell restores, framed in its row. */
  #drawFrame(at: Place | null, kind: Kind): void {
    this.#frame.remove();
    const row = at && this.#matrix.row(at.row);
    const [first, last] = (at && kind.spans[at.col]) ?? [0, -1];
    if (!row || last < first) return;
    this.#frame.style.setProperty("--first", String(first));
    this.#frame.style.setProperty("--many", String(last - first + 1));
    row.append(this.#frame);
  }

  #railParts(at: Place | null, kind: Kind): HTMLElement[] {
    const { clean, corrupted } = this.#trace;
    const cell = at ? cellOf(this.#trace, kind, at.col, at.row) : null;
    const dots = cell ? dotsOf(kind, cell).map((effect) => corrupted + effect) : [];
    const shown = cell && Number.isFinite(cell.restored) ? cell.restored : null;
    const place = railScale(corrupted, clean, shown === null ? dots : [...dots, shown]);
    const put = (el: HTMLElement, from: number, to = from) => {
      const [a, b] = [place(from), place(to)];
      el.style.left = `${(100 * Math.min(a, b)).toFixed(2)}%`;
      if (to !== from) el.style.width = `${(100 * Math.abs(b - a)).toFixed(2)}%`;
      return el;
    };
    const track = h("div", { class: "mw-track", "aria-hidden": "true" });
    track.append(
      put(h("span", { class: "mw-baseline" }), corrupted, clean),
      put(h("span", { class: "mw-dot" }), corrupted),
      put(h("span", { class: "mw-dot" }), clean),
    );
    if (shown !== null) {
      const points = place(shown) >= place(corrupted) ? "right" : "left";
      const needle = h("span", { class: "mw-needle", "data-points": points });
      track.append(put(needle, corrupted, shown));
      for (const dot of dots) track.append(put(h("span", { class: "mw-draw" }), dot));
    }
    const end = (text: string) => h("span", { class: "mw-end", text });
    const what = this.#trace.draws > 1 ? "draw" : "pair";
    const told =
      shown === null
        ? ""
        : dots.length > 1
          ? `restored ${raw(shown)}, a dot a ${what}`
          : `restored ${raw(shown)}`;
    return [
      h(
        "div",
        { class: "mw-railhead" },
        h("span", { class: "mw-metric", text: plain(this.#trace.metric, 80) }),
        h("span", { class: "mw-of", text: told }),
      ),
      h(
        "div",
        { class: "mw-rail" },
        end(`corrupted ${raw(corrupted)}`),
        track,
        end(`${raw(clean)} clean`),
      ),
    ];
  }

  /** Escape lets go of the kept cell. True if there was one. */
  escape(): boolean {
    if (!this.#kept) return false;
    this.#kept = null;
    this.#point();
    return true;
  }
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }) {
    const end = new AbortController();
    const view = new TraceView(model, end.signal);
    const root = shell("Causal trace", model, el, end.signal, ...view.parts);
    followWidth(root, end.signal, (width) => view.resize(width));
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !view.escape()) return;
      event.preventDefault();
      event.stopPropagation();
    });
    return () => end.abort();
  },
};
