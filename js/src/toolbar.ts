// Direction, edit, unit and the legend of the one colour scale.
import { button, h, setProps, setText } from "./dom.ts";
import { normalizable } from "./estimands.ts";
import { percentText, raw } from "./numbers.ts";
import type { Direction } from "./protocol.ts";
import type { Palette, Store } from "./store.ts";

interface Choice {
  direction: Direction;
  verb: string;
  symbol: string;
  formula: string;
}

const PATCH: Choice[] = [
  {
    direction: "restore",
    verb: "Restore",
    symbol: "PIE",
    formula: "Y(corrupt, clean mediator) − Y(corrupt): denoising gain",
  },
  {
    direction: "break",
    verb: "Break",
    symbol: "TIE",
    formula: "Y(clean) − Y(clean, corrupt mediator): noising loss",
  },
  { direction: "difference", verb: "Difference", symbol: "INT", formula: "TIE − PIE: interaction" },
];
const CONSTANT: Choice[] = [
  {
    direction: "break",
    verb: "On clean",
    symbol: "Y − Y(do)",
    formula: "Y(clean) − Y(clean, mediator set)",
  },
  {
    direction: "restore",
    verb: "On corrupt",
    symbol: "Y − Y(do)",
    formula: "Y(corrupt) − Y(corrupt, mediator set)",
  },
  {
    direction: "difference",
    verb: "Difference",
    symbol: "clean − corrupt",
    formula: "On clean − On corrupt. A constant is not the other prompt's value: no PIE, TIE, INT",
  },
];

/** The three directions in the order of the keys 1, 2, 3. */
export function choices(patch: boolean): readonly Choice[] {
  return patch ? PATCH : CONSTANT;
}

/** What a direction shows, by its symbol where it has one of its own, and in full. */
export function quantity(direction: Direction, patch: boolean): { short: string; full: string } {
  const { verb, symbol } = choices(patch).find((c) => c.direction === direction) as Choice;
  return patch
    ? { short: symbol, full: `${verb} (${symbol})` }
    : { short: verb.toLowerCase(), full: verb };
}

export function directions(store: Store, signal: AbortSignal): HTMLElement {
  const el = h("div", { class: "mw-directions", role: "group", "aria-label": "Direction" });
  const formula = h("span", { class: "mw-formula" });
  const draw = () => {
    const patch = store.view?.edit.corners ?? true;
    const faces = choices(patch);
    if (el.childElementCount !== faces.length || el.dataset.patch !== String(patch)) {
      el.dataset.patch = String(patch);
      el.replaceChildren(...faces.map((face) => directionButton(store, face, formula)));
    }
    faces.forEach((face, i) => {
      const child = el.children[i];
      if (child) setProps(child, { "aria-pressed": String(face.direction === store.direction) });
    });
  };
  store.on(["view", "scale"], draw, signal);
  draw();
  return h("div", { class: "mw-directionbox" }, el, formula);
}

function directionButton(store: Store, face: Choice, formula: HTMLElement): HTMLElement {
  const label = `${face.verb} (${face.symbol})`;
  const el = button("", () => store.setDirection(face.direction), {
    class: "mw-direction",
    "aria-label": label,
    title: face.formula,
  });
  el.append(h("span", { text: face.verb }), h("span", { class: "mw-symbol", text: face.symbol }));
  el.addEventListener("focus", () => {
    setText(formula, face.formula);
  });
  el.addEventListener("blur", () => {
    setText(formula, "");
  });
  return el;
}

export function editChoice(store: Store, signal: AbortSignal): HTMLElement {
  const select = h("select", { class: "mw-select", "aria-label": "Edit" });
  select.addEventListener("change", () => store.ask("edit", { edit: select.value }));
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
  const select = h("select", { class: "mw-select", "aria-label": "Show" });
  const [share, plain] = [h("option", { value: "percent" }), h("option", { value: "raw" })];
  share.textContent = "% of total";
  select.append(share, plain);
  select.addEventListener("change", () =>
    store.setUnit(select.value === "raw" ? "raw" : "percent"),
  );
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

const PALETTES: [Palette, string][] = [
  ["rdbu", "red–blue"],
  ["puor", "orange–purple"],
];

export function legend(store: Store, signal: AbortSignal): HTMLElement {
  const [low, high] = [h("span"), h("span")];
  const swap = button("", () => store.setPalette(store.palette === "rdbu" ? "puor" : "rdbu"), {
    class: "mw-bar",
  });
  const draw = () => {
    const { view } = store;
    if (!view) return;
    const end = store.unit === "percent" ? percentText(store.max) : raw(store.max);
    setText(high, end);
    setText(low, end.replace("+", "\u2212"));
    const now = PALETTES.find(([name]) => name === store.palette)?.[1] ?? "";
    const next = PALETTES.find(([name]) => name !== store.palette)?.[1] ?? "";
    setProps(swap, {
      "aria-label": `Colour scale ${low.textContent} to ${end}, ${now}; away from clean to toward clean. Change to ${next}`,
      title: `Colours ${now}: click for ${next}`,
    });
  };
  store.on(["view", "scale", "look", "result"], draw, signal);
  draw();
  return h(
    "div",
    { class: "mw-legend" },
    low,
    swap,
    high,
    h(
      "span",
      { class: "mw-legendword" },
      h("span", { text: "away" }),
      h("span", { text: "toward clean" }),
    ),
  );
}
