// Cells by their panel and index.
import type { CellRef } from "./protocol.ts";

export function same(a: CellRef | null, b: CellRef | null): boolean {
  return a === b || (!!a && !!b && a.panel === b.panel && a.index === b.index);
}

export function sameCells(a: CellRef[], b: CellRef[]): boolean {
  return a.length === b.length && a.every((cell) => b.some((other) => same(cell, other)));
}
