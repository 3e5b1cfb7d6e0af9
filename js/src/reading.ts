// What the rail, the sentence and the corners read from.
import type { Corners } from "./estimands.ts";
import type { CellRef, EditInfo, Result } from "./protocol.ts";

/** One thing with corners: a cell under the pointer or the committed result. */
export interface Reading {
  kind: "cell" | "result";
  cells: CellRef[];
  label: string;
  corners: Corners;
  edit: EditInfo;
  status: number;
  n: number;
  ci: Result["ci"];
  stale: boolean;
}
