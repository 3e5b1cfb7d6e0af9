// The root of a view: theme, name, width, and the saved table hidden.
import { type Child, h } from "./dom.ts";
import type { Model } from "./protocol.ts";
import { followTheme } from "./theme.ts";

/** Draws a view into `el` until the signal ends it; its style follows from its width alone. */
export function shell(
  name: string,
  model: Model,
  el: HTMLElement,
  signal: AbortSignal,
  ...children: Child[]
): HTMLElement {
  const root = h(
    // A group, not a landmark: a notebook may hold many views of one name.
    "div",
    { class: "mw", role: "group", "aria-label": name },
    ...children,
    hideSaved(model),
  );
  el.replaceChildren(root);
  followTheme(root, signal);
  signal.addEventListener("abort", () => root.remove());
  return root;
}

/** Hides the table that a saved notebook shows in this view's stead (widgets/_saved.py). */
function hideSaved(model: Model): HTMLElement {
  const saved = `.mw-saved-${model.get("_saved_as")}`;
  const rule = (what: string) => `${what}{display:none}`;
  // A browser drops a rule that it does not know.
  return h("style", { text: rule(saved) + rule(`.jp-OutputArea-child:has(${saved})`) });
}

/** Calls `run` with the view's width in CSS pixels, now and whenever it changes. */
export function followWidth(
  root: HTMLElement,
  signal: AbortSignal,
  run: (width: number) => void,
): void {
  let known = 0;
  const read = () => {
    const width = Math.round(root.getBoundingClientRect().width);
    if (width === 0 || width === known) return;
    known = width;
    run(width);
  };
  const observer = new ResizeObserver(read);
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
  read();
}
