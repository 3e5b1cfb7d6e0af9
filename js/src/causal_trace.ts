// CausalTrace: tokens by layers, what restoring a state brings back, and which layers it takes.
import "./styles.css";
import "./interactions.css";
import "./trace.css";
import { button, h, setProps, setText, taken } from "./dom.ts";
import { cellSize, type Face, type Matrix, matrix, NUMBER_FITS, type Place } from "./matrix.ts";
import { raw, short } from "./numbers.ts";
import type { Model } from "./protocol.ts";
import { followWidth, shell } from "./shell.ts";
import { plain, token } from "./text.ts";
import { traceRail } from "./trace_rail.ts";
import {
  cellLabel,
  cellOf,
  cellSentence,
  decodeTrace,
  type Kind,
  type Trace,
  toward,
  traceScale,
  windowWords,
} from "./traces.ts";

const [PADDING, BETWEEN] = [26, 14];
const CHARACTER = 7.4;
const LONGEST = 14;
const HEIGHT = 24;
const HINT =
  "Point at a cell to see which layers it restores and what that brings back; click it to keep it.";

/** A cell of one of the grids. */
interface Spot extends Place {
  kind: Kind;
}
interface Panel {
  kind: Kind;
  matrix: Matrix;
}

class TraceView {
  readonly parts: HTMLElement[];
  readonly #trace: Trace;
  readonly #scale: number;
  #panels: Panel[] = [];
  #hover: Spot | null = null;
  #kept: Spot | null = null;
  #width = 0;
  #box = h("div", { class: "mw-traces" });
  #frame = h("span", { class: "mw-window", "aria-hidden": "true" });
  #switch = h("div", { class: "mw-segments", role: "group", "aria-label": "What is restored" });
  #words = h("p", { class: "mw-sentence" });
  #rail = h("div", { class: "mw-tracerail" });

  constructor(
    readonly model: Model,
    signal: AbortSignal,
  ) {
    this.#trace = decodeTrace(model.get("trace"));
    this.#scale = traceScale(this.#trace);
    for (const kind of this.#trace.kinds)
      this.#switch.append(
        button(plain(kind.title, 20), () => this.#show(kind), {
          class: "mw-segment",
          "data-kind": kind.kind,
        }),
      );
    this.parts = [
      h("p", { class: "mw-gametitle", text: plain(this.#trace.title, 400) }),
      this.#rail,
      this.#words,
      h("div", { class: "mw-part mw-pairhead" }, this.#switch, key(), this.#legend()),
      this.#box,
    ];
    model.on("change:kind", () => {
      if (!signal.aborted) this.#layOut();
    });
    this.#layOut();
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
    this.#layOut();
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

  // --- the grids -------------------------------------------------------------------------------

  /** For a width in CSS pixels. */
  resize(width: number): void {
    this.#width = width;
    this.#layOut();
  }

  /** All kinds side by side where their numbers fit; else one of them, and a switch. */
  #layOut(): void {
    const { kinds, tokens } = this.#trace;
    const longest = Math.max(5, ...tokens.map((text) => text.length));
    const head = Math.round(Math.min(longest, LONGEST) * CHARACTER + 10);
    const room = this.#width - PADDING - head;
    const columns = kinds.reduce((sum, kind) => sum + kind.layers.length, 0);
    const each = cellSize(room - BETWEEN * (kinds.length - 1), columns);
    const all = each >= NUMBER_FITS || kinds.length === 1;
    this.#build(all ? kinds : [this.#kind]);
    this.#switch.hidden = all;
    for (const el of this.#switch.querySelectorAll<HTMLElement>("button"))
      setProps(el, { "aria-pressed": String(el.dataset.kind === this.#kind.kind) });
    const cell = all ? each : cellSize(room, this.#kind.layers.length);
    this.#panels.forEach(({ matrix }, i) => {
      matrix.el.style.setProperty("--rh", i === 0 ? `${head}px` : "0px");
      matrix.resize(cell, cell < NUMBER_FITS ? 20 : HEIGHT);
    });
  }

  #build(kinds: readonly Kind[]): void {
    if (kinds.map(({ kind }) => kind).join() === this.#panels.map((p) => p.kind.kind).join())
      return;
    this.#panels = kinds.map((kind) => ({ kind, matrix: this.#matrix(kind) }));
    this.#hover = null;
    if (this.#kept && !kinds.includes(this.#kept.kind)) this.#kept = null;
    this.#box.replaceChildren(
      ...this.#panels.map(({ kind, matrix }) =>
        h(
          "div",
          { class: "mw-scroll" },
          h(
            "div",
            { class: "mw-tracetitle" },
            h("b", { text: plain(kind.title, 20) }),
            h("span", { class: "mw-hint", text: windowWords(kind) }),
          ),
          matrix.el,
        ),
      ),
    );
    this.#point();
  }

  #matrix(kind: Kind): Matrix {
    const { tokens, subject } = this.#trace;
    return matrix({
      rows: tokens.length,
      cols: kind.layers.length,
      corner: [h("span", { class: "mw-axis", text: "layer" })],
      rowHead: (row) => [token(tokens[row] ?? "")],
      colHead: (col) => h("span", { text: kind.layers[col] ?? "" }),
      rowClass: (row) => (subject.has(row) ? "mw-subjectrow" : ""),
      name: () => `${kind.title}, token by layer: indirect effect, ${plain(this.#trace.unit, 40)}`,
      face: (row, col) => this.#face(kind, row, col),
      hover: (at) => {
        this.#hover = at && { ...at, kind };
        this.#point();
      },
      choose: (at) => {
        const spot = { ...at, kind };
        this.#kept = same(this.#kept, spot) ? null : spot;
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

  // --- under the pointer -------------------------------------------------------------------------

  #point(): void {
    const spot = this.#hover ?? this.#kept;
    const cell = spot && cellOf(this.#trace, spot.kind, spot.col, spot.row);
    setText(this.#words, spot ? cellSentence(this.#trace, spot.kind, spot.col, spot.row) : HINT);
    for (const { kind, matrix } of this.#panels)
      matrix.mark("aria-selected", (row, col) =>
        same(this.#kept, { row, col, kind }) ? "true" : "false",
      );
    this.#drawFrame(spot);
    this.#rail.replaceChildren(...traceRail(this.#trace, spot?.kind ?? this.#kind, cell));
  }

  /** The layers that a cell restores, framed in its row. */
  #drawFrame(spot: Spot | null): void {
    this.#frame.remove();
    const matrix = this.#panels.find(({ kind }) => kind === spot?.kind)?.matrix;
    const row = spot && matrix?.row(spot.row);
    const span = spot?.kind.spans[spot.col];
    if (!row || !span) return;
    this.#frame.style.setProperty("--first", String(span[0]));
    this.#frame.style.setProperty("--many", String(span[1] - span[0] + 1));
    row.append(this.#frame);
  }

  /** Escape lets go of the kept cell. True if there was one. */
  escape(): boolean {
    if (!this.#kept) return false;
    this.#kept = null;
    this.#point();
    return true;
  }
}

function same(a: Spot | null, b: Spot): boolean {
  return a !== null && a.kind === b.kind && a.row === b.row && a.col === b.col;
}

function key(): HTMLElement {
  const item = (mark: HTMLElement, text: string) => h("span", { class: "mw-keyitem" }, mark, text);
  return h(
    "div",
    { class: "mw-key" },
    item(h("span", { class: "mw-subject", text: "token" }), "subject, corrupted"),
    item(h("i", { class: "mw-swatch", "data-state": "none" }), "not run"),
  );
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }) {
    const end = new AbortController();
    const view = new TraceView(model, end.signal);
    const root = shell("Causal trace", model, el, end.signal, ...view.parts);
    followWidth(root, end.signal, (width) => view.resize(width));
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !view.escape()) return;
      taken(event);
    });
    return () => end.abort();
  },
};
