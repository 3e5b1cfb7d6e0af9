// Sizes of the sheet from the width it has. Heights follow from these, never from a measurement.
import type { View } from "./protocol.ts";

export const NARROW = 640;
export const GAP = 2;
const PADDING = 26;
const ROWHEAD = 22;
const BETWEEN = 12;
const PROMPTS = 162;
const [LARGE, MIDDLE, SMALL] = [36, 24, 12];
/** More layers than these get rows as low as the smallest cell. */
const MANY = 40;

export interface Sizes {
  narrow: boolean;
  /** Widths of head and token cells; all panels share the height. */
  head: number;
  token: number;
  height: number;
}

/** Cell sizes for the panels of a view that has `width` CSS pixels. */
export function sizes({ panels }: Pick<View, "panels">, width: number): Sizes {
  const narrow = width < NARROW;
  const of = (key: string) => panels.find((panel) => panel.key === key);
  const [heads, tokens] = [of("head"), of("tokens")];
  const inner = width - PADDING - ROWHEAD;
  const fixed = of("mlp_out") ? LARGE + GAP + BETWEEN : 0;
  const nHeads = heads?.cols ?? 0;
  const rows = Math.max(...panels.map((panel) => panel.rows));
  const low = rows > MANY ? SMALL : MIDDLE;
  if (narrow || !tokens || !heads) {
    const head = share(inner - fixed, nHeads);
    // Narrow: tokens go down the page beside both prompts' words, layers across.
    const across = narrow ? tokens?.rows : tokens?.cols;
    const token = share(narrow ? width - PADDING - PROMPTS : inner, across ?? 1);
    return { narrow, head, token, height: Math.max(heads ? head : LARGE, low) };
  }
  // The heads take at most half of the room; the tokens take what is left.
  const room = inner - fixed - BETWEEN - ROWHEAD;
  const head = [LARGE, MIDDLE].find((size) => nHeads * (size + GAP) <= room / 2) ?? SMALL;
  const token = share(room - nHeads * (head + GAP), tokens.cols);
  return { narrow, head, token, height: Math.max(head, low) };
}

function share(room: number, n: number): number {
  return Math.max(SMALL, Math.min(LARGE, Math.floor(room / n) - GAP));
}
