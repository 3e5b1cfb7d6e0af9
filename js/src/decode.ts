// Messages from Python, checked and decoded. One that does not fit is refused as a whole: the view
// keeps what it had and says so.
import {
  type CellRef,
  type CheckInfo,
  type EditInfo,
  type History,
  type Message,
  type Panel,
  type Prompts,
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

type Json = Record<string, unknown>;

function record(value: unknown, path: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ProtocolError(path, "an object");
  return value as Json;
}
function text(value: unknown, path: string): string {
  if (typeof value !== "string") throw new ProtocolError(path, "a text");
  return value;
}
function number(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isFinite(value))
    throw new ProtocolError(path, "a number");
  return value;
}
/** A value that may be missing: null is NaN, because JSON has no NaN. */
function maybe(value: unknown, path: string): number {
  return value === null ? Number.NaN : number(value, path);
}
function whole(value: unknown, path: string): number {
  const n = number(value, path);
  if (!Number.isInteger(n) || n < 0) throw new ProtocolError(path, "a count");
  return n;
}
function bool(value: unknown, path: string): boolean {
  if (typeof value !== "boolean") throw new ProtocolError(path, "true or false");
  return value;
}
function list<T>(value: unknown, path: string, each: (v: unknown, p: string) => T): T[] {
  if (!Array.isArray(value)) throw new ProtocolError(path, "a list");
  return value.map((v, i) => each(v, `${path}[${i}]`));
}

/** The bytes of a buffer trait. A DataView may start anywhere in a larger buffer, so copy. */
export function bytes(value: unknown, path: string): Uint8Array<ArrayBuffer> {
  if (value instanceof ArrayBuffer) return new Uint8Array(value.slice(0));
  if (ArrayBuffer.isView(value))
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  throw new ProtocolError(path, "bytes");
}
function floats(value: unknown, path: string, length: number): Float32Array {
  const data = bytes(value, path);
  if (data.byteLength !== 4 * length) throw new ProtocolError(path, `${length} float32 numbers`);
  return new Float32Array(data.buffer);
}

const top = (value: unknown, path: string): TopToken[] =>
  list(value, path, (v, p) => {
    const t = record(v, p);
    return { token: text(t.token, p), p: number(t.p, p) };
  });

const checks = (value: unknown, path: string): CheckInfo[] =>
  list(value, path, (v, p) => {
    const c = record(v, p);
    const ok = c.ok === null ? null : bool(c.ok, p);
    return { name: text(c.name, p), ok, words: text(c.words, p) };
  });

const tokens = (value: unknown, path: string): TokenInfo[] =>
  list(value, path, (v, p) => {
    const t = record(v, p);
    const role = typeof t.role === "string" && t.role ? t.role : null;
    return { text: text(t.text, p), role };
  });

function panel(value: unknown, path: string, revision: number): Panel {
  const raw = record(value, path);
  const shape = list(raw.shape, path, whole);
  const [rows, cols] = shape;
  if (rows === undefined || cols === undefined || shape.length !== 2)
    throw new ProtocolError(path, "rows and columns");
  const status = bytes(raw.status, path);
  const labels = list(raw.labels, path, text);
  if (status.length !== rows * cols || labels.length !== rows * cols)
    throw new ProtocolError(path, `${rows * cols} entries`);
  if (status.some((code) => code > Status.Impossible))
    throw new ProtocolError(path, "made of codes 0 to 5");
  const cost = record(raw.cost, path);
  return {
    key: text(raw.key, path),
    mediator: text(raw.mediator, path),
    title: text(raw.title, path),
    axes: list(raw.axes, path, (v, p) => {
      const axis = record(v, p);
      return { name: text(axis.name, p), labels: list(axis.labels, p, text) };
    }),
    rows,
    cols,
    y01: floats(raw.y01, path, rows * cols),
    y10: floats(raw.y10, path, rows * cols),
    status,
    labels,
    cost: {
      runs: whole(cost.runs, path),
      passes: whole(cost.passes, path),
      seconds: number(cost.seconds, path),
    },
    revision: raw.revision === undefined ? revision : whole(raw.revision, path),
  };
}

function prompts(value: unknown): Prompts {
  const p = record(value, "prompts");
  return {
    clean: tokens(p.clean, "prompts.clean"),
    corrupt: tokens(p.corrupt, "prompts.corrupt"),
    firstDifference: whole(p.first_difference, "prompts.first_difference"),
    answer: text(p.answer, "prompts.answer"),
    wrong: text(p.wrong, "prompts.wrong"),
    cleanTop: top(p.clean_top, "prompts.clean_top"),
    corruptTop: top(p.corrupt_top, "prompts.corrupt_top"),
  };
}

/** The `view` trait. */
export function decodeView(value: unknown): View {
  const raw = record(value, "view");
  const revision = whole(raw.revision, "view.revision");
  const model = record(raw.model, "model");
  const metric = record(raw.metric, "metric");
  const pairs = record(raw.pairs, "pairs");
  const base = record(raw.base, "base");
  return {
    revision,
    model: {
      name: text(model.name, "model.name"),
      layers: whole(model.n_layers, "model.n_layers"),
      heads: whole(model.n_heads, "model.n_heads"),
      facts: text(model.facts, "model.facts"),
    },
    metric: {
      name: text(metric.name, "metric.name"),
      unit: text(metric.unit, "metric.unit"),
      label: text(metric.label, "metric.label"),
    },
    edit: editInfo(raw.edit),
    edits: list(raw.edits, "edits", (v, p) => {
      const e = record(v, p);
      const why = e.why === null ? null : text(e.why, p);
      return { kind: text(e.kind, p), label: text(e.label, p), why };
    }),
    pairs: {
      n: whole(pairs.n, "pairs.n"),
      index: pairs.index === null ? null : whole(pairs.index, "pairs.index"),
      name: text(pairs.name, "pairs.name"),
    },
    prompts: prompts(raw.prompts),
    base: { y11: number(base.y11, "base.y11"), y00: number(base.y00, "base.y00") },
    checks: checks(raw.checks, "checks"),
    panels: list(raw.panels, "panels", (v, p) => panel(v, p, revision)),
  };
}

/** What the `result` trait holds: the committed result if anything is selected, and the history. */
export function decodeResult(value: unknown): { result: Result | null; history: History } {
  const raw = record(value, "result");
  const empty: History = { index: 0, n: 0, undo: false, redo: false };
  const history = raw.history === undefined ? empty : decodeHistory(raw.history);
  if (!Array.isArray(raw.cells) || raw.cells.length === 0) return { result: null, history };
  const status = whole(raw.status, "result.status");
  if (status > Status.Impossible) throw new ProtocolError("result.status", "a code 0 to 5");
  const tops = record(raw.top, "result.top");
  const result: Result = {
    revision: whole(raw.revision, "result.revision"),
    seq: whole(raw.seq, "result.seq"),
    cells: list(raw.cells, "result.cells", cellRef),
    label: text(raw.label, "result.label"),
    edit: editInfo(raw.edit),
    y11: maybe(raw.y11, "result.y11"),
    y00: maybe(raw.y00, "result.y00"),
    y10: maybe(raw.y10, "result.y10"),
    y01: maybe(raw.y01, "result.y01"),
    status,
    ci: raw.ci === null ? null : intervals(raw.ci),
    n: whole(raw.n, "result.n"),
    top: {
      clean: top(tops.clean, "top.clean"),
      corrupt: top(tops.corrupt, "top.corrupt"),
      restored: top(tops.restored, "top.restored"),
      broken: top(tops.broken, "top.broken"),
    },
    checks: checks(raw.checks, "result.checks"),
  };
  return { result, history };
}

function editInfo(value: unknown): EditInfo {
  const edit = record(value, "edit");
  return { kind: text(edit.kind, "edit.kind"), corners: bool(edit.corners, "edit.corners") };
}

function cellRef(value: unknown, path: string): CellRef {
  const cell = record(value, path);
  const ref: CellRef = { panel: text(cell.panel, path), index: whole(cell.index, path) };
  return cell.label === undefined ? ref : { ...ref, label: text(cell.label, path) };
}

function decodeHistory(value: unknown): History {
  const raw = record(value, "history");
  return {
    index: whole(raw.index, "history.index"),
    n: whole(raw.n, "history.n"),
    undo: bool(raw.undo, "history.undo"),
    redo: bool(raw.redo, "history.redo"),
  };
}

function intervals(value: unknown): Record<string, [number, number]> {
  const out: Record<string, [number, number]> = {};
  for (const [key, pair] of Object.entries(record(value, "result.ci"))) {
    const [low, high] = list(pair, `result.ci.${key}`, number);
    if (low === undefined || high === undefined)
      throw new ProtocolError(`result.ci.${key}`, "a low and a high number");
    out[key] = [low, high];
  }
  return out;
}

const STATES = ["running", "done", "cancelled", "failed"] as const;

/** A custom message; null for kinds this version does not know. */
export function decodeMessage(value: unknown): Message | null {
  const raw = record(value, "message");
  if (raw.kind === "reply") {
    const error = raw.ok === true ? null : requestError(raw.error);
    return { kind: "reply", id: whole(raw.id, "reply.id"), ok: bool(raw.ok, "ok"), error };
  }
  if (raw.kind === "progress") {
    const state = STATES.find((name) => name === raw.state);
    if (!state) throw new ProtocolError("progress.state", `one of ${STATES.join(", ")}`);
    const left = raw.seconds_left;
    return {
      kind: "progress",
      panels: list(raw.panels, "progress.panels", text),
      done: whole(raw.done, "progress.done"),
      total: whole(raw.total, "progress.total"),
      secondsLeft: left === null || left === undefined ? null : number(left, "seconds_left"),
      state,
    };
  }
  return null;
}

function requestError(value: unknown): RequestError {
  const raw = record(value, "reply.error");
  const field = (name: string) => (typeof raw[name] === "string" ? (raw[name] as string) : "");
  return {
    message: text(raw.message, "error.message"),
    value: field("value"),
    expected: field("expected"),
    fix: field("fix"),
  };
}
