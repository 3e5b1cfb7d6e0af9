// What a key means on a cell of a grid. Pure, so that it can be tested without a page.

export type GridCommand = { kind: "move"; at: number } | { kind: "run" | "add" | "row" | "col" };

const STEP: Record<string, [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** The command of a key press at screen position `at` of a grid; null if it has none here. */
export function gridKey(
  event: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">,
  at: number,
  rows: number,
  cols: number,
): GridCommand | null {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "Home") return { kind: "move", at: 0 };
    if (event.key === "End") return { kind: "move", at: rows * cols - 1 };
    return null;
  }
  const row = Math.floor(at / cols);
  const col = at % cols;
  const step = STEP[event.key];
  if (step) {
    const to = [clamp(row + step[0], rows), clamp(col + step[1], cols)] as const;
    return { kind: "move", at: to[0] * cols + to[1] };
  }
  if (event.key === "Home") return { kind: "move", at: row * cols };
  if (event.key === "End") return { kind: "move", at: row * cols + cols - 1 };
  if (event.key === "Enter" || event.key === " ") return { kind: event.shiftKey ? "add" : "run" };
  const kind = ({ x: "add", l: "row", h: "col" } as const)[event.key.toLowerCase()];
  return kind ? { kind } : null;
}

function clamp(value: number, length: number): number {
  return Math.max(0, Math.min(length - 1, value));
}
