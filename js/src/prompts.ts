// The two prompts as an interlinear pair: each corrupt token under its clean one, `·` where they
// are equal, framed where they differ, and the answers at the end.
import { button, div, h, setProps, setText, span } from "./dom.ts";
import { probability } from "./numbers.ts";
import type { Prompts, TokenInfo, TopToken } from "./protocol.ts";
import type { Store } from "./store.ts";
import { token, word } from "./text.ts";

export function prompts(store: Store, signal: AbortSignal, edit?: HTMLElement): HTMLElement {
  const el = h("div", { class: "mw-part mw-prompts", role: "group", "aria-label": "Prompts" });
  const swap = button("Swap", () => store.ask("swap"), {
    title: "Exchange clean and corrupt (S)",
    "aria-label": "Swap the prompts",
  });
  const pair = span("mw-hint");
  const line = div("mw-gloss");
  // Buttons that are moved lose the focus: these stay where they are.
  el.append(
    div("mw-names", span("mw-name mw-clean", "clean"), span("mw-name mw-corrupt", "corrupt"), pair),
    line,
    div("mw-promptbuttons", edit, swap),
  );
  const draw = () => {
    const { view } = store;
    if (!view) return;
    const p = view.prompts;
    swap.disabled = !store.live;
    setProps(el, { "data-mean": view.pairs.index === null ? "true" : null });
    setText(pair, view.pairs.index === null ? `pair 1 of ${view.pairs.n}` : "");
    line.replaceChildren(...gloss(p));
  };
  store.on(["view"], draw, signal);
  draw();
  return el;
}

function gloss(p: Prompts): HTMLElement[] {
  const columns: HTMLElement[] = [];
  let next = 0;
  // What the corrupt prompt has more stands where it is read, under nothing.
  const rest = (end: number) => {
    while (next < end) columns.push(column(undefined, p.corrupt[next++]));
  };
  p.clean.forEach((clean, i) => {
    const other = partner(p, i);
    if (other) {
      rest(p.corrupt.indexOf(other));
      next++;
    }
    columns.push(column(clean, other));
  });
  rest(p.corrupt.length);
  return [
    ...columns,
    span("mw-pair mw-answers", answer(p.cleanTop, p.answer), answer(p.corruptTop, p.wrong)),
  ];
}

function column(clean: TokenInfo | undefined, corrupt: TokenInfo | undefined): HTMLElement {
  const equal = clean?.text === corrupt?.text;
  return h(
    "span",
    { class: equal ? "mw-pair" : "mw-pair mw-differs", title: clean?.role ?? corrupt?.role },
    clean ? token(clean.text) : "–",
    equal ? same() : corrupt ? token(corrupt.text) : "–",
  );
}

/** The corrupt token that answers to a clean one. */
export const partner = ({ clean, corrupt }: Prompts, i: number): TokenInfo | undefined =>
  corrupt[clean[i]?.partner ?? i];

/** The mark for "as above", with the words for those who hear it. */
export function same(): HTMLElement {
  return span("mw-same", "·");
}

/** The model's own first choice, and the studied answer beside it where they part. */
function answer(top: TopToken[], wanted: string): HTMLElement {
  const first = top[0];
  const el = span("mw-answer", "→ ");
  if (first) el.append(token(first.token), ` ${probability(first.p)}`);
  if (!first || word(first.token) !== word(wanted))
    el.append(span("mw-wanted", " (studied: ", token(wanted), ")"));
  return el;
}
