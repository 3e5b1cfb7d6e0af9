// Parts of a view that have a trait of their own (widgets/_parts.py): what Python wrote, checked.
import { errorInfo, panel, Reader } from "./decode.ts";
import type { Panel, RequestError } from "./protocol.ts";

export interface Part {
  /** The payload's fields; null as long as nothing was written. */
  fields: Reader | null;
  /** Its cells, where it has some that can be clicked. */
  panel: Panel | null;
  revision: number;
  /** Why it cannot be drawn. */
  error: RequestError | null;
}

/** How each of a view's parts is read, for its store. */
export const readers = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, (value: unknown) => readPart(name, value)]));

/** The trait of a part. Throws a ProtocolError where it does not fit. */
export function readPart(name: string, value: unknown): Part {
  const from = new Reader(value ?? {}, name);
  if (!from.has("revision")) return { fields: null, panel: null, revision: 0, error: null };
  const revision = from.count("revision");
  if (from.has("error")) {
    return { fields: null, panel: null, revision, error: errorInfo(from) };
  }
  const cells = from.has("panel") ? panel(from.at("panel"), revision) : null;
  return { fields: from, panel: cells, revision, error: null };
}
