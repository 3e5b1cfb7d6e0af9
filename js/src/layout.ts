// Sizes of the sheet from the width it has. Heights follow from these, never from a measurement.
import type { View } from "./protocol.ts";

export const NARROW = 640;
export const GAP = 2;
const PADDING = 26;
const ROWHEAD = 22;
const BETWEEN = 12;
const PROMPTS = 162;
const [LARGE, MIDDLE, SMALL] = [36, 24, 12];

export interface Sizes {
  narrow: boolean;
  /** Widths of head and token cells; all panels share the height. */
  head: number;
  token: number;
  height: number;
}

/** Cell sizes for a view that has `width` CSS pixels. */
export function sizes(view: View, width: number): Sizes {
  const narrow = width < NARROW;
  const heads = view.panels.find((panel) => panel.key === "head");
  const tokens = view.panels.find((panel) => panel.key === "tokens");
  const mlp = view.panels.some((panel) => panel.key === "mlp_out");
  const inner = width - PADDING - ROWHEAD;
  const fixed = mlp ? LARGE + GAP + BETWEEN : 0;
  const nHeads = heads?.cols ?? 0;
  const pick = (room: number, n: number) =>
    [LARGE, MIDDLE, SMALL].find((size) => n * (size + GAP) <= room) ?? SMALL;
  if (narrow || !tokens || !heads) {
    const head = pick(inner - fixed, nHeads);
    // Narrow: tokens go down the page beside both prompts' words, layers across.
    const across = narrow ? (tokens?.rows ?? 1) : (tokens?.cols ?? 1);
    const free = narrow ? width - PADDING - PROMPTS : inner;
    const token = between(Math.floor(free / across) - GAP);
    return { narrow, head, token, height: Math.max(heads ? head : LARGE, MIDDLE) };
  }
  // The heads take at most half of the room; the tokens take what is left.
  const room = inner - fixed - BETWEEN - ROWHEAD;
  const head = pick(room / 2, nHeads);
  const token = between(Math.floor((room - nHeads * (head + GAP)) / tokens.cols) - GAP);
  return { narrow, head, token, height: Math.max(head, MIDDLE) };
}

function between(size: number): number {
  return Math.max(SMALL, Math.min(LARGE, size));
}
