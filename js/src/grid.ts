// One panel of a study as a matrix: what its cells show comes from the corners on the page, what
// people do with them goes to the store.
import { type Face, type MatrixOptions, matrix as makeMatrix, type Place } from "./matrix.ts";
import { percentText, short } from "./numbers.ts";
import { type CellRef, type Panel, Status } from "./protocol.ts";
import { blueSign, shown, shownValue } from "./scale.ts";
import { cellName } from "./sentences.ts";
import type { Store } from "./store.ts";
import { quantity } from "./toolbar.ts";

export interface GridOptions
  extends Pick<MatrixOptions, "corner" | "rowHead" | "colHead" | "rowClass"> {
  /** Columns of the panel as rows on screen (tokens down the page). */
  transposed?: boolean;
  /** Cell size in CSS pixels. */
  width: number;
  height: number;
  /** Percent below 1 have a decimal, for many of its cells are that small, and only a frame says
   * that they are estimates. */
  fine?: boolean;
  /** The accessible name, without direction and unit. */
  title: string;
}
export type Grid = ReturnType<typeof grid>;

const NUMBER_FITS = 25;
const DECIMAL_FITS = 28;
const STATE = ["none", "exact", "estimate", "zero", "failed", "impossible"] as const;

export function grid(store: Store, options: GridOptions, { key, rows, cols }: Panel) {
  const { transposed, width, fine } = options;
  const ref = ({ row, col }: Place): CellRef => ({
    panel: key,
    index: transposed ? col * cols + row : row * cols + col,
  });
  /** The place on screen, counted row by row, of the panel's cell `index`. */
  const at = (index: number) =>
    transposed ? (index % cols) * rows + Math.floor(index / cols) : index;

  const face = (row: number, col: number): Face => {
    const { view, direction, unit } = store;
    const reading = store.cellReading(ref({ row, col }));
    const panel = store.panel(key);
    if (!view || !panel || !reading) return { state: "none", share: 0, text: "", name: "" };
    const { status } = reading;
    const value = shown(status) ? shownValue(direction, view.edit, unit, reading.corners) : 0;
    const zero = status === Status.ImpliedZero;
    const number =
      unit === "percent" ? percentText(fine ? value : Math.round(value)) : short(value);
    const about = status === Status.Estimate && !fine;
    const small = width < (fine ? DECIMAL_FITS : NUMBER_FITS) || !shown(status);
    return {
      state: STATE[status] ?? "none",
      share: zero ? 0 : blueSign(view, unit, value) / store.max || 0,
      // Longer numbers would leave the cell; its dotted frame says the same.
      text: zero ? "·" : small ? "" : (about && number.length < 3 ? "≈" : "") + number,
      get name() {
        return cellName(view, direction, reading, panel);
      },
    };
  };

  const matrix = makeMatrix({
    ...options,
    rows: transposed ? cols : rows,
    cols: transposed ? rows : cols,
    name: () => {
      const words = quantity(store.direction, store.view?.edit.corners ?? true).full;
      const unit =
        store.unit === "percent" ? "percent of the total effect" : store.view?.metric.unit;
      return `${options.title}: ${words}, ${unit}`;
    },
    face,
    hover: (place) => store.setHover(place && ref(place)),
    choose: (place, add) => store.chooseAll([ref(place)], add, true),
    several: (all, add) => store.chooseAll(all.map(ref), add),
  });
  matrix.resize(width, options.height);

  /** Marks the row under the pointer; all panels of a sheet share it. */
  let here: Element | null = null;
  const hovered = () => {
    const { hover } = store;
    const layer = hover && !transposed && rows > 1 ? store.layerOf(hover) : null;
    here?.classList.remove("mw-here");
    here = layer === null ? null : matrix.row(layer);
    here?.classList.add("mw-here");
  };

  /** Repaints what is selected, on its way and under the pointer. */
  const marks = () => {
    const mine = store.selection.filter((cell) => cell.panel === key);
    const chosen = new Set(mine.map(({ index }) => index));
    const has = (row: number, col: number) => chosen.has(ref({ row, col }).index);
    matrix.mark("aria-selected", (row, col) => String(has(row, col)));
    matrix.mark("data-pending", (row, col) => (store.pending && has(row, col) ? "true" : null));
    hovered();
  };

  /** Repaints every cell: values, states, names. */
  const paint = () => {
    const stale = (store.panel(key)?.revision ?? 0) < (store.view?.revision ?? 0);
    matrix.el.classList.toggle("mw-stale", stale);
    matrix.paint();
    marks();
  };
  paint();

  return {
    key,
    matrix,
    paint,
    marks,
    hovered,
    /** Repaints the cell of a one-cell result, the only one that a result can change. */
    result: () => {
      const [only, more] = store.result?.cells ?? [];
      if (only?.panel === key && !more) matrix.repaint(at(only.index));
      marks();
    },
    focus: (index: number) => matrix.focus(at(index)),
    /** The tab stop's index, so that a grid that is made anew can keep it. */
    current: () => ref(matrix.current()).index,
    rove: (index: number) => matrix.rove(at(index)),
  };
}
