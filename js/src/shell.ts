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
