// The sheet: heads, MLPs and tokens on shared layer rows, and the way to run what has not been run.
import { button, h, setProps, setText } from "./dom.ts";
import { Grid, type GridOptions } from "./grid.ts";
import { type Sizes, sizes } from "./layout.ts";
import { count, seconds } from "./numbers.ts";
import { same as sameMark } from "./prompts.ts";
import { type CellRef, type Panel, Status, type View } from "./protocol.ts";
import type { Store } from "./store.ts";
import { token } from "./text.ts";

const NOUN: Record<string, string> = { head: "head", mlp_out: "MLP", tokens: "site" };
const TOKEN_MEDIATORS: [string, string][] = [
  ["residual", "residual"],
  ["attn_out", "attention out"],
  ["mlp_out", "MLP out"],
];
const CHARACTER = 7.4;
const LONGEST_HEAD = 11;

export class Sheet {
  readonly el = h("div", { class: "mw-sheet" });
  #grids: Grid[] = [];
  #feet: (() => void)[] = [];
  #built = "";
  #width = 0;

  constructor(
    readonly store: Store,
    /** Keys of the panels to draw, in order. */
    readonly panels: readonly string[],
    signal: AbortSignal,
  ) {
    store.on(["view"], () => this.#draw(), signal);
    store.on(["scale"], () => this.#paint(), signal);
    store.on(["result"], () => this.#result(), signal);
    store.on(["pending"], () => this.#marks(), signal);
    store.on(["status"], () => this.#footers(), signal);
    store.on(["hover"], () => this.#hover(), signal);
  }

  /** Draws for a width in CSS pixels. */
  resize(width: number): void {
    if (width === this.#width) return;
    this.#width = width;
    this.#draw();
  }

  focusCell(cell: CellRef): void {
    const grid = this.#grids.find((g) => g.options.panel === cell.panel);
    grid?.focus(grid.at(cell.index));
  }

  #draw(): void {
    const { view } = this.store;
    if (!view || this.#width === 0) return;
    const size = sizes(view, this.#width);
    // Elements are made anew only where labels, shapes or sizes changed; numbers are repainted.
    const structure = JSON.stringify([size, this.#structure(view)]);
    if (structure === this.#built) {
      this.#paint();
      return;
    }
    this.#built = structure;
    const focused = this.#grids.find((grid) => grid.el.contains(document.activeElement))?.current;
    const current = this.#grids.map((grid) => grid.current);
    this.#grids = [];
    this.#feet = [];
    const boxes = this.panels.flatMap((key) => {
      const panel = this.store.panel(key);
      return panel ? [this.#box(view, panel, size)] : [];
    });
    this.el.classList.toggle("mw-narrow", size.narrow);
    this.el.style.setProperty("--head-h", `${headHeight(view, this.panels, size)}px`);
    this.el.replaceChildren(...boxes);
    for (const grid of this.#grids)
      for (const cell of current) if (cell.panel === grid.options.panel) grid.current = cell;
    if (focused) {
      // The focus comes back to a new element; nobody has pointed at anything.
      const { hover } = this.store;
      this.focusCell(focused);
      this.store.setHover(hover);
    }
    this.#footers();
  }

  #structure(view: View): unknown {
    const shapes = view.panels.map((p) => [p.key, p.mediator, p.title, p.rows, p.cols, p.axes]);
    const texts = [view.prompts.clean, view.prompts.corrupt].map((side) => side.map((t) => t.text));
    return [shapes, texts];
  }

  #box(view: View, panel: Panel, size: Sizes): HTMLElement {
    const grid = new Grid(this.store, gridOptions(view, panel, size), panel);
    this.#grids.push(grid);
    return h(
      "div",
      { class: `mw-panel mw-panel-${panel.key}` },
      h("div", { class: "mw-paneltitle" }, ...this.#title(panel)),
      h("div", { class: "mw-scroll" }, grid.el),
      this.#foot(panel),
    );
  }

  #title(panel: Panel): Node[] {
    if (panel.key !== "tokens") return [h("span", { text: panel.title })];
    const select = h("select", { class: "mw-select", "aria-label": "Token panel shows" });
    for (const [value, text] of TOKEN_MEDIATORS)
      select.append(h("option", { value, text, selected: value === panel.mediator }));
    select.value = panel.mediator;
    select.addEventListener("change", () => this.store.ask("tokens", { mediator: select.value }));
    return [select, h("span", { text: "× token" })];
  }

  #foot(panel: Panel): HTMLElement {
    const { key } = panel;
    const run = button("", () => this.store.ask("sweep", { panels: [key] }), {
      class: "mw-button mw-run",
    });
    const done = h("span", { class: "mw-hint" });
    this.#feet.push(() => {
      const now = this.store.panel(key);
      if (!now) return;
      const missing = now.status.filter((code) => code === Status.NotRun).length;
      const stale = now.revision < (this.store.view?.revision ?? 0);
      const noun = NOUN[key] ?? "site";
      run.hidden = missing === 0 && !stale;
      done.hidden = !run.hidden;
      setText(done, `${count(now.status.length, noun)}, all done`);
      const words = stale
        ? `Out of date: run again · ${count(now.cost.passes || 1, "pass")}`
        : `Run ${count(missing, noun)} · ${count(now.cost.passes, "pass")} · ${seconds(now.cost.seconds)}`;
      setText(run, now.cols === 1 ? "Run" : words);
      setProps(run, { title: words, "aria-label": now.cols === 1 ? words : null });
      run.disabled = !this.store.live || this.store.sweeping;
    });
    return h("div", { class: "mw-foot" }, run, done);
  }

  #paint(): void {
    for (const grid of this.#grids) grid.paint();
    this.#footers();
  }

  #result(): void {
    for (const grid of this.#grids) grid.result();
    this.#footers();
  }

  #marks(): void {
    for (const grid of this.#grids) grid.marks();
  }

  #hover(): void {
    for (const grid of this.#grids) grid.hovered();
  }

  #footers(): void {
    for (const draw of this.#feet) draw();
  }
}

// --- heads of rows and columns -----------------------------------------------------------------------

function gridOptions(view: View, panel: Panel, size: Sizes): GridOptions {
  const turned = size.narrow && panel.key === "tokens";
  const layer = (row: number) => {
    const label = panel.axes[0]?.[row] ?? String(row);
    return /^\d+$/.test(label) ? `L${label}` : label;
  };
  const base: GridOptions = {
    panel: panel.key,
    transposed: turned,
    width: panel.key === "head" ? size.head : panel.key === "tokens" ? size.token : 36,
    height: turned ? 24 : size.height,
    name: NAMES[panel.key] ?? panel.title,
    rowHead: (row) => [h("span", { text: layer(row) })],
    colHead: (col) => columnName(panel, col),
    corner: [h("span", { class: "mw-hidden", text: "layer" })],
  };
  if (panel.key !== "tokens") return base;
  const clean = (i: number) => token(panel.axes[1]?.[i] ?? "");
  if (!turned) return { ...base, colHead: (col) => column(view, col, clean(col)) };
  return {
    ...base,
    corner: [h("span", { text: "clean" }), h("span", { text: "corrupt" })],
    rowHead: (row) => [clean(row), corruptUnder(view, row)],
    colHead: (col) => document.createTextNode(layer(col)),
    rowClass: (row) => (differs(view, row) ? "mw-differs" : ""),
  };
}

/** The number of a head; a panel of one column names it for those who hear the page. */
function columnName(panel: Panel, col: number): Node {
  const text = panel.axes[1]?.[col] ?? "";
  return text ? h("span", { text }) : h("span", { class: "mw-hidden", text: panel.title });
}

const NAMES: Record<string, string> = {
  head: "Heads, layer by head",
  mlp_out: "MLPs by layer",
  tokens: "Layer by token",
};

function differs(view: View, i: number): boolean {
  return view.prompts.clean[i]?.text !== view.prompts.corrupt[i]?.text;
}

function corruptUnder(view: View, i: number): Node {
  if (!differs(view, i)) return sameMark();
  // Over several pairs there is no one token to show.
  return view.pairs.n > 1 && view.pairs.index === null
    ? h("span", { text: "≠" })
    : token(view.prompts.corrupt[i]?.text ?? "");
}

function column(view: View, i: number, clean: Node): Node {
  return h("span", { class: differs(view, i) ? "mw-up mw-differs" : "mw-up" }, clean);
}

/** Room for the longest token written upward, from its length, not from a measurement. */
function headHeight(view: View, panels: readonly string[], size: Sizes): number {
  if (size.narrow || !panels.includes("tokens")) return 20;
  const names = view.panels.find((panel) => panel.key === "tokens")?.axes[1] ?? [];
  const longest = Math.max(...names.map((name) => name.length), 2);
  return Math.round(Math.min(longest, LONGEST_HEAD) * CHARACTER + 14);
}
