// A grid of coloured cells, the drawing primitive of every view: one tab stop, arrows move, each
// cell has a name and a sentence. Up to FEW cells are elements. More are painted on a canvas, and
// only those that are pointed at, focused or marked are elements, over their painted places.
import { cellCanvas, OVER } from "./canvas.ts";
import { h, setProps, setText, taken } from "./dom.ts";
import { gridKey } from "./grid_keys.ts";

/** How a cell looks and what it is called. */
export interface Face {
  /** "none": not run; "plain": no colour of its own. */
  state: "exact" | "estimate" | "zero" | "none" | "failed" | "impossible" | "plain";
  /** Share of the scale, −1 to 1; positive is blue. */
  share: number;
  text: string;
  /** Read only where somebody may hear it, so a getter is well placed. */
  readonly name: string;
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
  /** `add`: to what is chosen already. */
  choose: (at: Place, add: boolean) => void;
  /** A row, a column or a rectangle was chosen; left out where only single cells can be. */
  several?: (all: Place[], add: boolean) => void;
}
export interface Place {
  row: number;
  col: number;
}

const [SMALLEST, LARGEST, GAP] = [12, 40, 2];
const LARGE_NUMBER_FITS = 34;
const FEW = 1000;
/** Below this share of the scale a number is not what the eye should meet first. */
const QUIET = 0.01;
/** A cell of this width has room for a number of three digits. */
export const NUMBER_FITS = 26;
/** Room that a digit of an axis takes, and a line of it. */
const [DIGIT, LINE] = [7, 13];

/** The size of a cell where `cols` of them share a width. */
export function cellSize(width: number, cols: number): number {
  return Math.max(SMALLEST, Math.min(LARGEST, Math.floor(width / cols) - GAP));
}

export type Matrix = ReturnType<typeof matrix>;
type Span = [number, number];

export function matrix(options: MatrixOptions) {
  const { rows, cols, corner, colHead, rowHead, rowClass, face, several } = options;
  const size = rows * cols;
  const canvas = size > FEW ? cellCanvas(rows, cols, face) : null;
  const cells = new Map<number, HTMLElement>();
  /** What holds a row's cells: of a painted row a lane, in which its few elements have places. */
  const lanes: HTMLElement[] = [];
  const el = h("div", {
    class: "mw-grid",
    role: "grid",
    "aria-rowcount": rows + 1,
    "aria-colcount": cols + 1,
    "aria-multiselectable": several ? "true" : null,
  });
  let current = 0;
  let under: number | null = null;

  const place = (at: number): Place => ({ row: Math.floor(at / cols), col: at % cols });
  const faceAt = (at: number) => face(Math.floor(at / cols), at % cols);

  // --- elements --------------------------------------------------------------------------------

  const line = (row: number, name: string, corner: Node[]) => {
    const role = row ? "rowheader" : "columnheader";
    const head = h("div", { class: "mw-rowhead", role }, ...corner);
    const made = h("div", { class: `mw-row ${name}`, role: "row", "aria-rowindex": row + 1 }, head);
    el.append(made);
    return made;
  };

  /** The element of a cell; made where the cell was only painted. */
  const cellAt = (at: number): HTMLElement => {
    let cell = cells.get(at);
    if (cell) return cell;
    const { row, col } = place(at);
    cell = h("div", {
      class: "mw-cell",
      role: "gridcell",
      tabindex: at === current ? 0 : -1,
      "aria-colindex": col + 2,
      "data-at": at,
      "aria-label": canvas && faceAt(at).name,
    });
    cell.style.setProperty("--at", String(col));
    cells.set(at, cell);
    lanes[row]?.append(cell);
    return cell;
  };

  /** A painted cell needs its element no longer than it is pointed at, focused or marked. */
  const prune = () => {
    if (canvas)
      for (const [at, cell] of cells)
        if (
          at !== current &&
          at !== under &&
          cell !== document.activeElement &&
          cell.ariaSelected !== "true"
        ) {
          cell.remove();
          cells.delete(at);
        }
  };

  const paintElement = (at: number) => {
    const cell = cells.get(at);
    if (!cell) return;
    const { state, share, text, name } = faceAt(at);
    const strength = Math.min(1, Math.abs(share));
    cell.style.setProperty("--v", (100 * strength).toFixed(1));
    setProps(cell, {
      "data-state": state,
      "data-sign": share < 0 ? "away" : "toward",
      "data-quiet": state === "exact" && strength < QUIET && "true",
      "data-over": !canvas && Math.abs(share) > OVER && "true",
      "aria-disabled": state === "impossible" && "true",
      "aria-label": name,
    });
    if (!canvas) setText(cell, text);
  };

  /** Repaints every cell. No element is made. */
  const paint = () => {
    setProps(el, { "aria-label": options.name() });
    canvas?.paint();
    for (const at of cells.keys()) paintElement(at);
  };

  /** Makes a cell the tab stop without moving the focus. */
  const rove = (at: number) => {
    if (at >= size) return;
    setProps(cellAt(current), { tabindex: -1 });
    current = at;
    setProps(cellAt(at), { tabindex: 0 });
    prune();
  };

  /** Puts the focus on the cell at a place, counted row by row. */
  const focus = (at: number) => {
    rove(at);
    cellAt(at).focus();
  };

  // --- pointer and keys ------------------------------------------------------------------------

  /** The cell that an event is about, counted row by row; on a canvas the place under the pointer tells. */
  const of = (event: Event): number | null => {
    const target = event.target as HTMLElement;
    const cell = target.closest<HTMLElement>(".mw-cell");
    if (cell) return Number(cell.dataset.at);
    const beside = !canvas || !(event instanceof MouseEvent) || target.closest(".mw-rowhead");
    const spot = beside ? null : canvas.place(event.clientX, event.clientY);
    return spot && spot.row * cols + spot.col;
  };

  const point = (at: number | null) => {
    if (at === under) return;
    under = at;
    if (canvas && at !== null) cellAt(at);
    prune();
    options.hover(at === null ? null : place(at));
  };
  const over = (event: Event) => {
    const at = of(event);
    if (at !== null) point(at);
  };

  const choose = ([top, bottom]: Span, [left, right]: Span, add: boolean) => {
    const all: Place[] = [];
    for (let row = top; row <= bottom; row++)
      for (let col = left; col <= right; col++) all.push({ row, col });
    several?.(all, add);
  };
  const [allRows, allCols]: [Span, Span] = [
    [0, rows - 1],
    [0, cols - 1],
  ];

  const click = (event: MouseEvent) => {
    const add = event.shiftKey || event.metaKey || event.ctrlKey;
    const at = of(event);
    if (at !== null) {
      focus(at);
      options.choose(place(at), add);
      return;
    }
    // The name of a row or of a column stands for all of it.
    const head = (event.target as HTMLElement).closest("[role$=header]");
    const nth = (node: Node | null | undefined) =>
      [...(node?.parentElement?.children ?? [])].indexOf(node as Element) - 1;
    const [row, col] = [nth(head?.parentElement), nth(head)];
    if (head && row >= 0) choose([row, row], allCols, add);
    else if (head && col >= 0) choose(allRows, [col, col], add);
  };

  const key = (event: KeyboardEvent) => {
    const from = of(event);
    const command = from === null ? null : gridKey(event, from, rows, cols);
    if (from === null || !command) return;
    const { row, col } = place(from);
    taken(event);
    if (command.kind === "move") focus(command.at);
    else if (command.kind === "row") choose([row, row], allCols, event.shiftKey);
    else if (command.kind === "col") choose(allRows, [col, col], event.shiftKey);
    else options.choose({ row, col }, command.kind === "add");
  };

  const on = <K extends keyof HTMLElementEventMap>(
    name: K,
    run: (event: HTMLElementEventMap[K]) => void,
  ) => el.addEventListener(name, run);
  on("pointerover", over);
  on("pointermove", over);
  on("pointerleave", () => point(null));
  on("focusin", (event) => {
    rove(of(event) ?? current);
    over(event);
  });
  on("focusout", () => point(null));
  on("mousedown", (event) => {
    // A shift-click would otherwise select text.
    if (event.shiftKey) event.preventDefault();
  });
  on("click", click);
  on("keydown", key);

  const top = line(0, "mw-head", corner);
  for (let col = 0; col < cols; col++)
    top.append(h("div", { class: "mw-colhead", role: "columnheader" }, colHead(col)));
  for (let row = 0; row < rows; row++) {
    const made = line(row + 1, rowClass?.(row) ?? "", rowHead(row));
    const lane = canvas && h("div", { class: "mw-lane", role: "none" });
    if (lane) made.append(lane);
    lanes.push(lane ?? made);
  }
  if (canvas) lanes[0]?.append(canvas.el);
  for (let at = 0; at < (canvas ? 1 : size); at++) cellAt(at);
  paint();

  return {
    el,
    paint,
    rove,
    focus,
    of,
    /** Chooses every cell between two, and puts the focus on the second. */
    rectangle: (from: number, to: number, add: boolean) => {
      const [a, b] = [place(from), place(to)];
      const span = (m: number, n: number): Span => [Math.min(m, n), Math.max(m, n)];
      focus(to);
      choose(span(a.row, b.row), span(a.col, b.col), add);
    },
    /** The tab stop. */
    current: () => place(current),
    /** Repaints one cell. */
    repaint: (at: number) => {
      const { row, col } = place(at);
      canvas?.cell(row, col);
      paintElement(at);
    },
    /** Marks cells by an attribute; null takes the mark away. */
    mark: (attribute: string, value: (row: number, col: number) => string | null) => {
      for (let at = 0; at < size; at++) {
        const now = value(Math.floor(at / cols), at % cols);
        if (cells.has(at) || (now && now !== "false")) setProps(cellAt(at), { [attribute]: now });
      }
      prune();
    },
    /** The element of a row of cells. */
    row: (row: number): Element | null => el.children[row + 1] ?? null,
    /** Sizes of the cells, in CSS pixels. Names that would overlap are left out. */
    resize: (width: number, height: number) => {
      el.style.setProperty("--cw", `${width}px`);
      el.style.setProperty("--ch", `${height}px`);
      el.classList.toggle("mw-small", width < LARGE_NUMBER_FITS);
      el.classList.toggle("mw-bare", width < NUMBER_FITS);
      const heads = [...el.querySelectorAll(".mw-colhead")];
      const longest = Math.max(...heads.map((head) => (head.textContent ?? "").length));
      // Names that are written upward need no more than a line.
      thin(heads, el.querySelector(".mw-up") ? 0 : (longest * DIGIT + GAP) / (width + GAP));
      thin([...el.querySelectorAll(".mw-row:not(.mw-head) > .mw-rowhead")], LINE / (height + GAP));
      canvas?.resize(width, height);
    },
  };
}

/** Shows only as many names as have room: every one, every second, fourth... */
function thin(heads: Element[], each: number): void {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(each)));
  heads.forEach((head, i) => {
    head.classList.toggle("mw-thin", i % step !== 0);
  });
}
