// Messages from Python, checked and decoded. One that does not fit is refused as a whole: the view
// keeps what it had and says so.
import {
  type CellRef,
  type CheckInfo,
  type EditInfo,
  type History,
  type Message,
  type Panel,
  type RequestError,
  type Result,
  Status,
  type TokenInfo,
  type TopToken,
  type View,
} from "./protocol.ts";

/** A message that does not fit the protocol. */
export class ProtocolError extends Error {
  constructor(path: string, expected: string) {
    super(`${path} is not ${expected}`);
    this.name = "ProtocolError";
  }
}

/** Reads the fields of an object, each checked; errors name the way to the field. */
export class Reader {
  readonly #fields: Record<string, unknown>;

  constructor(
    value: unknown,
    readonly path: string,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new ProtocolError(path, "an object");
    this.#fields = value as Record<string, unknown>;
  }

  raw(name: string): unknown {
    return this.#fields[name];
  }

  /** Whether the field is there and not null. */
  has(name: string): boolean {
    return (this.raw(name) ?? null) !== null;
  }

  fail(name: string, expected: string): never {
    throw new ProtocolError(`${this.path}.${name}`, expected);
  }

  at(name: string): Reader {
    return new Reader(this.raw(name), `${this.path}.${name}`);
  }

  text(name: string): string {
    const value = this.raw(name);
    return typeof value === "string" ? value : this.fail(name, "a text");
  }

  number(name: string): number {
    const value = this.raw(name);
    return Number.isFinite(value) ? (value as number) : this.fail(name, "a number");
  }

  /** A number that may be missing: null is NaN, because JSON has no NaN. */
  maybe(name: string): number {
    return this.has(name) ? this.number(name) : Number.NaN;
  }

  /** A field of some kind that may be missing. */
  or<K extends keyof Kinds>(name: string, kind: K): Kinds[K] | null {
    return this.has(name) ? (this[kind](name) as Kinds[K]) : null;
  }

  count(name: string): number {
    const value = this.number(name);
    return Number.isInteger(value) && value >= 0 ? value : this.fail(name, "a count");
  }

  flag(name: string): boolean {
    const value = this.raw(name);
    return typeof value === "boolean" ? value : this.fail(name, "true or false");
  }

  /** A list of objects. */
  list<T>(name: string, each: (item: Reader) => T): T[] {
    const value = this.raw(name);
    if (!Array.isArray(value)) return this.fail(name, "a list");
    return value.map((item, i) => each(new Reader(item, `${this.path}.${name}[${i}]`)));
  }

  /** A list of texts or of numbers. */
  values<T>(name: string, type: "string" | "number"): T[] {
    const value = this.raw(name);
    const fits = Array.isArray(value) && value.every((item) => typeof item === type);
    return fits ? value : this.fail(name, `a list of ${type}s`);
  }

  /** The bytes of a buffer. A DataView may start anywhere in a larger buffer, so copy. */
  bytes(name: string, length: number): Uint8Array<ArrayBuffer> {
    const value = this.raw(name);
    let data: Uint8Array<ArrayBuffer> | null = null;
    if (value instanceof ArrayBuffer) data = new Uint8Array(value.slice(0));
    else if (ArrayBuffer.isView(value))
      data = new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
    return data?.length === length ? data : this.fail(name, `${length} bytes`);
  }

  floats(name: string, length: number): Float32Array {
    return new Float32Array(this.bytes(name, 4 * length).buffer);
  }
}

/** What a field may be, by the reader's method of that name. */
interface Kinds {
  text: string;
  number: number;
  maybe: number;
  count: number;
  flag: boolean;
}

/** Plain fields, each of its kind. */
export function fields<T extends Record<string, keyof Kinds>>(from: Reader, kinds: T) {
  const out: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(kinds)) out[name] = from[kind](name);
  return out as { [K in keyof T]: Kinds[T[K]] };
}

export const top = (from: Reader, name: string): TopToken[] =>
  from.list(name, (item) => ({ token: item.text("token"), p: item.number("p") }));

const checks = (from: Reader): CheckInfo[] =>
  from.list("checks", (item) => ({
    ...fields(item, { name: "text", words: "text" }),
    ok: item.or("ok", "flag"),
  }));

const tokens = (from: Reader, name: string): TokenInfo[] =>
  from.list(name, (item) => ({
    text: item.text("text"),
    role: item.or("role", "text"),
    partner: item.or("partner", "number"),
  }));

export const editInfo = (from: Reader): EditInfo =>
  fields(from.at("edit"), { kind: "text", corners: "flag", goal: "text", part: "text" });

/** The four runs' values; NaN where one is not known. */
export const cornersIn = (from: Reader) =>
  fields(from, { y11: "maybe", y00: "maybe", y10: "maybe", y01: "maybe" });

/** An error in the words of the kernel. */
export const errorInfo = (from: Reader): RequestError =>
  fields(from.at("error"), { message: "text", value: "text", expected: "text", fix: "text" });

/** A panel of cells, of the view or of a part of it. */
export function panel(from: Reader, revision: number): Panel {
  const [rows = 0, cols = 0] = from.values<number>("shape", "number");
  const cells = rows * cols;
  const status = from.bytes("status", cells);
  if (status.some((code) => code > Status.Impossible)) from.fail("status", "made of codes 0 to 5");
  const axes = from.list("axes", (axis) => axis.values<string>("labels", "string"));
  const labels = from.has("edges_of")
    ? edges(from.text("edges_of"), axes)
    : from.values<string>("labels", "string");
  if (labels.length !== cells) from.fail("labels", `${cells} texts`);
  return {
    ...fields(from, { key: "text", mediator: "text", title: "text" }),
    axes,
    rows,
    cols,
    y01: from.floats("y01", cells),
    y10: from.floats("y10", cells),
    status,
    labels,
    cost: fields(from.at("cost"), { runs: "count", passes: "count", seconds: "number" }),
    ...(from.has("edit") ? { edit: editInfo(from) } : {}),
    revision: from.or("revision", "count") ?? revision,
  };
}

/** The labels of a head's edges, query by key: they follow from those of the positions. */
function edges(head: string, [queries = [], keys = []]: string[][]): string[] {
  return queries.flatMap((query) => keys.map((key) => `${head} @ ${query} \u2190 ${key}`));
}

/** The `view` trait. */
export function decodeView(value: unknown): View {
  const view = new Reader(value, "view");
  const revision = view.count("revision");
  const pairs = view.at("pairs");
  const prompts = view.at("prompts");
  return {
    revision,
    model: fields(view.at("model"), { name: "text", facts: "text" }),
    metric: fields(view.at("metric"), { unit: "text", label: "text" }),
    edit: editInfo(view),
    edits: view.list("edits", (edit) => ({
      ...fields(edit, { kind: "text", label: "text" }),
      why: edit.or("why", "text"),
    })),
    pairs: {
      ...fields(pairs, { n: "count", name: "text" }),
      index: pairs.or("index", "count"),
    },
    prompts: {
      ...fields(prompts, { answer: "text", wrong: "text" }),
      clean: tokens(prompts, "clean"),
      corrupt: tokens(prompts, "corrupt"),
      cleanTop: top(prompts, "clean_top"),
      corruptTop: top(prompts, "corrupt_top"),
    },
    base: fields(view.at("base"), { y11: "number", y00: "number" }),
    checks: checks(view),
    panels: view.list("panels", (item) => panel(item, revision)),
  };
}

const NOTHING_YET: History = { index: 0, n: 0, undo: false, redo: false };

/** What the `result` trait holds: the committed result if anything is selected, and the history. */
export function decodeResult(value: unknown): { result: Result | null; history: History } {
  const from = new Reader(value, "result");
  const history = from.has("history")
    ? fields(from.at("history"), { index: "count", n: "count", undo: "flag", redo: "flag" })
    : NOTHING_YET;
  return { result: from.has("cells") ? outcome(from) : null, history };
}

/** What one intervention came to; null where nothing was selected. */
export function outcome(from: Reader): Result | null {
  const status = from.count("status");
  if (status > Status.Impossible) from.fail("status", "a code 0 to 5");
  const tops = from.at("top");
  const result: Result = {
    ...fields(from, { revision: "count", label: "text", n: "count" }),
    ...cornersIn(from),
    cells: from.list("cells", cellRef),
    edit: editInfo(from),
    status,
    ci: from.has("ci") ? intervals(from) : null,
    top: {
      clean: top(tops, "clean"),
      corrupt: top(tops, "corrupt"),
      restored: top(tops, "restored"),
      broken: top(tops, "broken"),
    },
    checks: checks(from),
  };
  return result.cells.length > 0 ? result : null;
}

function cellRef(from: Reader): CellRef {
  const ref: CellRef = fields(from, { panel: "text", index: "count" });
  if (from.has("label")) ref.label = from.text("label");
  if (from.has("alone")) ref.alone = fields(from.at("alone"), { y10: "number", y01: "number" });
  return ref;
}

/** Intervals by quantity. */
export function intervals(from: Reader): Record<string, [number, number]> {
  const ci = from.at("ci");
  const out: Record<string, [number, number]> = {};
  for (const key of Object.keys(from.raw("ci") as object)) {
    const [low, high] = ci.values<number>(key, "number");
    if (low === undefined || high === undefined) return ci.fail(key, "a low and a high number");
    out[key] = [low, high];
  }
  return out;
}

const STATES = ["running", "done", "cancelled", "failed"] as const;

/** A custom message; null for kinds this version does not know. */
export function decodeMessage(value: unknown): Message | null {
  const from = new Reader(value, "message");
  const kind = from.raw("kind");
  if (kind === "reply") {
    const ok = from.flag("ok");
    const error = ok ? null : errorInfo(from);
    return { kind, id: from.count("id"), ok, data: from.raw("data"), error };
  }
  if (kind === "waiting") return { kind, said: from.text("words") };
  if (kind !== "progress") return null;
  const state = STATES.find((name) => name === from.raw("state"));
  return {
    kind,
    ...fields(from, { done: "count", total: "count" }),
    panels: from.values<string>("panels", "string"),
    secondsLeft: from.or("seconds_left", "number"),
    state: state ?? from.fail("state", `one of ${STATES.join(", ")}`),
  };
}
