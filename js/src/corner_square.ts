// The runs as a square: input down, mediator across, and on each side the difference of its ends.
import { button, h, setProps } from "./dom.ts";
import {
  amountText,
  formulaText,
  known,
  meaning,
  runName,
  runWords,
  type Scene,
  shownName,
} from "./mediation_words.ts";
import { raw } from "./numbers.ts";
import { type CornerKey, enters, quantities } from "./splits.ts";
import { plain } from "./text.ts";

/** Corners and sides in reading order; the middle is what all four make together. */
const PATCH = ["y11", "TIE", "y10", "TDE", "INT", "PDE", "y01", "PIE", "y00"] as const;
const CONSTANT = ["y11", "On clean", "y10", "TE", "", "CDE", "y00", "On corrupt", "y01"] as const;

/** The square. `chosen` is highlighted with the differences it enters; `choose` gets clicks. */
export function cornerSquare(
  scene: Scene,
  chosen: CornerKey | null,
  choose: (key: CornerKey) => void,
): HTMLElement {
  const patch = scene.edit.corners;
  const lit = new Set(chosen ? enters(chosen, patch) : []);
  const values = quantities(scene.corners, patch);
  const heads = patch ? ["clean", "corrupt"] : ["as it is", `set ${plain(scene.edit.goal, 60)}`];
  const el = h("div", { class: "mw-square", role: "group", "aria-label": "Runs" });
  el.append(
    h("div", { class: "mw-squaretop", text: "mediator" }),
    h("div", { class: "mw-squarecol", text: heads[0] ?? "" }),
    h("div", { class: "mw-squarecol", text: heads[1] ?? "" }),
    h("div", { class: "mw-squareside", text: "input" }),
    h("div", { class: "mw-squarerow", text: "clean" }),
    h("div", { class: "mw-squarerow", text: "corrupt" }),
  );
  (patch ? PATCH : CONSTANT).forEach((key, i) => {
    if (isCorner(key)) el.append(cornerButton(key, i, scene, chosen, choose));
    else if (key) {
      const side = sideLabel(key, scene, values[key] ?? Number.NaN);
      setProps(side, { "data-lit": lit.has(key) ? "true" : null, "data-place": i });
      el.append(side);
    }
  });
  return el;
}

function isCorner(key: string): key is CornerKey {
  return key in { y11: 0, y10: 0, y01: 0, y00: 0 };
}

function cornerButton(
  key: CornerKey,
  place: number,
  scene: Scene,
  chosen: CornerKey | null,
  choose: (key: CornerKey) => void,
): HTMLElement {
  const label = scene.label ? `${plain(scene.label, 60)}, ` : "";
  const words = runWords(key, scene.edit);
  const value = raw(scene.corners[key]);
  const name = runName(key, scene.edit.corners);
  const el = button("", () => choose(key), {
    class: "mw-corner",
    "data-place": place,
    "data-run": key,
    "aria-pressed": String(chosen === key),
    "aria-label": `${label}${name}: ${words}, ${value}`,
  });
  el.append(
    h("span", { class: "mw-cornername", text: name }),
    h("span", { class: "mw-cornervalue", text: value }),
    h("span", { class: "mw-cornerwords", text: words.replace(", ", ",\n") }),
  );
  return el;
}

function sideLabel(name: string, scene: Scene, value: number): HTMLElement {
  const told = known(scene) || name === "TE" ? amountText(value, scene) : "–";
  return h(
    "div",
    { class: "mw-side", title: `${formulaText(name, scene)}: ${meaning(name, scene)}` },
    h("b", { text: shownName(name, scene) }),
    h("span", { text: told }),
  );
}
