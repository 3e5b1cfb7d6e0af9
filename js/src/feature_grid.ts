// FeatureGrid: features by tokens, each to be patched, ablated or steered by a click.
import "./styles.css";
import "./feature_grid.css";
import { button, div, h, on, setProps, setText, span } from "./dom.ts";
import { towardClean } from "./estimands.ts";
import {
  cellText,
  cellWords,
  decodeFeatures,
  type Features,
  featureScale,
  nameOf,
  ORDERS,
  type Top,
  valueAt,
  WAYS,
} from "./feature_data.ts";
import { cellSize, type Face, type Matrix, matrix, type Place } from "./matrix.ts";
import { errorLine, progressLine } from "./notices.ts";
import { percentSize, size } from "./numbers.ts";
import { segments } from "./part_view.ts";
import { type Direction, type Model, Status } from "./protocol.ts";
import { DIRECTIONS, shown, unitFor } from "./scale.ts";
import { followWidth, shell } from "./shell.ts";
import { kernel, undoRedo } from "./status_bar.ts";
import { Store } from "./store.ts";
import { plain, token, word } from "./text.ts";

const HINT =
  "Point at a cell to read it; click it, or press Enter, to set that feature there; a feature's name sets it at every token.";
const VERBS: Record<Direction, string> = {
  restore: "Restore",
  break: "Break",
  difference: "Difference",
};
const CONSTANT: Record<Direction, string> = {
  restore: "On corrupt",
  break: "On clean",
  difference: "Difference",
};
const [PADDING, WIDE, NARROW, NARROW_BELOW, ROW] = [28, 190, 74, 620, 28];
const STATES = ["none", "exact", "estimate", "zero", "failed", "impossible"] as const;

class FeatureView {
  readonly parts: HTMLElement[];
  #grid: Features;
  #matrix: Matrix | null = null;
  #drawn = "";
  #scale = 1;
  #width = 700;
  #hover: number | null = null;
  #pending: number | null = null;
  #seq: unknown = null;
  #title = h("p", { class: "mw-gametitle" });
  #words = h("p", { class: "mw-sentence" });
  #said = h("div", { class: "mw-hidden", "aria-live": "polite" });
  #legend = div("mw-featurekey");
  #tops = div("mw-tops");
  #place = div("mw-scroll mw-features");
  #verbs: ReturnType<typeof segments<Direction>>;
  #ways: ReturnType<typeof segments<keyof typeof WAYS>>;
  #order: ReturnType<typeof segments<keyof typeof ORDERS>>;
  #amount = h("input", { class: "mw-number", type: "number", step: "any", "aria-label": "Amount" });
  #amountField = h("label", { class: "mw-field" }, span("", "by"), this.#amount);
  #run = button("Run all shown", () => this.store.ask("features_run"));

  constructor(
    readonly store: Store,
    signal: AbortSignal,
  ) {
    this.#grid = decodeFeatures(store.model.get("features"));
    this.#verbs = segments("Direction", VERBS, (to) => store.setDirection(to));
    this.#ways = segments("Set to", WAYS, (way) => this.#ask(way));
    this.#order = segments("Order", ORDERS, (by) => store.ask("features_order", { by }));
    on(this.#amount, "change", () => this.#ask(this.#grid.way));
    on(this.#amount, "keydown", (event) => event.stopPropagation());
    const tools = span("mw-tools", ...undoRedo(store, signal));
    this.parts = [
      div("mw-part mw-featurehead", this.#title, tools),
      errorLine(store, signal),
      div(
        "mw-part mw-featurebar",
        this.#verbs.el,
        this.#ways.el,
        this.#amountField,
        this.#order.el,
        this.#run,
        this.#finder(),
        kernel(store, signal),
      ),
      this.#words,
      this.#place,
      this.#tops,
      div("mw-part mw-featurefoot", this.#legend, progressLine(store, signal)),
      this.#said,
    ];
    store.model.on("change:features", () => {
      if (signal.aborted) return;
      this.#grid = decodeFeatures(store.model.get("features"));
      this.#draw();
    });
    store.on(["scale", "result", "view", "status", "pending"], () => this.#draw(), signal);
    this.#draw();
  }

  #ask(way: keyof typeof WAYS): void {
    const amount = Number(this.#amount.value);
    this.store.ask("features_way", { way, amount: this.#amount.value === "" ? 5 : amount });
  }

  /** A feature by its number. */
  #finder(): HTMLElement {
    const search = h("input", {
      class: "mw-number",
      type: "number",
      min: 0,
      max: this.#grid.n - 1,
      "aria-label": "Feature",
    });
    const find = () => {
      const unit = Number(search.value);
      if (search.value !== "" && Number.isInteger(unit)) this.store.ask("features_show", { unit });
    };
    on(search, "keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") find();
    });
    const field = h("label", { class: "mw-field" }, span("", "Feature"), search);
    return span("mw-find", field, button("Show", find));
  }

  // --- the grid ----------------------------------------------------------------------------------

  /** The cell that the study's last intervention was, where it is one of this picture. */
  get #chosen(): number | null {
    const raw = this.store.model.get("result") as Record<string, unknown> | undefined;
    const at = raw?.feature;
    return typeof at === "number" && raw?.way === this.#grid.way ? at : null;
  }

  #face(row: number, col: number): Face {
    const { store } = this;
    const { view } = store;
    const grid = this.#grid;
    const index = row * grid.columns.length + col;
    const status = grid.status[index] ?? 0;
    const state = STATES[status] ?? "none";
    if (!view) return { state: "none", share: 0, text: "", name: grid.names[index] ?? "" };
    const value = valueAt(store, view, grid, index);
    const blue =
      unitFor(view, store.wanted) === "percent" ? 1 : towardClean(view.base.y11, view.base.y00);
    const visible = shown(status) && Number.isFinite(value);
    const text = state === "zero" ? "·" : visible ? cellText(store, view, value) : "";
    return {
      state,
      // A zero by construction is none after rounding: where no cell was run it would be the largest.
      share: visible && state !== "zero" ? (value * blue) / this.#scale : 0,
      text,
      get name() {
        return nameOf(store, view, grid, index);
      },
    };
  }

  #choose({ row, col }: Place): void {
    const { names, columns, status, way } = this.#grid;
    const index = row * columns.length + col;
    if (status[index] === Status.Impossible || !this.store.live) return;
    this.#pending = index;
    const cells = [{ index, label: names[index], way }];
    if (this.store.ask("intervene", { cells }) === 0) this.#pending = null;
    this.#marks();
  }

  #make(): void {
    const { rows, columns, names } = this.#grid;
    const asked = `${names.join()} ${this.#width}`;
    if (asked === this.#drawn) return;
    this.#drawn = asked;
    const narrow = this.#width < NARROW_BELOW;
    this.#matrix = matrix({
      rows: rows.length,
      cols: columns.length,
      corner: [h("span", { class: "mw-hidden", text: "feature" })],
      rowHead: (row) => this.#rowHead(row, narrow),
      colHead: (col) =>
        span("mw-up", col ? h("bdi", { text: word(columns[col] ?? "") }) : "all tokens"),
      name: () => `Features of ${plain(this.#grid.site, 20)} by token`,
      face: (row, col) => this.#face(row, col),
      hover: (at) => {
        this.#hover = at && at.row * columns.length + at.col;
        this.#point();
      },
      choose: (at) => this.#choose(at),
      several: (all) => {
        const first = all[0];
        // A feature's name stands for it at every token, which is a cell of its own.
        if (first && all.length > 1 && all.every(({ row }) => row === first.row))
          this.#choose({ row: first.row, col: 0 });
      },
    });
    setProps(this.#matrix.el, { "aria-multiselectable": null });
    const { style } = this.#matrix.el;
    const head = narrow ? NARROW : WIDE;
    style.setProperty("--rh", `${head}px`);
    style.setProperty("--head-h", "76px");
    const cell = cellSize(this.#width - PADDING - head, columns.length);
    this.#matrix.resize(cell, ROW);
    this.#place.replaceChildren(this.#matrix.el);
    this.#bars();
  }

  #rowHead(row: number, narrow: boolean): Node[] {
    const one = this.#grid.rows[row];
    if (!one) return [];
    const label = h("bdi", { class: "mw-featurename", text: plain(one.label, 24) });
    const few = [...new Set(one.tops.map((top) => word(top.token)))].slice(0, 3);
    const tops = span("mw-toptokens", ...few.map((text) => h("bdi", { text })));
    return narrow ? [label] : [label, tops];
  }

  /** How active each feature is at each token, as two bars: clean above corrupt. */
  #bars(): void {
    const { clean, corrupt, columns } = this.#grid;
    const cols = columns.length - 1;
    const most = Math.max(1e-9, ...[...clean, ...corrupt].filter(Number.isFinite));
    for (const cell of this.#place.querySelectorAll<HTMLElement>("[data-at]")) {
      const at = Number(cell.dataset.at);
      const [row, col] = [Math.floor(at / (cols + 1)), at % (cols + 1)];
      const share = (codes: Float32Array) => {
        const code = col ? (codes[row * cols + col - 1] ?? 0) : 0;
        return `${((100 * (code > 0 ? code : 0)) / most).toFixed(1)}%`;
      };
      cell.style.setProperty("--clean", share(clean));
      cell.style.setProperty("--corrupt", share(corrupt));
    }
  }

  resize(width: number): void {
    this.#width = width;
    this.#make();
    this.#paint();
  }

  // --- drawing -----------------------------------------------------------------------------------

  #draw(): void {
    const { store } = this;
    this.#take();
    const grid = this.#grid;
    setText(this.#title, `${grid.name}. ${this.#whose()}`);
    this.#verbs.set(store.direction);
    const words = grid.edit.corners ? VERBS : CONSTANT;
    this.#verbs.el.querySelectorAll("button").forEach((one, i) => {
      setText(one, words[DIRECTIONS[i] as Direction]);
    });
    this.#ways.set(grid.way);
    this.#order.set(grid.by);
    this.#amountField.hidden = grid.way !== "steer";
    if (document.activeElement !== this.#amount) this.#amount.value = String(grid.amount);
    const still = store.sweeping || !store.live;
    setProps(this.#run, { disabled: still || grid.way === "steer" });
    this.#make();
    this.#paint();
  }

  #whose(): string {
    const pairs = this.store.view?.pairs;
    if (!pairs || pairs.n === 1) return "";
    return pairs.index === null
      ? `Mean of ${pairs.n} pairs.`
      : `Pair ${pairs.index + 1} of ${pairs.n}.`;
  }

  /** Puts the answer to a click into this page's copy, as Python does with its own. */
  #take(): void {
    const { store } = this;
    const raw = store.model.get("result") as Record<string, unknown> | undefined;
    const { result } = store;
    const at = this.#chosen;
    if (result && at !== null && raw?.seq !== this.#seq && at < this.#grid.status.length) {
      this.#grid.y01[at] = result.y01;
      this.#grid.y10[at] = result.y10;
      this.#grid.status[at] = result.status;
      this.#pending = null;
      if (store.view && this.#seq !== null)
        setText(this.#said, nameOf(store, store.view, this.#grid, at));
    }
    this.#seq = raw?.seq ?? 0;
    if (store.error || !store.live) this.#pending = null;
  }

  #paint(): void {
    const { view } = this.store;
    if (!view || !this.#matrix) return;
    this.#scale = featureScale(this.store, view, this.#grid);
    const percent = unitFor(view, this.store.wanted) === "percent";
    const end = percent
      ? `${percentSize(this.#scale)}%`
      : `${size(this.#scale)} ${view.metric.unit}`;
    this.#legend.replaceChildren(
      span("", h("i", { class: "mw-bar-clean" }), " code on clean"),
      span("", h("i", { class: "mw-bar-corrupt" }), " on corrupt"),
      span("", `colours to ±${end}`),
    );
    this.#matrix.paint();
    this.#bars();
    this.#marks();
    this.#point();
  }

  #marks(): void {
    const cols = this.#grid.columns.length;
    const [pending, chosen] = [this.#pending, this.#chosen];
    const now = pending ?? chosen;
    this.#matrix?.mark("aria-selected", (row, col) =>
      row * cols + col === now ? "true" : "false",
    );
    this.#matrix?.mark("data-pending", (row, col) =>
      row * cols + col === pending ? "true" : null,
    );
  }

  #point(): void {
    const { view } = this.store;
    const at = this.#hover ?? this.#pending ?? this.#chosen;
    setText(this.#words, at !== null && view ? cellWords(this.store, view, this.#grid, at) : HINT);
    const row = this.#grid.rows[at === null ? -1 : Math.floor(at / this.#grid.columns.length)];
    this.#tops.replaceChildren(...(row ? [span("mw-hint", this.#lead(row.label, row.tops))] : []));
    for (const top of row?.tops ?? []) this.#tops.append(context(top));
  }

  #lead(label: string, tops: Top[]): string {
    const name = plain(label, 24);
    return tops.length ? `${name} fires most on` : `${name}: no code, no tokens.`;
  }
}

/** A token in its context, as text whatever it holds. */
function context({ before, token: text, after, code }: Top): HTMLElement {
  return div(
    "mw-top",
    h("bdi", { class: "mw-hint", text: plain(before, 60) }),
    h("b", {}, token(text)),
    h("bdi", { class: "mw-hint", text: plain(after, 60) }),
    span("mw-topcode", code.toFixed(1)),
  );
}

export default () => {
  let store: Store | null = null;
  return {
    initialize({ model }: { model: Model }) {
      store = new Store(model);
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      const end = new AbortController();
      store ??= new Store(model);
      const view = new FeatureView(store, end.signal);
      const root = shell("Feature grid", model, el, end.signal, ...view.parts);
      followWidth(root, end.signal, (width) => view.resize(width));
      return () => end.abort();
    },
  };
};
