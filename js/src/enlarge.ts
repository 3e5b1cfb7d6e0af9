// A button in a panel's title: the panel alone, with the whole width, and back.
import { button } from "./dom.ts";
import type { Panel } from "./protocol.ts";

export function enlarge(
  { key, title }: Panel,
  alone: string | null,
  show: (key: string | null) => void,
): Node[] {
  // A single column gains nothing.
  if (key === "mlp_out") return [];
  const words = alone ? "All panels (Esc)" : `${title} alone, larger`;
  const toggle = button(
    alone ? "⤡" : "⤢",
    () => {
      // The title is made anew, and the focus is to stay on it.
      const sheet = toggle.closest(".mw-sheet");
      show(alone ? null : key);
      sheet?.querySelector<HTMLElement>(`.mw-panel-${key} .mw-enlarge`)?.focus();
    },
    { class: "mw-button mw-tight mw-enlarge", "aria-label": words, title: words },
  );
  return [toggle];
}
