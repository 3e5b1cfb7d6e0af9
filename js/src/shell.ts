// The root of a view that is not made of panels: theme, name, and the saved table hidden.
import { type Child, h } from "./dom.ts";
import { hideSaved } from "./frame.ts";
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
