// Direction, edit, unit and the legend of the one colour scale.
import { button, choice, div, h, on, setProps, setText, span } from "./dom.ts";
import { normalizable } from "./estimands.ts";
import { percentText, raw } from "./numbers.ts";
import type { Direction } from "./protocol.ts";
import { blueSign, type Unit } from "./scale.ts";
import type { Store } from "./store.ts";
import { onPalette, palette, setPalette } from "./theme.ts";

interface Choice {
  direction: Direction;
  verb: string;
  symbol: string;
  formula: string;
}

const faces = (rows: [Direction, string, string, string][]): Choice[] =>
  rows.map(([direction, verb, symbol, formula]) => ({ direction, verb, symbol, formula }));
const PATCH = faces([
  ["restore", "Restore", "PIE", "Y(corrupt, clean mediator) − Y(corrupt): denoising gain"],
  ["break", "Break", "TIE", "Y(clean) − Y(clean, corrupt mediator): noising loss"],
  ["difference", "Difference", "INT", "TIE − PIE: interaction with the rest"],
]);
const CONSTANT = faces([
  ["break", "On clean", "Y − Y(do)", "Y(clean) − Y(clean, mediator set)"],
  ["restore", "On corrupt", "Y − Y(do)", "Y(corrupt) − Y(corrupt, mediator set)"],
  [
    "difference",
    "Difference",
    "clean − corrupt",
    "On clean − On corrupt. A constant is not the other prompt's value: no PIE, TIE, INT",
  ],
]);

/** The three directions in the order of the keys 1, 2, 3. */
export function choices(patch: boolean): readonly Choice[] {
  return patch ? PATCH : CONSTANT;
}

/** What a direction shows, by its symbol where it has one of its own, in full, and its formula. */
export function quantity(direction: Direction, patch: boolean) {
  const { verb, symbol, formula } = choices(patch).find((c) => c.direction === direction) as Choice;
  return patch
    ? { short: symbol, full: `${verb} (${symbol})`, formula }
    : { short: verb.toLowerCase(), full: verb, formula };
}

/** Where what is read was set otherwise than the cells are: what its number is, and its signs. */
function shownAs({ reading, view, direction, unit }: Store): string {
  const patch = reading?.edit.corners;
  if (!view || patch === undefined || patch === view.edit.corners) return "";
  const { full, formula } = quantity(direction, patch);
  const ends = LEGENDS[legendOf(direction, patch)];
  const low = Number(blueSign(view, unit, 1) < 0);
  // The formula is last: it is cut where there is no room.
  return `Shown: ${full}, − ${ends[low]}, + ${ends[1 - low]}; ${formula}`;
}

export function directions(store: Store, signal: AbortSignal): HTMLElement {
  const el = h("div", { class: "mw-directions", role: "group", "aria-label": "Direction" });
  const formula = span("mw-formula");
  const note = span("mw-shownas");
  let built: readonly Choice[] = [];
  const draw = () => {
    const now = choices(store.view?.edit.corners ?? true);
    if (now !== built)
      el.replaceChildren(...now.map((face) => directionButton(store, face, formula)));
    built = now;
    now.forEach(({ direction }, i) => {
      setProps(el.children[i] as Element, {
        "aria-pressed": String(direction === store.direction),
      });
    });
    setText(note, shownAs(store));
  };
  store.on(["view", "scale", "result", "hover"], draw, signal);
  draw();
  return div("mw-directionbox", el, note, formula);
}

function directionButton(store: Store, face: Choice, formula: HTMLElement): HTMLElement {
  const label = `${face.verb} (${face.symbol})`;
  const el = button("", () => store.setDirection(face.direction), {
    class: "mw-direction",
    "aria-label": label,
    title: face.formula,
  });
  el.append(h("span", { text: face.verb }), span("mw-symbol", face.symbol));
  on(el, "focus", () => {
    setText(formula, face.formula);
  });
  on(el, "blur", () => {
    setText(formula, "");
  });
  return el;
}

export function editChoice(store: Store, signal: AbortSignal): HTMLElement {
  const select = choice("Edit", (edit) => store.ask("edit", { edit }));
  const draw = () => {
    const { view } = store;
    if (!view) return;
    select.replaceChildren(
      ...view.edits.map((edit) =>
        h("option", {
          value: edit.kind,
          text: edit.why ? `${edit.label} (${edit.why})` : edit.label,
          disabled: edit.why !== null,
          selected: edit.kind === view.edit.kind,
        }),
      ),
    );
    back();
  };
  // A refused edit leaves the view as it was: show that again.
  const back = () => {
    select.value = store.view?.edit.kind ?? "";
    select.disabled = !store.live;
  };
  store.on(["view"], draw, signal);
  store.on(["status"], back, signal);
  draw();
  return h("label", { class: "mw-field" }, h("span", { text: "Edit" }), select);
}

export function unitChoice(store: Store, signal: AbortSignal): HTMLElement {
  const share = h("option", { value: "percent", text: "% of total" });
  const plain = h("option", { value: "raw" });
  const select = choice("Show", (unit) => store.setUnit(unit as Unit), share, plain);
  const draw = () => {
    const { view } = store;
    if (!view) return;
    setText(plain, view.metric.unit);
    share.disabled = !normalizable(view.base.y11, view.base.y00);
    select.value = store.unit;
  };
  store.on(["view", "scale"], draw, signal);
  draw();
  return h("label", { class: "mw-field" }, h("span", { text: "Show" }), select);
}

const PALETTES = ["red–blue", "orange–purple"] as const;

const LEGENDS = {
  moves: ["away", "toward clean"],
  works: ["against", "for clean"],
  gate: ["OR-like", "AND-like"],
  differs: ["on corrupt", "on clean"],
} as const;

function legendOf(direction: Direction, patch: boolean): keyof typeof LEGENDS {
  if (direction === "difference") return patch ? "gate" : "differs";
  return patch && direction === "restore" ? "moves" : "works";
}

export function legend(store: Store, signal: AbortSignal): HTMLElement {
  const [low, high] = [h("span"), h("span")];
  const ends = [h("span"), h("span")];
  const swap = button("", () => setPalette(palette() === "rdbu" ? "puor" : "rdbu"), {
    class: "mw-bar",
  });
  const draw = () => {
    const { view } = store;
    if (!view) return;
    // What either colour says of a site depends on what was asked.
    LEGENDS[legendOf(store.direction, view.edit.corners)].forEach((word, i) => {
      setText(ends[i] as HTMLElement, word);
    });
    // In the metric's unit blue is of the sign of the total effect, which may be below zero.
    const at = (size: number) =>
      (store.unit === "percent" ? percentText : raw)(blueSign(view, store.unit, size));
    const end = at(store.max);
    setText(high, end);
    setText(low, at(-store.max));
    const [now, next] = palette() === "rdbu" ? PALETTES : [PALETTES[1], PALETTES[0]];
    setProps(swap, {
      "aria-label": `Colour scale ${low.textContent} to ${end}, ${now}; ${ends[0]?.textContent} to ${ends[1]?.textContent}. Change to ${next}`,
    });
  };
  store.on(["view", "scale", "result"], draw, signal);
  onPalette(draw, signal);
  draw();
  return div("mw-legend", low, swap, high, span("mw-legendword", ...ends));
}
