// The faces of many cells, painted on one canvas: thousands of elements would take several frames.
// Colours are read from the style sheet, so that a painted cell and an element are one picture.
import { h } from "./dom.ts";
import type { Face, Place } from "./matrix.ts";
import { onLook } from "./theme.ts";

const GAP = 2;
const HATCH = 6;
const TICK = 7;
const FINE = 16;
/** A share beyond the scale's end, which carries a tick. */
export const OVER = 1.0001;
/** Colour, width and dashes of a border; an ordinary cell has a thin line. */
const BORDERS: Partial<Record<Face["state"], [string, number, number[]]>> = {
  estimate: ["ink", 2, [2, 2]],
  failed: ["amber", 1, []],
  impossible: ["line", 1, [3, 2]],
};

export function cellCanvas(rows: number, cols: number, face: (row: number, col: number) => Face) {
  const probe = h("i", { class: "mw-cell" });
  const el = h("canvas", { class: "mw-canvas", "aria-hidden": "true" }, probe);
  const c = el.getContext("2d");
  const shades = new Map<number, [string, string]>();
  const style = getComputedStyle(el);
  const color = (name: string) => style.getPropertyValue(`--mw-${name}`);
  let hatch: CanvasPattern | string = "";
  let [width, height, ratio, waiting] = [0, 0, 1, false];

  /** Fill and ink of a share of the scale, as the style sheet mixes them. */
  const shade = (share: number): [string, string] => {
    const key = Math.round(100 * Math.max(-1, Math.min(1, share)));
    const known = shades.get(key);
    if (known) return known;
    probe.dataset.sign = key < 0 ? "away" : "toward";
    probe.style.setProperty("--v", String(Math.abs(key)));
    const mixed = getComputedStyle(probe);
    const found: [string, string] = [mixed.backgroundColor, mixed.color];
    shades.set(key, found);
    return found;
  };

  const path = (context: CanvasRenderingContext2D, ...points: number[]) => {
    context.beginPath();
    for (let i = 0; i < points.length; i += 4) {
      context.moveTo(points[i] ?? 0, points[i + 1] ?? 0);
      context.lineTo(points[i + 2] ?? 0, points[i + 3] ?? 0);
    }
    context.stroke();
  };

  const draw = (row: number, col: number) => {
    if (!c) return;
    const { state, share, text } = face(row, col);
    const [fill, ink] = shade(share);
    const [line, thick, dashes] = BORDERS[state] ?? ["line", 1, []];
    c.setTransform(ratio, 0, 0, ratio, ratio * col * (width + GAP), ratio * row * (height + GAP));
    c.clearRect(0, 0, width, height);
    c.fillStyle = state === "none" ? hatch : fill;
    c.strokeStyle = color(line);
    c.lineWidth = thick;
    c.setLineDash(dashes);
    if (state === "failed") path(c, 0, 0, width, height, width, 0, 0, height);
    else c.fillRect(0, 0, width, height);
    // Around the smallest cells a full line would be louder than their colour.
    c.globalAlpha = width < FINE && !BORDERS[state] ? 0.4 : 1;
    if (state !== "zero") c.strokeRect(thick / 2, thick / 2, width - thick, height - thick);
    c.globalAlpha = 1;
    c.fillStyle = ink;
    c.fillText(text, width / 2, height / 2 + 1);
    if (Math.abs(share) > OVER)
      for (let i = 0; i < TICK; i++) c.fillRect(width - TICK + i, 0, 1, i + 1);
  };

  /** Clears the canvas and reads the look: theme and zoom may be others. */
  const start = (context: CanvasRenderingContext2D) => {
    ratio = devicePixelRatio || 1;
    for (const [name, size] of [
      ["width", cols * (width + GAP)],
      ["height", rows * (height + GAP)],
    ] as const) {
      el[name] = Math.round(size * ratio);
      el.style[name] = `${size}px`;
    }
    shades.clear();
    const tile = h("canvas", { width: HATCH, height: HATCH });
    const lines = tile.getContext("2d");
    if (lines) {
      lines.strokeStyle = color("hatch");
      path(lines, 0, HATCH, HATCH, 0, -1, 1, 1, -1, HATCH - 1, HATCH + 1, HATCH + 1, HATCH - 1);
    }
    hatch = context.createPattern(tile, "repeat") ?? "";
    context.font = `${Math.max(9, Math.min(12, width * 0.36))}px ${style.fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
  };

  /** Paints every cell, once, in the next frame. */
  const paint = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (!c || !el.isConnected) return;
      start(c);
      for (let row = 0; row < rows; row++) for (let col = 0; col < cols; col++) draw(row, col);
    });
  };
  onLook(paint, el);

  return {
    el,
    paint,
    /** Paints one cell. */
    cell: (row: number, col: number) => {
      if (!waiting) draw(row, col);
    },
    /** For cells of this size in CSS pixels. */
    resize: (w: number, tall: number) => {
      [width, height] = [w, tall];
      paint();
    },
    /** Where on the grid a point of the window is; null beside it. */
    place: (x: number, y: number): Place | null => {
      const box = el.getBoundingClientRect();
      const col = Math.floor((x - box.left) / (width + GAP));
      const row = Math.floor((y - box.top) / (height + GAP));
      return col >= 0 && row >= 0 && col < cols && row < rows ? { row, col } : null;
    },
  };
}
