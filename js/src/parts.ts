// Parts of a view that have a trait of their own (widgets/_parts.py): what Python wrote, checked.
import { errorInfo, panel, Reader } from "./decode.ts";
import { allCells } from "./edges.ts";
import type { Panel, RequestError } from "./protocol.ts";

export interface Part {
  /** The payload's fields; null as long as nothing was written. */
  fields: Reader | null;
  /** Its cells, where it has some that can be clicked. */
  panel: Panel | null;
  revision: number;
  /** The pair that it is of; null for the mean. */
  pair: number | null;
  /** Why it cannot be drawn. */
  error: RequestError | null;
}

/** How each of a view's parts is read, for its store. */
export const readers = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, (value: unknown) => readPart(name, value)]));

/** The trait of a part. Throws a ProtocolError where it does not fit. */
function readPart(name: string, value: unknown): Part {
  const from = new Reader(value ?? {}, name);
  if (!from.has("revision"))
    return { fields: null, panel: null, revision: 0, pair: null, error: null };
  const revision = from.count("revision");
  if (from.has("error")) {
    return { fields: null, panel: null, revision, pair: null, error: errorInfo(from) };
  }
  const pair = from.has("of_pair") ? from.count("of_pair") : null;
  const cells = from.has("panel")
    ? panel(allCells(from.raw("panel"), `${name}.panel`), revision)
    : null;
  if (cells) cells.pair = pair ?? -1;
  return { fields: from, panel: cells, revision, pair, error: null };
}
