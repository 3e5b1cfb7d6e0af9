// Sites as text: `L3H0 mlp5@END L2@store`. Names are the labels of the view's own panels, and of
// positions also roles and numbers. What no panel shows goes to Python as it was typed.
import { button, h, setProps, setText } from "./dom.ts";
import type { CellRef, View } from "./protocol.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";

export interface Typed {
  cells: CellRef[];
  /** Sites by their form, which no panel of the view has. */
  elsewhere: string[];
  unknown: string[];
}

const SITE = /^(embed|out|(l|mlp|attn)\d+)(h\d+)?(\.\w+)?(@.+)?$/i;

/** What a line of site names means in a view. */
export function typed(text: string, view: View): Typed {
  const out: Typed = { cells: [], elsewhere: [], unknown: [] };
  const names = siteNames(view);
  const words = text.replace(/\s*@\s*/g, "@").split(/[\s,;+]+/);
  for (const word of words.filter(Boolean)) {
    const cell = names.get(word) ?? names.get(word.toLowerCase());
    if (cell) out.cells.push(cell);
    else if (SITE.test(word)) out.elsewhere.push(word);
    else out.unknown.push(word);
  }
  return out;
}

/** Every name of every cell: as it is written, and without regard to case where that is enough. */
function siteNames({ panels, prompts }: View): Map<string, CellRef> {
  const names = new Map<string, CellRef>();
  for (const { key, labels, cols } of panels)
    labels.forEach((label, index) => {
      const [site = "", place] = label.replace(/\s+/g, " ").split(" @ ");
      const at = index % cols;
      const role = prompts.clean[at]?.role;
      const places =
        place === undefined ? [""] : [place, role, String(at)].map((p) => p && `@${p}`);
      for (const name of places)
        if (name !== null && name !== undefined)
          for (const text of [`${site}${name}`, `${site}${name}`.toLowerCase()]) {
            const word = text.replaceAll(" ", "");
            // A token's own text comes before a role or a number that reads the same.
            if (!names.has(word)) names.set(word, { panel: key, index });
          }
    });
  return names;
}

/** The field, a word beside it, and what puts the focus there. */
export function typedField(store: Store) {
  const input = h("input", {
    class: "mw-typed",
    type: "text",
    "aria-label": "Sites to select",
    placeholder: "L3H0 mlp5@END (/)",
    autocomplete: "off",
    spellcheck: "false",
  });
  const said = h("span", { class: "mw-said", role: "status" });
  const say = (words: string) => {
    setText(said, words);
    setProps(input, { "aria-invalid": words ? "true" : null });
  };
  const select = () => {
    const { view } = store;
    const text = input.value.trim();
    if (!view || !text) return;
    const { cells, elsewhere, unknown } = typed(text, view);
    say(unknown.length > 0 ? `unknown: ${plain(unknown.join(" "), 60)}` : "");
    if (unknown.length > 0) return;
    if (elsewhere.length > 0) store.ask("select", { text: text.replace(/\s*@\s*/g, "@") });
    else store.chooseAll(cells);
    input.value = "";
  };
  const el = h("form", { class: "mw-typedform" }, input, button("Run", select), said);
  el.addEventListener("submit", (event) => {
    event.preventDefault();
    select();
  });
  input.addEventListener("input", () => say(""));
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    say("");
    input.value = "";
    input.blur();
  });
  return { el, focus: () => input.focus() };
}
