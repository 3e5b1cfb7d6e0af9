// Keys that work anywhere in a view, and the overlay that lists all of them.

import { same } from "./cells.ts";
import { button, h } from "./dom.ts";
import type { CellRef } from "./protocol.ts";
import { shown, shownValue } from "./scale.ts";
import type { Store } from "./store.ts";
import { choices } from "./toolbar.ts";

export interface KeyTargets {
  focusCell(cell: CellRef): void;
  help(): void;
  helpOpen(): boolean;
}

/** Runs the command of a key pressed anywhere in the view. True if it had one. */
export function viewKey(event: KeyboardEvent, store: Store, targets: KeyTargets): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || targets.helpOpen()) return false;
  const typing = (event.target as HTMLElement | null)?.closest("select, input, textarea");
  if (typing && event.key !== "Escape") return false;
  const choice = choices(store.view?.edit.corners ?? true)["123".indexOf(event.key)];
  if (choice) {
    store.setDirection(choice.direction);
    return true;
  }
  switch (event.key) {
    case "u":
      store.ask("undo");
      return true;
    case "U":
      store.ask("redo");
      return true;
    case "Escape":
      store.ask(store.sweeping ? "cancel" : "clear");
      return true;
    case "n":
    case "N": {
      const cell = nextStrongest(store);
      if (cell) targets.focusCell(cell);
      return true;
    }
    case "s":
    case "S":
      store.ask("swap");
      return true;
    case "?":
      targets.help();
      return true;
    default:
      return false;
  }
}

/** The cell that comes after the current one when all are ordered by size, strongest first. */
export function nextStrongest(store: Store): CellRef | null {
  const { view } = store;
  if (!view) return null;
  const cells: { cell: CellRef; size: number }[] = [];
  for (const panel of view.panels)
    panel.labels.forEach((_, index) => {
      const cell = { panel: panel.key, index };
      const reading = store.cellReading(cell);
      if (!reading || !shown(reading.status)) return;
      const value = shownValue(store.direction, view.edit, store.unit, reading.corners);
      cells.push({ cell, size: Math.abs(value) });
    });
  cells.sort((a, b) => b.size - a.size);
  const here = cells.findIndex(({ cell }) => same(cell, store.hover ?? store.selection[0] ?? null));
  return cells[(here + 1) % cells.length]?.cell ?? null;
}

const KEYS: [string, string][] = [
  ["arrows, Home, End", "move over the cells and read them"],
  ["Enter", "run this cell"],
  ["X or Shift+Enter", "add it to the selection, or take it out"],
  ["1 2 3", "the three directions"],
  ["N", "next strongest cell"],
  ["U, Shift+U", "undo, redo"],
  ["S", "swap the prompts"],
  ["Esc", "cancel a sweep, then clear the selection"],
  ["Tab", "next panel"],
  ["?", "this list"],
];

/** The list of keys as a dialog. */
export function keysOverlay(): HTMLDialogElement {
  const list = h("dl", { class: "mw-keys" });
  for (const [key, what] of KEYS)
    list.append(h("dt", {}, h("kbd", { text: key })), h("dd", { text: what }));
  const dialog = h("dialog", { class: "mw-overlay", "aria-label": "Keys" });
  dialog.append(
    h("div", { class: "mw-title", text: "Keys" }),
    list,
    button("Close", () => dialog.close()),
  );
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  return dialog;
}
