// Keys that work anywhere in a view.

import { same } from "./cells.ts";
import type { CellRef } from "./protocol.ts";
import { shown, shownValue } from "./scale.ts";
import type { Store } from "./store.ts";
import { choices } from "./toolbar.ts";

export interface KeyTargets {
  focusCell(cell: CellRef): void;
  /** Whether a panel is drawn now. */
  draws(panel: string): unknown;
  /** From an enlarged panel back to all; whether there was one. */
  back(): boolean;
  help(): void;
  helpOpen(): boolean;
  /** Keys that only some views have. */
  more?: Commands | undefined;
}

/** What keys do. `false`: nothing, this time. */
export type Commands = Record<string, (event: KeyboardEvent) => unknown>;

/** Runs the command of a key pressed anywhere in the view. True if it had one. */
export function viewKey(event: KeyboardEvent, store: Store, targets: KeyTargets): boolean {
  // Many keyboards write brackets with Alt, or with AltGr, which is Ctrl and Alt on Windows.
  const other = event.altKey ? !"[]".includes(event.key) : event.ctrlKey;
  if (other || event.metaKey || targets.helpOpen()) return false;
  const typing = (event.target as HTMLElement).closest("select, input, textarea");
  if (typing && event.key !== "Escape") return false;
  const choice = choices(store.view?.edit.corners ?? true)["123".indexOf(event.key)];
  if (choice) {
    store.setDirection(choice.direction);
    return true;
  }
  const next = () => {
    const cell = nextStrongest(store, targets.draws);
    if (cell) targets.focusCell(cell);
  };
  const swap = () => store.ask("swap");
  const commands: Commands = {
    u: () => store.ask("undo"),
    U: () => store.ask("redo"),
    Escape: () => targets.back() || store.ask(store.sweeping ? "cancel" : "clear"),
    n: next,
    N: next,
    s: swap,
    S: swap,
    "?": targets.help,
  };
  const own = targets.more?.[event.key];
  // One that has nothing to do leaves the key to what comes next.
  if (own && own(event) !== false) return true;
  const command = commands[event.key];
  command?.(event);
  return !!command;
}

/** The cell that comes after the current one when all that are drawn are ordered by size. */
function nextStrongest(store: Store, draws: KeyTargets["draws"]): CellRef | null {
  const { view } = store;
  if (!view) return null;
  const cells: { cell: CellRef; size: number }[] = [];
  for (const { key, labels } of view.panels)
    if (draws(key))
      labels.forEach((_, index) => {
        const cell = { panel: key, index };
        const reading = store.cellReading(cell);
        if (!reading || !shown(reading.status)) return;
        const value = shownValue(store.direction, view.edit, store.unit, reading.corners);
        cells.push({ cell, size: Math.abs(value) });
      });
  cells.sort((a, b) => b.size - a.size);
  const here = cells.findIndex(({ cell }) => same(cell, store.hover ?? store.selection[0] ?? null));
  return cells[(here + 1) % cells.length]?.cell ?? null;
}
