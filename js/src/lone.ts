// What views without panels share: the bar over them and their keys.
import { div, on, span, taken } from "./dom.ts";
import { type Commands, viewKey } from "./keys.ts";
import { kernel, undoRedo } from "./status_bar.ts";
import type { Store } from "./store.ts";
import { directions, unitChoice } from "./toolbar.ts";

/** How numbers are read, and the way back. */
export function loneBar(store: Store, signal: AbortSignal): HTMLElement {
  return div(
    "mw-part mw-toolbar",
    directions(store, signal),
    unitChoice(store, signal),
    kernel(store, signal),
    span("mw-tools", ...undoRedo(store, signal)),
  );
}

/** Direction, undo, redo, swap, and the view's own keys. */
export function loneKeys(root: HTMLElement, store: Store, more?: Commands): void {
  const nothing = () => false;
  const none = { focusCell: nothing, draws: nothing, back: nothing, help: nothing };
  const targets = { ...none, helpOpen: nothing, more };
  on(root, "keydown", (event) => {
    if (!viewKey(event, store, targets)) return;
    taken(event);
  });
}
