// A model as anywidget passes it, and a payload as Python sends it, for tests.
import type { Model } from "./protocol.ts";

type Listener = (...args: never[]) => void;

/** Records what is sent; `push` is Python writing a trait, `message` a custom message. */
export class FakeModel implements Model {
  readonly sent: Record<string, unknown>[] = [];
  readonly traits: Record<string, unknown>;
  gone = false;
  #listeners: [string, Listener][] = [];

  constructor(traits: Record<string, unknown> = {}) {
    this.traits = { view: {}, result: {}, direction: "restore", ...traits };
  }
  get(name: string): unknown {
    return this.traits[name];
  }
  set(name: string, value: unknown): void {
    this.traits[name] = value;
  }
  save_changes(): void {
    if (this.gone) throw new Error("Cannot send");
  }
  send(content: unknown): void {
    if (this.gone) throw new Error("Cannot send");
    this.sent.push(content as Record<string, unknown>);
  }
  on(name: string, callback: Listener): void {
    this.#listeners.push([name, callback]);
  }
  fire(name: string, ...args: unknown[]): void {
    for (const [event, run] of this.#listeners) if (event === name) run(...(args as never[]));
  }
  push(name: string, value: unknown): void {
    this.traits[name] = value;
    this.fire(`change:${name}`);
  }
  message(content: unknown): void {
    this.fire("msg:custom", content);
  }
  get last(): Record<string, unknown> {
    return this.sent.at(-1) ?? {};
  }
}

/** Numbers as bytes that start at an odd place of a larger buffer, as they arrive. */
export function unaligned(data: Float32Array | Uint8Array): DataView {
  const bytes = new Uint8Array(data.byteLength + 3);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 3);
  return new DataView(bytes.buffer, 3);
}

/** What sites are set to, as Python describes it. */
export const MIXED = { kind: "mixed", corners: false, goal: "as asked", part: "" };
export const PATCH = {
  kind: "patch",
  corners: true,
  goal: "to its value on the other prompt",
  part: "",
};
export const ZERO = { kind: "zero", corners: false, goal: "to zero", part: "" };

const ROWS = 3;
const COLS = 2;
const names = (n: number) => [...Array(n).keys()].map(String);

/** Three layers of two heads: Y01 = index, Y10 = 10 − index, under Y00 = 0 and Y11 = 10. */
export function payload(change: Record<string, unknown> = {}): Record<string, unknown> {
  const index = [...Array(ROWS * COLS).keys()];
  const labels = index.map((i) => `L${Math.floor(i / COLS)}H${i % COLS}`);
  const tokens = ["[BOS]", " a", " b"].map((text) => ({ text, role: null }));
  return {
    revision: 1,
    model: { name: "m", n_layers: ROWS, n_heads: COLS, facts: "" },
    metric: { name: "logit_diff", unit: "logits", label: "logit(a) − logit(b)" },
    edit: PATCH,
    edits: [{ kind: "patch", label: "patch", why: null }],
    pairs: { n: 1, index: 0, name: "t" },
    prompts: {
      clean: tokens,
      corrupt: tokens,
      first_difference: 1,
      answer: " a",
      wrong: " b",
      clean_top: [],
      corrupt_top: [],
    },
    base: { y11: 10, y00: 0 },
    checks: [],
    panels: [
      {
        key: "head",
        mediator: "head",
        title: "Heads",
        axes: [
          { name: "layer", labels: names(ROWS) },
          { name: "head", labels: names(COLS) },
        ],
        shape: [ROWS, COLS],
        y01: unaligned(Float32Array.from(index)),
        y10: unaligned(Float32Array.from(index, (i) => 10 - i)),
        status: unaligned(new Uint8Array(ROWS * COLS).fill(1)),
        labels,
        cost: { runs: 12, passes: 1, seconds: 0.1 },
      },
    ],
    ...change,
  };
}

/** A committed result on cells of the head panel. */
const headLabel = (i: number) => `L${Math.floor(i / COLS)}H${i % COLS}`;

export function answer(cells: number[], change: Record<string, unknown> = {}) {
  return {
    revision: 1,
    seq: 1,
    cells: cells.map((index) => ({ panel: "head", index, label: headLabel(index) })),
    label: cells.map(headLabel).join(" + "),
    edit: PATCH,
    y11: 10,
    y00: 0,
    y10: 6,
    y01: 4,
    status: 1,
    ci: null,
    n: 1,
    top: { clean: [], corrupt: [], restored: [], broken: [] },
    checks: [],
    history: { index: 1, n: 1, undo: true, redo: false },
    ...change,
  };
}
