// How a guess is made: one of several options, a number, a sentence. (Cells: question_pick.ts.)
import { div, h, on, setProps, setText, span } from "./dom.ts";
import { axis } from "./question_axis.ts";
import { type Card, type Guess, lines, numberOf } from "./question_state.ts";
import { plain } from "./text.ts";

/** What was chosen or typed and is not committed; it outlives the elements. */
export interface Draft {
  value: unknown;
}
export interface Input {
  readonly el: HTMLElement;
  /** What stands under it, and under what came of it. */
  readonly below?: HTMLElement;
  /** What can be committed; null where something is missing. */
  guess: () => Guess | null;
  /** What is missing or, where nothing is, what would be committed. */
  told: () => string;
  /** Draws what is known by now; `still` while nothing may be changed. */
  update: (card: Card, still: boolean) => void;
  /** The width that there is, in CSS pixels. */
  resize?: (width: number) => void;
}
export interface Doing {
  draft: Draft;
  /** The id of what the input is named by. */
  named: string;
  changed: () => void;
  commit: () => void;
}

let groups = 0;

export function options(card: Card, { draft, named, changed }: Doing): Input {
  const name = `mw-q${groups++}`;
  const radios = card.options.map((words, index) => {
    const radio = h("input", { type: "radio", name, value: index });
    on(radio, "change", () => {
      draft.value = index;
      changed();
    });
    const tag = span("mw-qtag");
    const label = h(
      "label",
      { class: "mw-qoption" },
      radio,
      h("span", { text: lines(words) }),
      tag,
    );
    return { radio, tag, label };
  });
  const el = h(
    "div",
    { class: "mw-qoptions", role: "radiogroup", "aria-labelledby": named },
    ...radios.map(({ label }) => label),
  );
  return {
    el,
    guess: () => (draft.value as number | undefined) ?? null,
    told: () => (draft.value === undefined ? "Choose one." : ""),
    update: ({ guess, truth, status }, still) => {
      const mine = (guess ?? draft.value) as number | undefined;
      radios.forEach(({ radio, tag, label }, index) => {
        radio.checked = index === mine;
        radio.disabled = still || status !== "open";
        const [own, right] = [guess === index, truth?.option === index];
        setProps(label, { "data-own": own && "true", "data-right": right && "true" });
        const words = [right && "✓ the model", own && "your guess"].filter(Boolean);
        setText(tag, words.join(" · "));
      });
    },
  };
}

export function numeral(card: Card, { draft, named, changed, commit }: Doing): Input {
  const { unit } = card;
  const field = h("input", {
    class: "mw-qfield mw-qnumber",
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    "aria-labelledby": named,
    "aria-description": unit && `in ${plain(unit, 40)}`,
  });
  field.value = String(draft.value ?? "");
  on(field, "input", () => {
    draft.value = field.value;
    changed();
  });
  on(field, "keydown", (event) => {
    // What is typed is no shortcut of the notebook.
    event.stopPropagation();
    if (event.key === "Enter" && !event.isComposing) commit();
  });
  const picture = div("");
  const form = div("mw-qline", field, h("span", { text: plain(unit, 40) }));
  const guess = () => numberOf(String(draft.value ?? ""), unit);
  return {
    el: div("", form, picture),
    guess,
    told: () => {
      if (guess() !== null) return "";
      return draft.value ? "This is not a number yet." : "Type a number; Enter commits it.";
    },
    update: (now, still) => {
      form.hidden = now.status !== "open";
      field.readOnly = still;
      const wrong = now.status === "open" && !!draft.value && guess() === null;
      setProps(field, { "aria-invalid": wrong && "true" });
      const { value, within } = now.truth ?? {};
      const drawn = Number.isFinite(value) && typeof now.guess === "number";
      picture.replaceChildren(
        ...(drawn ? [axis(now.guess as number, value as number, unit, within)] : []),
      );
    },
  };
}

export function sentence(card: Card, { draft, named, changed, commit }: Doing): Input {
  const field = h("textarea", { class: "mw-qfield", rows: 3, "aria-labelledby": named });
  field.value = String(draft.value ?? "");
  on(field, "input", () => {
    draft.value = field.value;
    changed();
  });
  on(field, "keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    commit();
  });
  const kept = h("blockquote", { class: "mw-qkept" });
  const typed = () => String(draft.value ?? "").trim();
  const missing = () => Math.max(card.least, 1) - [...typed()].length;
  return {
    el: div("", field, kept),
    guess: () => (missing() > 0 ? null : typed()),
    told: () => {
      const more = missing();
      return more > 0 ? `${more} more ${more === 1 ? "character" : "characters"}.` : "";
    },
    update: ({ guess, status }, still) => {
      const open = status === "open";
      field.hidden = !open;
      field.readOnly = still;
      kept.hidden = open;
      setText(kept, open ? "" : lines(String(guess ?? "")));
    },
  };
}

/** Nothing to fill in: what is asked for happens in a view. */
export function deed(): Input {
  return {
    el: div(""),
    guess: () => true,
    told: () => "Do it in the view: this step sees it.",
    update: () => {},
  };
}
