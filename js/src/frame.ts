// What the views share: the root element, theme, width, keys, messages and the order of the parts.
import { h } from "./dom.ts";
import { keysOverlay, viewKey } from "./keys.ts";
import { NARROW } from "./layout.ts";
import { announcer, errorLine, progressLine } from "./notices.ts";
import type { Model } from "./protocol.ts";
import { rail } from "./rail.ts";
import { Sheet } from "./sheet.ts";
import { kernel } from "./status_bar.ts";
import { Store } from "./store.ts";
import { strip } from "./strip.ts";
import { followTheme } from "./theme.ts";
import { directions, editChoice, legend, unitChoice } from "./toolbar.ts";

export interface Parts {
  /** The view's name for assistive technology. */
  name: string;
  panels: readonly string[];
  /** Names of its parts that have a trait of their own. */
  parts?: readonly string[];
  /** What stands above the rail, and what below the selection. */
  above?: (store: Store, help: () => void, signal: AbortSignal) => HTMLElement[];
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
  const overlay = keysOverlay();
  const help = () => overlay.showModal?.();
  const sheet = new Sheet(store, parts.panels, signal);
  const toolbar = h(
    "div",
    { class: "mw-part mw-toolbar", role: "group", "aria-label": "Direction, edit and scale" },
    directions(store, signal),
    editChoice(store, signal),
    unitChoice(store, signal),
    legend(store, signal),
  );
  const above = parts.above?.(store, help, signal) ?? [kernel(store, signal)];
  const root = h(
    // A group, not a landmark: a notebook may hold many views of one name.
    "div",
    { class: "mw", role: "group", "aria-label": parts.name },
    ...above,
    errorLine(store, signal),
    rail(store, signal),
    toolbar,
    sheet.el,
    progressLine(store, signal),
    strip(store, signal),
    ...(parts.below?.(store, signal) ?? []),
    announcer(store, signal),
    overlay,
    hideSaved(store.model),
  );
  root.addEventListener("keydown", (event) => {
    const targets = { focusCell: sheet.focusCell.bind(sheet), help, helpOpen: () => overlay.open };
    if (!viewKey(event, store, targets)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  const look = () => {
    root.dataset.palette = store.palette;
  };
  store.on(["look"], look, signal);
  look();
  el.replaceChildren(root);
  followTheme(root, signal);
  followWidth(root, sheet, signal);
  signal.addEventListener("abort", () => root.remove());
}

/** Hides the table that a saved notebook shows in this view's stead (widgets/_saved.py). */
export function hideSaved(model: Model): HTMLElement {
  const saved = `.mw-saved-${model.get("_saved_as")}`;
  const rule = (what: string) => `${what}{display:none}`;
  // A browser drops a rule that it does not know.
  return h("style", { text: rule(saved) + rule(`.jp-OutputArea-child:has(${saved})`) });
}

function followWidth(root: HTMLElement, sheet: Sheet, signal: AbortSignal): void {
  let narrow = false;
  const read = () => {
    const width = Math.round(root.getBoundingClientRect().width);
    if (width === 0) return;
    sheet.resize(width);
    if (narrow === width < NARROW) return;
    narrow = width < NARROW;
    for (const fold of root.querySelectorAll<HTMLDetailsElement>(".mw-fold")) fold.open = !narrow;
  };
  const observer = new ResizeObserver(read);
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
  read();
}
