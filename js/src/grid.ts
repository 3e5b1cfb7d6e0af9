// One panel of cells: the drawing primitive of every view. It is a grid for assistive technology
// too: one tab stop, arrows move, and each cell's name is its label and its sentence.

import { same } from "./cells.ts";
import { h, SUPPRESS, setProps, setText } from "./dom.ts";
import { gridKey } from "./grid_keys.ts";
import { percentText, short } from "./numbers.ts";
import { type Panel, Status, type View } from "./protocol.ts";
import { blueSign, shown, shownValue } from "./scale.ts";
import { cellName } from "./sentences.ts";
import type { Store } from "./store.ts";
import { quantity } from "./toolbar.ts";

export interface GridOptions {
  /** The panel's key in the view. */
  panel: string;
  /** Columns of the panel as rows on screen (tokens down the page). */
  transposed?: boolean;
  /** Cell size in CSS pixels. */
  width: number;
  height: number;
  /** The accessible name, without direction and unit. */
  name: string;
  /** What stands beside a row and over a column. */
  rowHead: (row: number) => Node[];
  colHead: (col: number) => Node;
  /** A name for what the corner over the row heads heads. */
  corner?: Node[];
  /** Class names for rows and columns, by screen position. */
  rowClass?: (row: number) => string;
}

const NUMBER_FITS = 25;
const LARGE_NUMBER_FITS = 34;
const STATE = ["none", "exact", "estimate", "zero", "failed", "impossible"];

export class Grid {
  readonly el: HTMLElement;
  readonly #cells: HTMLElement[] = [];
  readonly #rows: number;
  readonly #cols: number;
  #current = 0;

  constructor(
    readonly store: Store,
    readonly options: GridOptions,
    panel: Panel,
  ) {
    const turned = options.transposed ?? false;
    this.#rows = turned ? panel.cols : panel.rows;
    this.#cols = turned ? panel.rows : panel.cols;
    this.el = h("div", { class: "mw-grid", role: "grid", "aria-multiselectable": "true" });
    this.el.style.setProperty("--cw", `${options.width}px`);
    this.el.style.setProperty("--ch", `${options.height}px`);
    this.el.classList.toggle("mw-small", options.width < LARGE_NUMBER_FITS);
    this.#build();
    this.#listen();
    this.paint();
  }

  /** The panel index of the cell at screen position `at` (row-major on screen). */
  index(at: number): number {
    if (!this.options.transposed) return at;
    const row = Math.floor(at / this.#cols);
    return (at % this.#cols) * this.#rows + row;
  }

  /** The inverse of `index`. */
  at(index: number): number {
    if (!this.options.transposed) return index;
    const row = Math.floor(index / this.#rows);
    return (index % this.#rows) * this.#cols + row;
  }

  #build(): void {
    const head = h("div", { class: "mw-row mw-head", role: "row" });
    head.append(
      h("div", { class: "mw-rowhead", role: "columnheader" }, ...(this.options.corner ?? [])),
    );
    for (let col = 0; col < this.#cols; col++)
      head.append(
        h("div", { class: "mw-colhead", role: "columnheader" }, this.options.colHead(col)),
      );
    this.el.append(head);
    for (let row = 0; row < this.#rows; row++) {
      const extra = this.options.rowClass?.(row) ?? "";
      const line = h("div", { class: `mw-row ${extra}`.trim(), role: "row" });
      line.append(
        h("div", { class: "mw-rowhead", role: "rowheader" }, ...this.options.rowHead(row)),
      );
      for (let col = 0; col < this.#cols; col++) line.append(this.#cell(row * this.#cols + col));
      this.el.append(line);
    }
  }

  #cell(at: number): HTMLElement {
    const cell = h("div", { class: "mw-cell", role: "gridcell", tabindex: at === 0 ? 0 : -1 });
    cell.setAttribute(SUPPRESS, "true");
    cell.dataset.at = String(at);
    this.#cells.push(cell);
    return cell;
  }

  // --- painting ---------------------------------------------------------------------------

  /** Repaints every cell: values, states, names. No element is made. */
  paint(): void {
    const { store } = this;
    const panel = store.panel(this.options.panel);
    if (!store.view || !panel) return;
    this.#name(store.view);
    const stale = panel.revision < store.view.revision;
    this.el.classList.toggle("mw-stale", stale);
    this.#cells.forEach((cell, at) => {
      this.#paintCell(cell, this.index(at), panel, store.view as View);
    });
    this.marks();
  }

  #name(view: View): void {
    const words = quantity(this.store.direction, view.edit.corners).full;
    const unit = this.store.unit === "percent" ? "percent of the total effect" : view.metric.unit;
    setProps(this.el, { "aria-label": `${this.options.name}: ${words}, ${unit}` });
  }

  #paintCell(cell: HTMLElement, index: number, panel: Panel, view: View): void {
    const { store } = this;
    const reading = store.cellReading({ panel: panel.key, index });
    if (!reading) return;
    const state = STATE[reading.status] ?? "none";
    cell.dataset.state = state;
    let text = "";
    if (shown(reading.status)) {
      const value = shownValue(store.direction, view.edit, store.unit, reading.corners);
      const blue = blueSign(view, store.unit, value);
      const zero = reading.status === Status.ImpliedZero;
      const strength = zero ? 0 : Math.min(1, Math.abs(value) / store.max);
      cell.style.setProperty("--v", (100 * strength).toFixed(1));
      cell.dataset.sign = blue < 0 ? "away" : "toward";
      setProps(cell, { "data-over": Math.abs(value) > store.max * 1.0001 ? "true" : null });
      text = this.#number(value, reading.status);
    } else {
      cell.style.removeProperty("--v");
      setProps(cell, { "data-over": null });
    }
    setText(cell, text);
    setProps(cell, {
      "aria-label": cellName(view, store.direction, reading, panel),
      "aria-disabled": reading.status === Status.Impossible ? "true" : null,
    });
  }

  #number(value: number, status: number): string {
    if (status === Status.ImpliedZero) return "·";
    if (this.options.width < NUMBER_FITS) return "";
    const text = this.store.unit === "percent" ? percentText(Math.round(value)) : short(value);
    return status === Status.Estimate ? `≈${text}` : text;
  }

  /** Repaints the cell of a one-cell result, the only one that a result can change. */
  result(): void {
    const cells = this.store.result?.cells ?? [];
    const only = cells.length === 1 ? cells[0] : undefined;
    const panel = this.store.panel(this.options.panel);
    const cell = only && panel?.key === only.panel ? this.#cells[this.at(only.index)] : undefined;
    if (only && panel && cell && this.store.view)
      this.#paintCell(cell, only.index, panel, this.store.view);
    this.marks();
  }

  /** Repaints what is selected, on its way and under the pointer. */
  marks(): void {
    const { store } = this;
    const key = this.options.panel;
    const mine = (refs: { panel: string; index: number }[]) =>
      new Set(refs.filter((ref) => ref.panel === key).map((ref) => this.at(ref.index)));
    const waiting = mine(store.pending ?? []);
    const chosen = store.pending ? new Set<number>() : mine(store.result?.cells ?? []);
    this.#cells.forEach((cell, at) => {
      setProps(cell, {
        "aria-selected": chosen.has(at) || waiting.has(at) ? "true" : "false",
        "data-pending": waiting.has(at) ? "true" : null,
      });
    });
    this.hovered();
  }

  /** Marks the row under the pointer; all panels of a sheet share it. */
  hovered(): void {
    const hover = this.store.hover;
    const layer = hover ? this.store.layerOf(hover) : null;
    this.el.querySelectorAll(".mw-row").forEach((row, i) => {
      const here = !this.options.transposed && layer !== null && i - 1 === layer;
      row.classList.toggle("mw-here", here);
    });
  }

  // --- pointer and keys -----------------------------------------------------------------------

  #listen(): void {
    const ref = (target: EventTarget | null) => {
      const cell = (target as HTMLElement | null)?.closest<HTMLElement>(".mw-cell");
      return cell ? Number(cell.dataset.at) : null;
    };
    const over = (event: Event) => {
      const at = ref(event.target);
      if (at !== null) this.store.setHover(this.#ref(at));
    };
    this.el.addEventListener("pointerover", over);
    this.el.addEventListener("pointerleave", () => this.store.setHover(null));
    this.el.addEventListener("focusin", (event) => {
      const at = ref(event.target);
      if (at === null) return;
      this.#rove(at);
      this.store.setHover(this.#ref(at));
    });
    this.el.addEventListener("focusout", () => this.store.setHover(null));
    this.el.addEventListener("mousedown", (event) => {
      // A shift-click would otherwise select text.
      if (event.shiftKey) event.preventDefault();
    });
    this.el.addEventListener("click", (event) => {
      const at = ref(event.target);
      if (at === null) return;
      this.#choose(at, event.shiftKey || event.metaKey || event.ctrlKey);
      this.focus(at);
    });
    this.el.addEventListener("keydown", (event) => this.#key(event, ref(event.target)));
  }

  #ref(at: number) {
    return { panel: this.options.panel, index: this.index(at) };
  }

  #choose(at: number, add: boolean): void {
    const cell = this.#ref(at);
    const status = this.store.panel(cell.panel)?.status[cell.index];
    if (status !== Status.Impossible) this.store.choose(cell, add);
  }

  #key(event: KeyboardEvent, at: number | null): void {
    if (at === null) return;
    const command = gridKey(event, at, this.#rows, this.#cols);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    if (command.kind === "move") this.focus(command.at);
    else this.#choose(at, command.kind === "add");
  }

  #rove(at: number): void {
    this.#cells[this.#current]?.setAttribute("tabindex", "-1");
    this.#cells[at]?.setAttribute("tabindex", "0");
    this.#current = at;
  }

  /** Puts the focus on the cell at a screen position. */
  focus(at: number): void {
    this.#rove(at);
    this.#cells[at]?.focus({ preventScroll: false });
  }

  /** Whether the focus is on this panel's cell `index`. */
  has(index: number): boolean {
    const cell = this.#cells[this.at(index)];
    return !!cell && cell === document.activeElement;
  }

  /** The current tab stop as a cell, so that a rebuilt grid can keep it. */
  get current() {
    return this.#ref(this.#current);
  }

  /** Makes a cell the tab stop without moving the focus. */
  set current(cell: { panel: string; index: number }) {
    const at = this.at(cell.index);
    if (same({ ...cell, panel: this.options.panel }, cell) && at < this.#cells.length)
      this.#rove(at);
  }
}
