// One store for each model, shared by all its views: what Python sent, what is under the pointer,
// what is on its way. It draws nothing; views subscribe to the kinds of change they show.
import { same, sameCells } from "./cells.ts";
import { decodeMessage, decodeResult, decodeView } from "./decode.ts";
import type { Part } from "./parts.ts";
import {
  type CellRef,
  type Direction,
  type History,
  type Model,
  type Panel,
  type Progress,
  type RequestError,
  type Result,
  Status,
  type View,
} from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { Requests, type Then } from "./requests.ts";
import { cornersAt, DIRECTIONS, scaleMax, type Unit, unitFor } from "./scale.ts";

export type Change =
  | ("view" | "result" | "scale" | "hover" | "pending" | "status")
  | `part:${string}`;

export class Store {
  view: View | null = null;
  result: Result | null = null;
  history: History = { index: 0, n: 0, undo: false, redo: false };
  direction: Direction = "restore";
  wanted: Unit = "percent";
  max = 100;
  hover: CellRef | null = null;
  /** A reading that is held up for a while, before all others. */
  aside: Reading | null = null;
  /** The cells of the newest selection that has not been answered, null when none is waiting. */
  pending: CellRef[] | null = null;
  progress: Progress | null = null;
  error: RequestError | null = null;
  /** What a server says of what is waited for. */
  said = "";
  live = true;
  /** Clicks add to the selection, for hands that have no Shift key. */
  adding = false;
  /** What Python wrote last for each part of this view. */
  readonly parts = new Map<string, Part>();

  #listeners = new Set<{ changes: ReadonlySet<Change>; run: () => void }>();
  #requests: Requests;
  #pendingId = 0;
  /** Sends the click that waits for the answer to the one before. */
  #next: (() => void) | null = null;

  constructor(
    readonly model: Model,
    /** How to read the parts that the view has, each a trait (parts.ts). */
    parts: Record<string, (value: unknown) => Part> = {},
  ) {
    const lost = () => this.#lost();
    this.#requests = new Requests(model, () => this.#tell("status"), lost);
    model.on("change:view", () => this.#readView());
    model.on("change:result", () => this.#readResult());
    model.on("change:direction", () => this.#readDirection());
    model.on("msg:custom", ((message: unknown) => this.#receive(message)) as never);
    for (const event of ["comm_live_update", "comm:close", "destroy"]) model.on(event, lost);
    this.#readDirection();
    this.#readView();
    for (const [name, read] of Object.entries(parts)) {
      const take = () =>
        this.#guard(() => {
          this.parts.set(name, read(model.get(name)));
          this.#settle();
          if (this.hover && !this.cellReading(this.hover)) this.hover = null;
          this.#tell(`part:${name}`);
        });
      model.on(`change:${name}`, take);
      take();
    }
    this.#readResult();
  }

  /** Calls `run` after each of these changes, until the signal ends it. */
  on(changes: readonly Change[], run: () => void, signal?: AbortSignal): void {
    const entry = { changes: new Set(changes), run };
    this.#listeners.add(entry);
    signal?.addEventListener("abort", () => this.#listeners.delete(entry));
  }

  get busy(): boolean {
    return this.#requests.busy;
  }

  get unit(): Unit {
    return this.view ? unitFor(this.view, this.wanted) : "raw";
  }

  panel(key: string): Panel | null {
    const own = this.view?.panels.find((panel) => panel.key === key);
    // The cells of a part go by its name.
    return own ?? this.parts.get(key)?.panel ?? null;
  }

  /** The cells that count as selected now: those on their way, else those of the result. */
  get selection(): CellRef[] {
    return this.pending ?? this.result?.cells ?? [];
  }

  /** What the rail, the sentence and the corners read from: the pointer first, then the result. */
  get reading(): Reading | null {
    return this.aside ?? (this.hover && this.cellReading(this.hover)) ?? this.resultReading;
  }

  cellReading({ panel: key, index }: CellRef): Reading | null {
    const panel = this.panel(key);
    const label = panel?.labels[index];
    if (!this.view || !panel || label === undefined) return null;
    const { n, index: pair } = this.view.pairs;
    return {
      kind: "cell",
      cells: [{ panel: key, index }],
      label,
      corners: cornersAt(this.view, panel, index),
      edit: panel.edit ?? this.view.edit,
      status: panel.status[index] ?? 0,
      n: pair === null ? n : 1,
      ci: this.#intervals(key, index),
      stale: panel.revision < this.view.revision || (panel.pair ?? pair ?? -1) !== (pair ?? -1),
    };
  }

  get resultReading(): Reading | null {
    const { result, view } = this;
    if (!result || !view) return null;
    const { cells, label, edit, status, n, ci } = result;
    const stale = result.revision < view.revision;
    return { kind: "result", cells, label, corners: result, edit, status, n, ci, stale };
  }

  labelOf({ label, panel, index }: CellRef): string | undefined {
    return label ?? this.panel(panel)?.labels[index];
  }

  /** The layer row a cell stands in. */
  layerOf({ panel: key, index }: CellRef): number | null {
    const panel = this.panel(key);
    if (!panel) return null;
    // An edge stands in its query's row, a neuron in the only one: the label knows the layer.
    const layer = /^[a-z]+(\d+)/i.exec(panel.labels[index] ?? "")?.[1];
    return layer === undefined ? Math.floor(index / panel.cols) : Number(layer);
  }

  // --- what people do -----------------------------------------------------------------------

  setHover(cell: CellRef | null): void {
    if (same(this.hover, cell)) return;
    this.hover = cell;
    this.#tell("hover");
  }

  setAside(reading: Reading | null): void {
    this.aside = reading;
    this.#tell("hover");
  }

  /** Runs the intervention on a cell, or on the selection with this cell added or taken out. */
  choose(cell: CellRef, add = false): void {
    this.chooseAll([cell], add, true);
  }

  /**
   * Runs the intervention on cells jointly. `add`: with what is selected; `toggle`: those that are
   * selected already are taken out. Cells that cannot be set are left out.
   */
  chooseAll(cells: CellRef[], add = false, toggle = false): void {
    const can = cells.filter(
      ({ panel, index }) => this.panel(panel)?.status[index] !== Status.Impossible,
    );
    if (can.length === 0) return;
    const before = add || this.adding ? this.selection : [];
    const within = (all: CellRef[]) => (one: CellRef) => all.some((other) => same(one, other));
    const rest = toggle ? before.filter((one) => !within(can)(one)) : before;
    const taken = toggle && rest.length < before.length;
    const all = taken ? rest : [...rest, ...can.filter((one) => !within(rest)(one))];
    if (all.length === 0) this.ask("clear");
    else this.#intervene(all);
  }

  setDirection(direction: Direction): void {
    if (direction === this.direction) return;
    this.direction = direction;
    this.#tell("scale");
    this.model.set("direction", direction);
    try {
      this.model.save_changes();
    } catch {
      this.#lost();
    }
  }

  setUnit(unit: Unit): void {
    this.wanted = unit;
    this.#rescale();
    this.#tell("scale");
  }

  get sweeping(): boolean {
    return this.progress?.state === "running";
  }

  dismissError(): void {
    this.error = null;
    this.#tell("status");
  }

  // --- to the kernel ------------------------------------------------------------------------

  /**
   * Asks for cells at once, but on a busy kernel after the answer to the click before: of those
   * that wait only the newest counts, for each says the whole selection. What was asked for on
   * another picture is let go.
   */
  #intervene(cells: CellRef[]): void {
    const { view, pending } = this;
    // The kernel refuses what is another site by the time it arrives.
    const named = cells.map((cell) => ({ ...cell, label: this.labelOf(cell) }));
    this.#next = () => {
      this.#next = null;
      if (this.view?.revision === view?.revision)
        this.#pendingId = this.ask("intervene", { cells: named });
      else this.pending = null;
    };
    this.pending = cells;
    // The request leaves first: the ring is drawn while it travels.
    if (!pending || !this.busy) this.#next();
    if (this.live) this.#tell("pending");
  }

  /** Sends a request; its id, 0 where the kernel is gone. `then` gets the data of its answer. */
  ask(action: string, payload: Record<string, unknown> = {}, then?: Then): number {
    this.error = null;
    // Whatever else is asked for finds the newest click done.
    this.#next?.();
    const id = this.#requests.send(action, this.view?.revision ?? 0, payload, then);
    if (id === null) this.#lost();
    else this.#tell("status");
    return id ?? 0;
  }

  // --- from the kernel ----------------------------------------------------------------------

  #readView(): void {
    const raw = this.model.get("view");
    if (typeof raw !== "object" || raw === null || Object.keys(raw).length === 0) return;
    this.#guard(() => {
      this.view = decodeView(raw);
      this.#settle();
      if (this.hover && !this.cellReading(this.hover)) this.hover = null;
      this.mergeResult();
      this.#rescale();
      this.#tell("view");
    });
  }

  #readResult(): void {
    this.#guard(() => {
      const { result, history } = decodeResult(this.model.get("result") ?? {});
      this.result = result;
      this.history = history;
      this.#settle();
      if (this.pending && result && sameCells(this.pending, result.cells)) this.pending = null;
      // The newest word is the result's, until the pointer moves to another cell.
      if (result) this.hover = null;
      const before = this.max;
      if (this.mergeResult()) this.#rescale();
      this.#tell(this.max === before ? "result" : "scale");
      if (this.max !== before) this.#tell("result");
    });
  }

  #readDirection(): void {
    const direction = DIRECTIONS.find((one) => one === this.model.get("direction"));
    if (!direction || direction === this.direction) return;
    this.direction = direction;
    this.#tell("scale");
  }

  #receive(raw: unknown): void {
    this.#guard(() => {
      const message = decodeMessage(raw);
      if (message?.kind === "waiting") this.said = message.said;
      if (message?.kind === "progress") this.progress = message;
      if (message?.kind === "reply") {
        this.#answered(message.id, message.data);
        if (message.error) this.error = message.error;
      }
      this.#tell("status");
    });
  }

  #answered(id: number, data: unknown): void {
    if (id >= this.#pendingId && this.pending) {
      if (this.#next) this.#next();
      else this.pending = null;
      this.#tell("pending");
    }
    // Last: what is done with the data may throw.
    this.#requests.answered(id, data);
  }

  /** Nothing more can be sent. What is on the page can still be read. */
  #lost(): void {
    this.#next = null;
    this.#requests.forget();
    this.live = false;
    this.pending = null;
    this.#tell("pending");
    this.#tell("status");
  }

  /** A selected site that stands elsewhere now, or nowhere, goes by its place and label. */
  #settle(): void {
    const { result } = this;
    if (!result) return;
    result.cells = result.cells.map((cell, index) =>
      this.panel(cell.panel)?.labels[cell.index] === cell.label
        ? cell
        : { ...cell, panel: "site", index },
    );
  }

  /** Puts a one-cell result into this page's copy of its panel, as Python does with its own. */
  mergeResult(): boolean {
    const { result, view } = this;
    const cell = result?.cells.length === 1 ? result.cells[0] : undefined;
    if (!result || !view || !cell || result.revision !== view.revision) return false;
    const panel = this.panel(cell.panel);
    const goal = (panel?.edit ?? view.edit).goal;
    if (!panel || cell.index >= panel.status.length || result.edit.goal !== goal) return false;
    panel.y01[cell.index] = result.y01;
    panel.y10[cell.index] = result.y10;
    panel.status[cell.index] = result.status;
    return true;
  }

  #intervals(panel: string, index: number): Result["ci"] {
    const cell = this.result?.cells.length === 1 ? this.result.cells[0] : undefined;
    return cell && same(cell, { panel, index }) ? (this.result?.ci ?? null) : null;
  }

  #rescale(): void {
    if (this.view) this.max = scaleMax(this.view, this.unit);
  }

  /** A message that cannot be read changes nothing and is said. */
  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "ProtocolError") throw error;
      this.error = {
        message: `The kernel sent what this view cannot read: ${error.message}.`,
        value: "",
        expected: "",
        fix: "Run the cell again.",
      };
      this.#tell("status");
    }
  }

  #tell(change: Change): void {
    for (const { changes, run } of this.#listeners) if (changes.has(change)) run();
  }
}
