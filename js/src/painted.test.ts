// A grid of more than 1,000 cells: few elements, the same names, keys and marks.
import { beforeEach, expect, test, vi } from "vitest";
import { type Face, type Matrix, matrix, type Place } from "./matrix.ts";

const [ROWS, COLS] = [40, 30];
const drawn: string[] = [];
const context = {
  setTransform() {},
  clearRect() {},
  fillRect: () => drawn.push("fill"),
  strokeRect: () => drawn.push("stroke"),
  setLineDash: (dashes: number[]) => drawn.push(`dash ${dashes}`),
  fillText: (text: string) => text && drawn.push(text),
  beginPath() {},
  moveTo() {},
  lineTo: () => drawn.push("line"),
  stroke() {},
  createPattern: () => "pattern",
};

let hovered: (Place | null)[];
let chosen: [Place, boolean][];
let several: Place[];
let grid: Matrix;
let state: Face["state"];

beforeEach(() => {
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(context as never);
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({
    left: 100,
    top: 50,
  } as DOMRect);
  [hovered, chosen, several, state] = [[], [], [], "exact"];
  grid = matrix({
    rows: ROWS,
    cols: COLS,
    corner: [],
    rowHead: (row) => [document.createTextNode(`L${row}`)],
    colHead: (col) => document.createTextNode(String(col)),
    name: () => "Many",
    face: (row, col) => ({ state, share: 0.5, text: "", name: `L${row}H${col}: a sentence` }),
    hover: (place) => hovered.push(place),
    choose: (place, add) => chosen.push([place, add]),
    several: (all) => {
      several = all;
    },
  });
  document.body.replaceChildren(grid.el);
  grid.resize(12, 12);
});

const cells = () => [...grid.el.querySelectorAll<HTMLElement>("[role=gridcell]")];
const move = (x: number, y: number) =>
  grid.el.dispatchEvent(
    new PointerEvent("pointermove", { clientX: 100 + x, clientY: 50 + y, bubbles: true }),
  );
const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));

test("one cell is an element, in a grid that says how many there are", () => {
  expect(cells().map((cell) => cell.getAttribute("aria-label"))).toEqual(["L0H0: a sentence"]);
  expect(grid.el.getAttribute("aria-rowcount")).toBe("41");
  expect(grid.el.querySelectorAll("[role=row]")).toHaveLength(41);
});

test("the pointer finds cells by their place, and leaves no elements behind", () => {
  move(14 * 3 + 2, 14 * 7 + 2);
  move(14 * 3 + 5, 14 * 7 + 5);
  expect(hovered).toEqual([{ row: 7, col: 3 }]);
  move(14 * 4 + 2, 14 * 7 + 2);
  expect(cells().map((cell) => cell.getAttribute("aria-label"))).toEqual([
    "L0H0: a sentence",
    "L7H4: a sentence",
  ]);
  move(14 * COLS + 2, 2);
  expect(hovered).toHaveLength(2);
});

test("keys move one tab stop; a click and Enter choose", () => {
  grid.focus(0);
  const press = (key: string, ctrlKey = false) =>
    document.activeElement?.dispatchEvent(
      new KeyboardEvent("keydown", { key, ctrlKey, bubbles: true }),
    );
  press("ArrowDown");
  press("End");
  press("Enter");
  expect(chosen).toEqual([[{ row: 1, col: 29 }, false]]);
  press("End", true);
  expect(document.activeElement?.getAttribute("aria-label")).toBe("L39H29: a sentence");
  expect(grid.el.querySelectorAll("[tabindex='0']")).toHaveLength(1);
  press("l");
  expect(several.map(({ row, col }) => [row, col])).toEqual(
    [...Array(COLS).keys()].map((c) => [39, c]),
  );
});

test("marks make elements, and go with them", () => {
  const mark = (wanted: number) =>
    grid.mark("aria-selected", (row, col) => String(row * COLS + col === wanted));
  mark(65);
  const found = grid.el.querySelector("[aria-selected=true]");
  expect(found?.getAttribute("aria-colindex")).toBe("7");
  mark(-1);
  expect(cells()).toHaveLength(1);
});

test.each([
  ["estimate", "dash 2,2"],
  ["impossible", "dash 3,2"],
  ["failed", "line"],
] as const)("%s is painted so that grey tells it", async (kind, trace) => {
  await frame();
  state = kind;
  drawn.length = 0;
  grid.repaint(5);
  expect(drawn).toContain(trace);
});

test("names that would overlap are left out", () => {
  const shown = (selector: string) =>
    [...grid.el.querySelectorAll(selector)].filter((el) => !el.classList.contains("mw-thin"))
      .length;
  grid.resize(16, 12);
  expect(shown(".mw-colhead")).toBe(COLS);
  grid.resize(12, 12);
  expect(shown(".mw-colhead")).toBe(COLS / 2);
  grid.resize(12, 4);
  expect(shown(".mw-row:not(.mw-head) > .mw-rowhead")).toBeLessThan(ROWS / 2);
  grid.resize(3, 12);
  expect(shown(".mw-colhead")).toBeLessThan(COLS / 2);
});
