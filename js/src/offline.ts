// A study's views without a kernel: what was computed answers, everything else says that it was not.
// The stand-in for anywidget's model, and for what widgets/_desk.py does with requests.
import {
  type Cell,
  computed,
  type Edit,
  type Entry,
  FEATURES,
  type Fields,
  labels,
  type Panel,
  panels,
  type Shown,
  single,
} from "./offline_cells.ts";

type Listener = (...args: never[]) => void;

/** The trait of the history's row (widgets/_log.py). */
interface Log extends Fields {
  entries: Fields[];
}
/** A cell that was asked for: its site, and what a click sets it to. */
interface Asked {
  name: string | null;
  index: number;
  panel: Panel | undefined;
  edit: Edit | undefined;
}
/** A request whose answer is in the page. */
interface Known {
  action: string;
  asked: Fields;
  data: Fields;
}
export interface PageData {
  views: {
    module: number;
    study: number | null;
    open: string[];
    state: Fields;
    known?: Known[];
  }[];
  /** `answers`: what a click on pairs of players would run, known from their game. */
  histories: { cursor: number; entries: (Entry | null)[]; answers?: Entry[] }[];
}

const REFUSED = {
  message: "Not computed in this export.",
  value: "",
  expected: "",
  fix: "Open it in a notebook, where the model can be run.",
};

/** anywidget's model, as far as views use it. */
export class OfflineModel {
  #listeners: [string, Listener][] = [];

  constructor(
    readonly state: Fields,
    readonly ask: (request: Fields) => boolean,
    readonly known: Known[] = [],
  ) {}

  get(name: string): unknown {
    return this.state[name];
  }
  set(name: string, value: unknown): void {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.#fire(`change:${name}`);
  }
  save_changes(): void {}
  on(name: string, run: Listener): void {
    this.#listeners.push([name, run]);
  }
  off(name?: string, run?: Listener): void {
    const kept = ([event, own]: [string, Listener]) =>
      (name !== undefined && event !== name) || (run !== undefined && own !== run);
    this.#listeners = this.#listeners.filter(kept);
  }
  /** Requests are answered after the page has drawn that they are on their way. */
  send(content: unknown): void {
    const request = content as Fields;
    if (request.kind !== "request") return;
    const known = this.known.find(
      ({ action, asked }) =>
        action === request.action && Object.keys(asked).every((key) => asked[key] === request[key]),
    );
    queueMicrotask(() => {
      if (known)
        return this.#fire("msg:custom", {
          kind: "reply",
          id: request.id,
          ok: true,
          data: known.data,
        });
      const ok = this.ask(request);
      const reply = { kind: "reply", id: request.id, ok };
      this.#fire("msg:custom", ok ? reply : { ...reply, error: REFUSED });
    });
  }
  #fire(name: string, ...args: unknown[]): void {
    for (const [event, run] of [...this.#listeners]) if (event === name) run(...(args as never[]));
  }
}

/** The views of one study: they share its history, and so each shows what another was asked. */
export class OfflineStudy {
  readonly models = new Map<number, OfflineModel>();
  #entries: (Entry | null)[];
  #cursor: number;
  #seq = 1e6;
  /** What the history's row shows of each entry, as it was when the page was made. */
  readonly #rows = new Map<Entry | null, Fields>();

  readonly #answers: Entry[];

  constructor(history: PageData["histories"][number]) {
    this.#answers = history.answers ?? [];
    this.#entries = history.entries;
    this.#cursor = history.cursor;
  }

  /** The model of a view; `open` names the parts whose data are there. */
  add(place: number, state: Fields, open: string[], known: Known[] = []): OfflineModel {
    const model = new OfflineModel(state, (request) => this.#answer(place, open, request), known);
    this.models.set(place, model);
    for (const item of log(model)?.entries ?? []) {
      const entry = this.#entries[Number(item.index)];
      if (entry) this.#rows.set(entry, item);
    }
    return model;
  }

  #answer(place: number, open: string[], request: Fields): boolean {
    switch (request.action) {
      case "intervene":
        return this.#intervene(place, request.cells as Cell[]);
      case "undo":
        return this.#walk(this.#cursor - 1);
      case "redo":
        return this.#walk(this.#cursor + 1);
      case "walk":
        return this.#walk(Number(request.index));
      case "clear":
        if (this.#entries[this.#cursor]) this.#add(null);
        return true;
      case "open":
        if (request.open !== false) this.#open(place, open, String(request.part));
        return true;
      case "cancel":
      case "intervals": // asked by the page itself: there are none, and nobody is to hear of it
        return true;
      default:
        return false;
    }
  }

  /** A part that was closed when the page was made says so where it would be drawn. */
  #open(place: number, open: string[], part: string): void {
    const model = this.models.get(place);
    const { revision = 0 } = (model?.get("view") ?? {}) as Partial<Shown>;
    if (!open.includes(part)) model?.set(part, { revision, error: REFUSED });
  }

  #walk(to: number): boolean {
    if (to < 0 || to >= this.#entries.length) return true;
    this.#cursor = to;
    this.#show();
    return true;
  }

  #add(entry: Entry | null): void {
    this.#entries = [...this.#entries.slice(0, this.#cursor + 1), entry];
    this.#walk(this.#cursor + 1);
  }

  #show(): void {
    const [entry, last] = [this.#entries[this.#cursor], this.#entries.length - 1];
    const index = this.#cursor;
    const history = { index, n: last, undo: index > 0, redo: index < last };
    for (const [place, model] of this.models) {
      const told = entry?.told[place];
      this.#seq += 1;
      // What another view was asked of other pairs leaves this one as it is.
      if (entry && !told) model.set("result", { ...(model.get("result") as Fields), history });
      else model.set("result", { ...told, seq: this.#seq, history });
      const row = log(model);
      if (row) model.set("entries", { ...row, cursor: index, ...this.#row(place) });
    }
  }

  #row(place: number): Fields {
    const entries = this.#entries.map((entry, index) => {
      const told = entry?.told[place] ?? { label: entry?.sites.join(" + ") ?? "" };
      return { name: "", marks: [], ...(this.#rows.get(entry) ?? told), index };
    });
    return { total: entries.length, entries };
  }

  #intervene(place: number, cells: Cell[]): boolean {
    if (this.models.get(place)?.get("game")) return this.#play(place, cells);
    const asked = cells.map((cell) => this.#site(place, cell));
    const known = this.#entries.find((entry) => entry && this.#is(entry, place, asked));
    if (known) {
      this.#add(known);
      return true;
    }
    const [only] = asked;
    const { panel } = only ?? {};
    if (asked.length !== 1 || !only?.name || !panel) return false;
    if (!computed(panel, only.index)) return false;
    this.#add(this.#single(place, only.name, only.index, panel));
    return true;
  }

  /**
   * Whether an entry is these sites, set alike to what is asked. No two edits have the same goal,
   * and what is frozen is in it, but several edits are all "as asked": which, the page cannot tell.
   */
  #is({ sites, told }: Entry, place: number, asked: Asked[]) {
    const edit = told[place]?.edit as Edit | undefined;
    return (
      edit !== undefined &&
      edit.kind !== "mixed" &&
      (asked[0]?.panel?.key === FEATURES
        ? told[place]?.feature === asked[0].index && edit.goal === asked[0].edit?.goal
        : sites.length === asked.length &&
          asked.every(
            (one) => one.name !== null && sites.includes(one.name) && one.edit?.goal === edit.goal,
          ))
    );
  }

  /** Players of a game, alone or two together. */
  #play(place: number, cells: Cell[]): boolean {
    const wanted = cells.map(({ index }) => index);
    const known = [...this.#entries, ...this.#answers].find((entry) => {
      const players = (entry?.told[place]?.players ?? []) as number[];
      return players.length === wanted.length && wanted.every((one) => players.includes(one));
    });
    if (known) this.#add(known);
    return !!known;
  }

  /** The site of a cell, by its label, and what a click sets it to. */
  #site(place: number, { panel: key = FEATURES, index }: Cell): Asked {
    const state = this.models.get(place)?.state ?? {};
    if (key === "site") {
      const result = state.result as { cells?: Cell[]; edit?: Edit };
      const name = result.cells?.[index]?.label ?? null;
      return { name, index, panel: undefined, edit: result.edit };
    }
    const panel = panels(state).find((own) => own.key === key);
    const view = state.view as Shown;
    const name = panel ? (labels(panel)[index] ?? null) : null;
    return { name, index, panel, edit: panel?.edit ?? view.edit };
  }

  /** One computed cell, as every view draws it that shows the same pairs. */
  #single(place: number, name: string, index: number, panel: Panel): Entry {
    const asked = this.models.get(place)?.state.view as Shown;
    const told: Entry["told"] = {};
    for (const [other, { state }] of this.models) {
      const view = state.view as Shown | undefined;
      if (view?.pairs.index !== asked.pairs.index) continue;
      told[other] = single(view, panels(state), name, index, panel);
    }
    return { sites: [name], told };
  }
}

function log(model: OfflineModel): Log | null {
  const row = model.get("entries") as Log | undefined;
  return row?.entries ? row : null;
}

/** Data of the page, with bytes for what stands in it as base64. */
export function decoded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decoded);
  if (typeof value !== "object" || value === null) return value;
  const bytes = (value as Fields).$bytes;
  if (typeof bytes === "string") {
    const text = atob(bytes);
    return new DataView(Uint8Array.from(text, (c) => c.charCodeAt(0)).buffer);
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, decoded(item)]));
}
