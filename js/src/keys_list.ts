// The list of all keys, as a dialog.
import { button, div, h } from "./dom.ts";

const KEYS: [string, string][] = [
  ["arrows, Home, End", "move over the cells and read them"],
  ["Enter", "run this cell"],
  ["X or Shift+Enter", "add it to the selection, or take it out"],
  ["L, H", "its whole row, its whole column"],
  ["1 2 3", "the three directions"],
  ["N", "next strongest cell"],
  ["P", "pin this reading as A, then read A − B; let go"],
  ["B", "while held: what was shown before"],
  ["/", "type sites: L3H0 mlp5@END"],
  ["U, Shift+U", "undo, redo"],
  ["[ ]", "walk the history"],
  ["C", "the selection as nnsight code"],
  ["S", "swap the prompts"],
  ["Esc", "back to all panels, cancel a sweep, clear the selection"],
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
    div("mw-title", "Keys"),
    list,
    button("Close", () => dialog.close()),
  );
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  return dialog;
}
