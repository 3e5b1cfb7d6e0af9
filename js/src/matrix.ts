// A grid of coloured cells without a study behind it: one tab stop, arrows move, each cell has a
// name and a sentence. (grid.ts is that of a study's panels.)
import { h, SUPPRESS, setProps, setText } from "./dom.ts";
import { gridKey } from "./grid_keys.ts";

/** How a cell looks and what it is called. */
export interface Face {
  /** "exact", "none" (not run), "plain" (no colour of its own). */
  state: "exact" | "none" | "plain";
  /** Share of the scale, −1 to 1; positive is blue. */
  share: number;
  text: string;
  name: string;
}

export interface MatrixOptions {
  rows: number;
  cols: number;
  corner: Node[];
  rowHead: (row: number) => Node[];
  colHead: (col: number) => Node;
  rowClass?: (row: number) => string;
  /** The accessible name of the whole. */
  name: () => string;
  face: (row: number, col: number) => Face;
  /** Pointer or focus came to a cell; null where they left. */
  hover: (at: Place | null) => void;
  choose: (at: Place) => void;
}
export interface Place {
  row: number;
  col: number;
}

const [SMALLEST, LARGEST, GAP] = [12, 40, 2];
const LARGE_NUMBER_FITS = 34;
/** Below this share of the scale a number is not what the eye should meet first. */
const QUIET = 0.01;
/** A cell of this width has room for a number of three digits. */
export const NUMBER_FITS = 26;

/** The size of a cell where `cols` of them share a width. */
export function cellSize(width: number, cols: number): number {
  return Math.max(SMALLEST, Math.min(LARGEST, Math.floor(width / cols) - GAP));
}

export class Matrix {
  readonly el = h("div", { class: "mw-grid", role: "grid" });
  readonly #cells: HTMLElement[] = [];
  #current = 0;

  constructor(readonly options: MatrixOptions) {
    this.#build();
    this.#listen();
    this.paint();
  }

  #build(): void {
    const { rows, cols, corner, colHead, rowHead, rowClass } = this.options;
    const head = h("div", { class: "mw-row mw-head", role: "row" });
    head.append(h("div", { class: "mw-rowhead", role: "columnheader" }, ...corner));
    for (let col = 0; col < cols; col++)
      head.append(h("div", { class: "mw-colhead", role: "columnheader" }, colHead(col)));
    this.el.append(head);
    for (let row = 0; row < rows; row++) {
      const line = h("div", { class: `mw-row ${rowClass?.(row) ?? ""}`.trim(), role: "row" });
      line.append(h("div", { class: "mw-rowhead", role: "rowheader" }, ...rowHead(row)));
      for (let col = 0; col < cols; col++) line.append(this.#cell(row * cols + col));
      this.el.append(line);
    }
  }

  #cell(at: number): HTMLElement {
    const cell = h("div", { class: "mw-cell", role: "gridcell", tabindex: at === 0 ? 0 : -1 });
    cell.dataset.at = String(at);
    cell.setAttribute(SUPPRESS, "true");
    this.#cells.push(cell);
    return cell;
  }

  /** Sizes of the cells, in CSS pixels. */
  resize(width: number, height: number): void {
    this.el.style.setProperty("--cw", `${width}px`);
    this.el.style.setProperty("--ch", `${height}px`);
    this.el.classList.toggle("mw-small", width < LARGE_NUMBER_FITS);
    this.el.classList.toggle("mw-bare", width < NUMBER_FITS);
  }

  /** Repaints every cell. No element is made. */
  paint(): void {
    setProps(this.el, { "aria-label": this.options.name() });
    this.#cells.forEach((cell, at) => {
      const { row, col } = this.#place(at);
      const { state, share, text, name } = this.options.face(row, col);
      cell.dataset.state = state;
      cell.dataset.sign = share < 0 ? "away" : "toward";
      const size = state === "exact" ? Math.min(1, Math.abs(share)) : 0;
      cell.style.setProperty("--v", (100 * size).toFixed(1));
      setProps(cell, {
        "data-quiet": state === "exact" && size < QUIET ? "true" : null,
        "data-over": state === "exact" && Math.abs(share) > 1.0001 ? "true" : null,
        "aria-label": name,
      });
      setText(cell, text);
    });
  }

  /** Marks cells by an attribute; null takes the mark away. */
  mark(attribute: string, value: (row: number, col: number) => string | null): void {
    this.#cells.forEach((cell, at) => {
      const { row, col } = this.#place(at);
      setProps(cell, { [attribute]: value(row, col) });
    });
  }

  /** The element of a row of cells. */
  row(row: number): Element | null {
    return this.el.children[row + 1] ?? null;
  }

  #place(at: number): Place {
    const { cols } = this.options;
    return { row: Math.floor(at / cols), col: at % cols };
  }

  #listen(): void {
    const at = (target: EventTarget | null) => {
      const cell = (target as HTMLElement | null)?.closest<HTMLElement>(".mw-cell");
      return cell ? Number(cell.dataset.at) : null;
    };
    const { hover, choose, rows, cols } = this.options;
    const point = (event: Event) => {
      const to = at(event.target);
      if (to !== null) hover(this.#place(to));
    };
    this.el.addEventListener("pointerover", point);
    this.el.addEventListener("pointerleave", () => hover(null));
    this.el.addEventListener("focusin", (event) => {
      this.#rove(at(event.target) ?? this.#current);
      point(event);
    });
    this.el.addEventListener("focusout", () => hover(null));
    this.el.addEventListener("click", (event) => {
      const to = at(event.target);
      if (to === null) return;
      this.#cells[to]?.focus();
      choose(this.#place(to));
    });
    this.el.addEventListener("keydown", (event) => {
      const from = at(event.target);
      const command = from === null ? null : gridKey(event, from, rows, cols);
      if (from === null || !command) return;
      event.preventDefault();
      event.stopPropagation();
      if (command.kind === "move") this.#cells[command.at]?.focus();
      else choose(this.#place(from));
    });
  }

  #rove(at: number): void {
    this.#cells[this.#current]?.setAttribute("tabindex", "-1");
    this.#cells[at]?.setAttribute("tabindex", "0");
    this.#current = at;
  }
}
