// The cells of one head's edges, as they travel: only those that were run.
import { Reader } from "./decode.ts";
import { Status } from "./protocol.ts";

/** A panel with a number and a state for every cell; one that has them is left as it is. */
export function allCells(value: unknown, path: string): Reader {
  const from = new Reader(value, path);
  if (!from.has("at")) return from;
  const at = from.values<number>("at", "number");
  const [rows = 0, cols = 0] = from.values<number>("shape", "number");
  const cells = rows * cols;
  const spread = <T extends Float32Array | Uint8Array>(all: T, some: T): T => {
    at.forEach((index, i) => {
      all[index] = some[i] as number;
    });
    return all;
  };
  const numbers = (name: string) =>
    spread(new Float32Array(cells).fill(Number.NaN), from.floats(name, at.length));
  // What attends to itself alone has nothing else to attend.
  const none = Uint8Array.from({ length: cells }, (_, index) =>
    index === 0 || index % cols > Math.floor(index / cols) ? Status.Impossible : Status.NotRun,
  );
  const status = spread(none, from.bytes("status", at.length));
  return new Reader(
    { ...(value as object), y01: numbers("y01"), y10: numbers("y10"), status },
    path,
  );
}
