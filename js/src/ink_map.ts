// Many small cells on one canvas, for what elements are too slow for: tokens by tokens. One cell at
// a time is an element, the one that is pointed at or focused: one tab stop, arrows move, Enter
// chooses, and its name is heard.
import "./looking.css";
import { h, on, SUPPRESS, setProps, taken } from "./dom.ts";
import { gridKey } from "./grid_keys.ts";
import { word } from "./text.ts";

export interface Spot {
  row: number;
  col: number;
}
export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}
/** The colours of the style sheet, as they are now. */
export type Inks = Record<
  "ink" | "soft" | "line" | "field" | "surface" | "toward" | "away",
  string
>;

export interface Sheet {
  rows: number;
  cols: number;
  rowLabels: readonly string[];
  colLabels: readonly string[];
  /** The accessible name of the whole. */
  name: string;
  /** Width and height of a cell, where the cells have `room` CSS pixels together. */
  cell: (room: number) => [number, number];
  draw: (context: CanvasRenderingContext2D, spot: Spot, box: Box, inks: Inks) => void;
}

export interface Hands {
  /** A cell's accessible name: its label first. */
  label: (spot: Spot) => string;
  /** Pointer or focus came to a cell; null where they left. */
  point: (spot: Spot | null) => void;
  choose: (spot: Spot, add: boolean) => void;
}

const TEXT = 11;
const APART = 13;
const LONGEST_LABEL = 88;
const GAPS_FROM = 7;

export class InkMap {
  readonly el = h("div", { class: "mw-map", role: "grid" });
  readonly scroll = h("div", { class: "mw-scroll" }, this.el);
  #canvas = h("canvas", { "aria-hidden": "true" });
  #cells = [0, 1].map(() => h("div", { class: "mw-mapcell", role: "gridcell", tabindex: 0 }));
  #rings = h("div", { "aria-hidden": "true" });
  #over = h("div", { class: "mw-over-cell", "aria-hidden": "true", hidden: true });
  #sheet: Sheet | null = null;
  #at: Spot = { row: 0, col: 0 };
  #now = 0;
  #size: [number, number] = [0, 0];
  #origin: [number, number] = [0, 0];
  #width = 0;
  #due = false;
  #look: MutationObserver | null = null;
  #ringed: [readonly Spot[], boolean] = [[], false];

  constructor(
    readonly hands: Hands,
    readonly signal: AbortSignal,
  ) {
    for (const cell of this.#cells) cell.setAttribute(SUPPRESS, "true");
    this.el.append(this.#canvas, h("div", { role: "row" }, this.#cell), this.#rings, this.#over);
    this.#listen();
    const size = new ResizeObserver(() => this.#resize());
    size.observe(this.scroll);
    addEventListener("resize", () => this.paint(), { signal });
    on(signal, "abort", () => {
      size.disconnect();
      this.#look?.disconnect();
    });
  }

  /** Shows another sheet; the current cell stays where it was as far as there is one. */
  show(sheet: Sheet): void {
    this.#sheet = sheet;
    setProps(this.el, {
      "aria-label": sheet.name,
      "aria-rowcount": sheet.rows,
      "aria-colcount": sheet.cols,
    });
    const { row, col } = this.#at;
    this.#at = { row: Math.min(row, sheet.rows - 1), col: Math.min(col, sheet.cols - 1) };
    this.#width = 0;
    this.#resize();
    this.paint();
  }

  #resize(): void {
    const width = Math.round(this.scroll.getBoundingClientRect().width);
    const sheet = this.#sheet;
    if (!sheet || width === 0 || width === this.#width) return;
    this.#width = width;
    this.#watch();
    const longest = (labels: readonly string[]) =>
      Math.min(LONGEST_LABEL, 10 + Math.max(...labels.map((label) => this.#measure(word(label)))));
    this.#origin = [longest(sheet.rowLabels), longest(sheet.colLabels)];
    this.#size = sheet.cell(width - this.#origin[0] - 8);
    this.el.style.width = `${this.#origin[0] + sheet.cols * this.#size[0]}px`;
    this.el.style.height = `${this.#origin[1] + sheet.rows * this.#size[1]}px`;
    this.#place(this.#at);
    this.ring(...this.#ringed);
    this.paint();
  }

  #measure(text: string): number {
    const context = this.#canvas.getContext("2d");
    if (!context) return 7 * text.length;
    context.font = this.#font();
    return context.measureText(text).width;
  }

  #font(): string {
    return `${TEXT}px ${getComputedStyle(this.el).fontFamily || "sans-serif"}`;
  }

  /** Another theme or palette is another picture. */
  #watch(): void {
    const root = this.el.closest(".mw");
    if (this.#look || !root) return;
    this.#look = new MutationObserver(() => this.paint());
    this.#look.observe(root, { attributeFilter: ["data-theme", "data-palette", "style"] });
  }

  // --- painting ---------------------------------------------------------------------------

  /** Paints everything, once, in the next frame. */
  paint(): void {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      const context = this.#canvas.getContext("2d");
      if (this.#sheet && context && this.#width > 0) this.#paint(this.#sheet, context);
    });
  }

  #paint(sheet: Sheet, context: CanvasRenderingContext2D): void {
    const ratio = devicePixelRatio || 1;
    const [left, top] = this.#origin;
    const [w, height] = this.#size;
    const [wide, high] = [left + sheet.cols * w, top + sheet.rows * height];
    this.#canvas.width = Math.round(wide * ratio);
    this.#canvas.height = Math.round(high * ratio);
    this.#canvas.style.width = `${wide}px`;
    this.#canvas.style.height = `${high}px`;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const inks = this.#inks();
    context.font = this.#font();
    const [gapX, gapY] = [w, height].map((size) => (size >= GAPS_FROM ? 1 : 0)) as [number, number];
    for (let row = 0; row < sheet.rows; row++)
      for (let col = 0; col < sheet.cols; col++) {
        const box = { x: left + col * w, y: top + row * height, w: w - gapX, h: height - gapY };
        sheet.draw(context, { row, col }, box, inks);
      }
    this.#labels(sheet, context, inks);
  }

  #labels(sheet: Sheet, context: CanvasRenderingContext2D, inks: Inks): void {
    const [left, top] = this.#origin;
    const [w, height] = this.#size;
    context.globalAlpha = 1;
    context.fillStyle = inks.soft;
    context.textBaseline = "middle";
    context.textAlign = "right";
    // Labels thin out before they would meet.
    const every = (size: number) => Math.max(1, Math.ceil(APART / size));
    for (let row = 0; row < sheet.rows; row += every(height))
      context.fillText(
        fitted(context, word(sheet.rowLabels[row] ?? ""), left - 8),
        left - 5,
        top + (row + 0.5) * height,
      );
    context.textAlign = "left";
    for (let col = 0; col < sheet.cols; col += every(w)) {
      context.save();
      context.translate(left + (col + 0.5) * w, top - 5);
      context.rotate(-Math.PI / 2);
      context.fillText(fitted(context, word(sheet.colLabels[col] ?? ""), top - 8), 0, 0);
      context.restore();
    }
  }

  #inks(): Inks {
    const style = getComputedStyle(this.el);
    const of = (name: string) => style.getPropertyValue(`--mw-${name}`) || "#888";
    return {
      ...{ ink: of("ink"), soft: of("soft"), line: of("line"), field: of("field") },
      ...{ surface: of("surface"), toward: of("toward"), away: of("away") },
    };
  }

  /** Rings around the cells that are selected, dashed while their answer is on its way. */
  ring(spots: readonly Spot[], pending: boolean): void {
    this.#ringed = [spots, pending];
    this.#rings.replaceChildren(
      ...spots.map((spot) => {
        const ring = h("div", { class: "mw-ring", "data-pending": pending ? "true" : null });
        this.#put(ring, spot);
        return ring;
      }),
    );
    this.#choose();
  }

  #choose(): void {
    const chosen = this.#ringed[0].some((spot) => same(spot, this.#at));
    setProps(this.#cell, { "aria-selected": String(chosen) });
  }

  // --- the current cell ---------------------------------------------------------------------

  get #cell(): HTMLElement {
    return this.#cells[this.#now] as HTMLElement;
  }

  #put(el: HTMLElement, { row, col }: Spot): void {
    const [w, height] = this.#size;
    el.style.transform = `translate(${this.#origin[0] + col * w}px, ${this.#origin[1] + row * height}px)`;
    el.style.width = `${w}px`;
    el.style.height = `${height}px`;
  }

  #place(spot: Spot): void {
    this.#at = spot;
    this.#put(this.#cell, spot);
    this.name();
    setProps(this.#cell, {
      "aria-rowindex": spot.row + 1,
      "aria-colindex": spot.col + 1,
      tabindex: 0,
    });
    this.#choose();
  }

  /** Names the current cell anew: what it says may have changed. */
  name(): void {
    if (this.#sheet) setProps(this.#cell, { "aria-label": this.hands.label(this.#at) });
  }

  /** Puts the focus on a cell; each move is to another element, so that it is heard. */
  focus(spot: Spot): void {
    const left = this.#cell;
    this.#now = 1 - this.#now;
    this.#place(spot);
    left.after(this.#cell);
    this.#cell.focus();
    left.remove();
  }

  #spot(event: MouseEvent): Spot | null {
    const sheet = this.#sheet;
    if (!sheet) return null;
    const box = this.el.getBoundingClientRect();
    const col = Math.floor((event.clientX - box.left - this.#origin[0]) / this.#size[0]);
    const row = Math.floor((event.clientY - box.top - this.#origin[1]) / this.#size[1]);
    return col >= 0 && row >= 0 && col < sheet.cols && row < sheet.rows ? { row, col } : null;
  }

  #listen(): void {
    const { hands, el } = this;
    let over: Spot | null = null;
    const point = (spot: Spot | null) => {
      if (same(spot, over)) return;
      over = spot;
      this.#over.hidden = !spot;
      if (spot) this.#put(this.#over, spot);
      hands.point(spot ?? (this.#cell.matches(":focus") ? this.#at : null));
    };
    on(el, "pointermove", (event) => point(this.#spot(event)));
    on(el, "pointerleave", () => point(null));
    on(el, "focusin", () => hands.point(this.#at));
    on(el, "focusout", () => hands.point(null));
    on(el, "mousedown", (event) => event.preventDefault());
    on(el, "click", (event) => {
      const spot = this.#spot(event);
      if (!spot) return;
      this.focus(spot);
      hands.choose(spot, event.shiftKey || event.metaKey || event.ctrlKey);
    });
    on(el, "keydown", (event) => {
      const sheet = this.#sheet;
      if (!sheet) return;
      const from = this.#at.row * sheet.cols + this.#at.col;
      const command = gridKey(event, from, sheet.rows, sheet.cols);
      if (!command || !["move", "run", "add"].includes(command.kind)) return;
      taken(event);
      if (command.kind !== "move") hands.choose(this.#at, command.kind === "add");
      else this.focus({ row: Math.floor(command.at / sheet.cols), col: command.at % sheet.cols });
    });
  }
}

/** As much of a text as there is room for, in CSS pixels. */
export function fitted(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let cut = text;
  while (cut.length > 1 && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return `${cut}…`;
}

function same(a: Spot | null, b: Spot | null): boolean {
  return a === b || (!!a && !!b && a.row === b.row && a.col === b.col);
}
