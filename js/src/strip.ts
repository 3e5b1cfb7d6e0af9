// The selection: its sites, the joint effect beside the sum of the single ones, and the gap.
import { button, div, h, span } from "./dom.ts";
import type { Corners } from "./estimands.ts";
import { fixed } from "./numbers.ts";
import { type CellRef, Status } from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { shown, shownValue } from "./scale.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";

export interface Joint {
  together: number;
  sum: number;
  gap: number;
  /** What was not run by itself; with any of it there is no sum. */
  lacking: (string | undefined)[];
}

/** The joint effect, the sum of the cells' own effects, their gap. */
export function joint(store: Store, result: Reading): Joint {
  const value = (corners: Corners) => shownValue(store.direction, result.edit, store.unit, corners);
  const together = shown(result.status) ? value(result.corners) : Number.NaN;
  const lacking: Joint["lacking"] = [];
  let sum = 0;
  for (const cell of result.cells) {
    const own = store.cellReading(cell);
    const ran = own && shown(own.status) && own.status !== Status.Estimate;
    // The cells show the view's edit, which need not be what was asked of these.
    if (ran && own.edit.goal === result.edit.goal) sum += value(own.corners);
    else if (cell.alone) sum += value({ ...result.corners, ...cell.alone });
    else {
      sum = Number.NaN;
      lacking.push(store.labelOf(cell));
    }
  }
  return { together, sum, gap: together - sum, lacking };
}

/** As many are shown one by one. */
const MOST = 24;

export function strip(
  store: Store,
  signal: AbortSignal,
  /** What else a site's chip can do. */
  dress?: (chip: HTMLElement, index: number) => void,
  ...more: Node[]
): HTMLElement {
  const chips = div("mw-chips");
  const el = h(
    "div",
    { class: "mw-part mw-strip", role: "group", "aria-label": "Selection", tabindex: -1 },
    chips,
    ...more,
  );
  const buttons = () => [...chips.querySelectorAll("button")];
  const draw = () => {
    const cells = store.selection;
    const before = buttons();
    const at = before.findIndex((one) => one.matches(":focus"));
    if (cells.length === 0)
      chips.replaceChildren(
        span("mw-hint", "Nothing selected. Shift-click or ", kbd("X"), " adds a site."),
      );
    else
      chips.replaceChildren(
        span("mw-stripname", store.pending ? "Running" : "Selected"),
        ...cells.slice(0, MOST).map((cell, i) => {
          const made = chip(store, cell);
          dress?.(made, i);
          return made;
        }),
        cells.length > MOST ? `and ${cells.length - MOST} more` : "",
        ...figures(store),
        button("Clear", () => store.ask("clear")),
      );
    // The focus goes to what stands in the same place, from Clear to Clear.
    if (at >= 0) (buttons().at(at + 1 < before.length ? at : -1) ?? el).focus();
  };
  store.on(["view", "result", "scale", "pending"], draw, signal);
  draw();
  return el;
}

function kbd(key: string): HTMLElement {
  return h("kbd", { text: key });
}

function chip(store: Store, cell: CellRef): HTMLElement {
  const label = plain(store.labelOf(cell) ?? "site", 60);
  const remove = button("×", () => store.choose(cell, true), {
    class: "mw-remove",
    "aria-label": `Take ${label} out`,
  });
  return span("mw-chip", h("bdi", { text: label }), remove);
}

function figures(store: Store): HTMLElement[] {
  const result = store.resultReading;
  if (!result || store.pending || result.cells.length < 2) return [];
  const { together, sum, gap, lacking } = joint(store, result);
  const show = (value: number) =>
    Number.isFinite(value) ? fixed(value) + (store.unit === "percent" ? "%" : "") : "–";
  const figure = (name: string, value: number, title?: string) =>
    h("span", { class: "mw-sum", title }, `${name} `, h("b", { text: show(value) }));
  const out = [
    figure("together", together),
    figure("sum", sum),
    figure("gap", gap, "joint − sum, not TIE−PIE"),
  ];
  if (lacking[0]) out.push(span("mw-hint", `sum needs ${plain(lacking.join(", "), 80)} alone`));
  return out;
}
