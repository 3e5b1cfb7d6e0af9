// What the views share: the root element, theme, width, keys, messages and the order of the parts.
import { h, on, taken } from "./dom.ts";
import { type Commands, viewKey } from "./keys.ts";
import { NARROW } from "./layout.ts";
import { announcer, errorLine, progressLine } from "./notices.ts";
import type { readers } from "./parts.ts";
import type { Model } from "./protocol.ts";
import { type Compare, rail } from "./rail.ts";
import { type SheetOptions, sheet } from "./sheet.ts";
import { followWidth, shell } from "./shell.ts";
import { kernel } from "./status_bar.ts";
import { Store } from "./store.ts";
import { strip } from "./strip.ts";
import { directions, editChoice, legend, unitChoice } from "./toolbar.ts";

/** What only some views have, made anew for each drawing. */
export interface More {
  keys: Commands;
  compare: Compare;
  /** Buttons for the first line. */
  tools: readonly HTMLElement[];
  chip: (chip: HTMLElement, index: number) => void;
  /** What stands behind the selection. */
  strip: readonly HTMLElement[];
}

export interface Parts {
  /** The view's name for assistive technology. */
  name: string;
  panels: readonly string[];
  /** How to read its parts that have a trait of their own. */
  parts?: ReturnType<typeof readers>;
  /** What else its panels can do. */
  sheet?: SheetOptions;
  /** The list of keys. */
  keys?: (store: Store, signal: AbortSignal) => HTMLDialogElement;
  /** What else a drawn view can do. */
  more?: (store: Store, signal: AbortSignal) => More;
  /** What stands above the rail, and what below the selection. */
  above?: (
    store: Store,
    help: () => void,
    signal: AbortSignal,
    tools: readonly HTMLElement[],
  ) => HTMLElement[];
  below?: (store: Store, signal: AbortSignal) => HTMLElement[];
}

/** An anywidget module: one store for the model, made once; any number of views on it. */
export function widget(parts: Parts) {
  return () => {
    let store: Store | null = null;
    return {
      initialize({ model }: { model: Model }) {
        store = new Store(model, parts.parts);
      },
      render({ model, el }: { model: Model; el: HTMLElement }) {
        store ??= new Store(model, parts.parts);
        const end = new AbortController();
        mount(store, el, parts, end.signal);
        return () => end.abort();
      },
    };
  };
}

/** Draws a view into `el` until the signal ends it. */
export function mount(store: Store, el: HTMLElement, parts: Parts, signal: AbortSignal): void {
  const more = parts.more?.(store, signal);
  const overlay = parts.keys?.(store, signal);
  const help = () => overlay?.showModal?.();
  const cells = sheet(store, parts.panels, signal, parts.sheet);
  const toolbar = h(
    "div",
    { class: "mw-part mw-toolbar", role: "group", "aria-label": "Direction, edit and scale" },
    directions(store, signal),
    editChoice(store, signal),
    unitChoice(store, signal),
    legend(store, signal),
  );
  const above = parts.above?.(store, help, signal, more?.tools ?? []) ?? [kernel(store, signal)];
  const root = shell(
    parts.name,
    store.model,
    el,
    signal,
    ...above,
    errorLine(store, signal),
    rail(store, signal, more?.compare),
    toolbar,
    cells.el,
    progressLine(store, signal),
    strip(store, signal, more?.chip, ...(more?.strip ?? [])),
    ...(parts.below?.(store, signal) ?? []),
    announcer(store, signal),
    overlay,
  );
  on(root, "keydown", (event) => {
    const helpOpen = () => overlay?.open ?? false;
    const targets = { ...cells, help, helpOpen, more: more?.keys };
    if (!viewKey(event, store, targets)) return;
    taken(event);
  });
  let narrow = false;
  followWidth(root, signal, (width) => {
    cells.resize(width);
    if (narrow === width < NARROW) return;
    narrow = width < NARROW;
    for (const fold of root.querySelectorAll<HTMLDetailsElement>(".mw-fold")) fold.open = !narrow;
  });
}
