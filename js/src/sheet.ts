// The sheet: heads, MLPs and tokens on shared layer rows, and the way to run what has not been run.
import { button, choice, div, h, setProps, setText, span } from "./dom.ts";
import { type Grid, type GridOptions, grid } from "./grid.ts";
import { type Sizes, sizes } from "./layout.ts";
import type { Matrix } from "./matrix.ts";
import { count, seconds } from "./numbers.ts";
import { partner, same as sameMark } from "./prompts.ts";
import { type CellRef, type Panel, Status, type View } from "./protocol.ts";
import type { Store } from "./store.ts";
import { token } from "./text.ts";

const NOUN: Record<string, string> = { head: "head", mlp_out: "MLP", tokens: "site" };
const TOKEN_MEDIATORS: Record<string, string> = {
  residual: "residual",
  attn_out: "attention out",
  mlp_out: "MLP out",
};
const CHARACTER = 7.4;
const LONGEST_HEAD = 11;

export interface SheetOptions {
  cells?: (matrix: Matrix) => void;
  title?: (panel: Panel, alone: string | null, show: (key: string | null) => void) => Node[];
}

/** The panels of these keys, in order. */
export function sheet(
  store: Store,
  panels: readonly string[],
  signal: AbortSignal,
  /** What else a panel can do: its cells; its title, given what shows this panel alone or all. */
  more: SheetOptions = {},
) {
  const el = div("mw-sheet");
  let grids: Grid[] = [];
  let feet: (() => void)[] = [];
  let built = "";
  let room = 0;
  /** The panel that has the whole width to itself. */
  let alone: string | null = null;

  const footers = () => {
    for (const foot of feet) foot();
  };
  const paint = () => {
    for (const one of grids) one.paint();
    footers();
  };
  const draws = (panel: string) => grids.find(({ key }) => key === panel);
  const focusCell = ({ panel, index }: CellRef) => draws(panel)?.focus(index);
  const show = (key: string | null) => {
    alone = key;
    draw();
  };

  const draw = () => {
    const { view } = store;
    if (!view || room === 0) return;
    const keys = panels.filter((key) => (!alone || key === alone) && store.panel(key));
    const drawn = view.panels.filter(({ key }) => keys.includes(key));
    const size = sizes({ panels: drawn }, room);
    // Elements are made anew only where labels, shapes or sizes changed; numbers are repainted.
    const shapes = drawn.map(({ mediator, title, axes }) => [mediator, title, axes]);
    const { clean, corrupt } = view.prompts;
    const structure = JSON.stringify([size, keys, shapes, clean, corrupt, devicePixelRatio]);
    if (structure === built) {
      paint();
      return;
    }
    built = structure;
    // With the elements goes the focus, and with it what was read.
    const { hover } = store;
    const focused = grids.find(({ matrix }) => matrix.el.matches(":focus-within"));
    const before = new Map(grids.map((one) => [one.key, one.current()]));
    feet = [];
    grids = keys.map((key) => {
      const panel = store.panel(key) as Panel;
      const one = grid(store, gridOptions(view, panel, size), panel);
      more.cells?.(one.matrix);
      return one;
    });
    el.classList.toggle("mw-narrow", size.narrow);
    el.style.setProperty("--head-h", `${headHeight(view, keys, size)}px`);
    el.replaceChildren(...grids.map((one) => box(one, store.panel(one.key) as Panel)));
    for (const one of grids) one.rove(before.get(one.key) ?? 0);
    if (focused) {
      // The focus comes back to a new element; nobody has pointed at anything else.
      focusCell({ panel: focused.key, index: before.get(focused.key) ?? 0 });
      store.setHover(hover);
    }
    footers();
  };

  const box = ({ matrix }: Grid, panel: Panel) =>
    div(`mw-panel mw-panel-${panel.key}`, title(panel), div("mw-scroll", matrix.el), foot(panel));

  const title = (panel: Panel) => {
    const { key, title, mediator } = panel;
    const line = div("mw-paneltitle");
    if (key === "tokens") {
      const names = { ...TOKEN_MEDIATORS, [mediator]: TOKEN_MEDIATORS[mediator] ?? title };
      const options = Object.entries(names).map(([value, text]) =>
        h("option", { value, text, selected: value === mediator }),
      );
      const ask = (wanted: string) => store.ask("tokens", { mediator: wanted });
      const select = choice("Token panel shows", ask, ...options);
      line.append(select, span("", "× token"));
      // A refused one leaves the panel as it was.
      feet.push(() => {
        select.value = mediator;
      });
    } else line.append(span("", title));
    const note = span("mw-hint", "≈");
    feet.push(() => {
      note.hidden = !store.panel(key)?.status.includes(Status.Estimate);
    });
    line.append(note, ...(more.title?.(panel, alone, show) ?? []));
    return line;
  };

  const foot = ({ key }: Panel) => {
    const run = button("", () => store.ask("sweep", { panels: [key] }), {
      class: "mw-button mw-run",
    });
    const done = span("mw-hint");
    feet.push(() => {
      const now = store.panel(key);
      if (!now) return;
      const { cost, cols, status } = now;
      const of = (state: Status) => status.filter((code) => code === state).length;
      const guessed = of(Status.Estimate);
      const missing = of(Status.NotRun) + guessed;
      const stale = now.revision < (store.view?.revision ?? 0);
      const noun = NOUN[key] ?? "site";
      run.hidden = missing === 0 && !stale;
      done.hidden = !run.hidden;
      setText(done, `${count(status.length, noun)}, all done`);
      const passes = count(cost.passes || 1, "pass");
      const words = stale
        ? `Out of date: run again · ${passes}`
        : `Run ${count(missing, noun)}${guessed ? " exactly" : ""} · ${passes} · ${seconds(cost.seconds)}`;
      const short = cols === 1;
      setProps(run, {
        text: short ? "Run" : words,
        title: words,
        "aria-label": short && words,
        disabled: !store.live || store.sweeping,
      });
    });
    return div("mw-foot", run, done);
  };

  const each = (run: (one: Grid) => void) => () => grids.forEach(run);
  store.on(["view"], draw, signal);
  store.on(["scale"], paint, signal);
  store.on(
    ["result"],
    each((one) => one.result()),
    signal,
  );
  store.on(
    ["pending"],
    each((one) => one.marks()),
    signal,
  );
  store.on(
    ["hover"],
    each((one) => one.hovered()),
    signal,
  );
  store.on(["result", "status"], footers, signal);

  return {
    el,
    focusCell,
    draws,
    /** Draws for a width in CSS pixels. */
    resize: (width: number) => {
      if (width === room) return;
      room = width;
      draw();
    },
    /** From one panel back to all of them. False where all are shown. */
    back: () => {
      if (!alone) return false;
      show(null);
      return true;
    },
  };
}

// --- heads of rows and columns -----------------------------------------------------------------------

function gridOptions(view: View, panel: Panel, size: Sizes): GridOptions {
  const turned = size.narrow && panel.key === "tokens";
  const layer = (row: number) => {
    const label = panel.axes[0]?.[row] ?? String(row);
    return /^\d+$/.test(label) ? `L${label}` : label;
  };
  const base: GridOptions = {
    transposed: turned,
    width: panel.key === "head" ? size.head : panel.key === "tokens" ? size.token : 36,
    height: turned ? 24 : size.height,
    title: NAMES[panel.key] ?? panel.title,
    rowHead: (row) => [span("", layer(row))],
    colHead: (col) => columnName(panel, col),
    corner: [span("mw-hidden", "layer")],
  };
  if (panel.key !== "tokens") return base;
  const clean = (i: number) => token(panel.axes[1]?.[i] ?? "");
  if (!turned) return { ...base, colHead: (col) => column(view, col, clean(col)) };
  return {
    ...base,
    corner: [span("", "clean"), span("", "corrupt")],
    rowHead: (row) => [clean(row), corruptUnder(view, row)],
    colHead: (col) => document.createTextNode(layer(col)),
    rowClass: (row) => (differs(view, row) ? "mw-differs" : ""),
  };
}

/** The number of a head; a panel of one column names it for those who hear the page. */
function columnName(panel: Panel, col: number): Node {
  const text = panel.axes[1]?.[col] ?? "";
  return text ? span("", text) : span("mw-hidden", panel.title);
}

const NAMES: Record<string, string> = {
  head: "Heads, layer by head",
  mlp_out: "MLPs by layer",
  tokens: "Layer by token",
};

function differs({ prompts }: View, i: number): boolean {
  return prompts.clean[i]?.text !== partner(prompts, i)?.text;
}

function corruptUnder(view: View, i: number): Node {
  if (!differs(view, i)) return sameMark();
  // Over several pairs there is no one token to show.
  return view.pairs.n > 1 && view.pairs.index === null
    ? span("", "≠")
    : token(partner(view.prompts, i)?.text ?? "–");
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
