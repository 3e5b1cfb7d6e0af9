// The Explorer's prompts, and the editor that folds out under them.
import { button, div, setProps } from "./dom.ts";
import { editor } from "./editor.ts";
import { prompts } from "./prompts.ts";
import type { Store } from "./store.ts";

export function editablePrompts(store: Store, signal: AbortSignal): HTMLElement[] {
  const fold = div("mw-part");
  fold.hidden = true;
  let end: AbortController | null = null;
  const toggle = () => {
    end?.abort();
    end = end ? null : new AbortController();
    store.ask("open", { part: editor.part, open: end !== null });
    fold.replaceChildren(...(end ? [editor.draw(store, end.signal)] : []));
    fold.hidden = end === null;
    setProps(edit, { "aria-expanded": String(end !== null) });
    fold.querySelector("textarea")?.focus();
  };
  const edit = button("Edit", toggle, {
    title: "Change the prompts and the answers, or load others",
    "aria-label": "Edit the prompts",
    "aria-expanded": "false",
  });
  signal.addEventListener("abort", () => end && toggle());
  return [prompts(store, signal, edit), fold];
}
