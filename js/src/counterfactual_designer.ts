// CounterfactualDesigner: two prompts aligned, what rivals predict of an interchange, and a click
// on a layer and a token that runs it.
import "./styles.css";
import "./designer.css";
import {
  alone,
  type Cell,
  markOf,
  outcome,
  type Pair,
  SIDES,
  type Side,
  type State,
  siteName,
  verdict,
} from "./designer_words.ts";
import { button, choice, div, h, on, setProps, setText, span } from "./dom.ts";
import type { Model } from "./protocol.ts";
import { shell } from "./shell.ts";
import { plain, token } from "./text.ts";

const NAMES: Record<Side, string> = { base: "Original", source: "Counterfactual" };
const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const clamp = (at: number, n: number) => Math.max(0, Math.min(n - 1, at));

interface Said {
  kind?: string;
  words?: string;
  ok?: boolean;
  error?: { message: string; fix: string };
}

class Designer {
  readonly parts: HTMLElement[];
  /** The cell that is looked at: layer, token. */
  #at: [number, number] = [0, 0];
  #waiting = false;
  #sheetFor = "";
  #where = span("mw-where");
  #kept = span("mw-hint");
  #kernel = h("span", { class: "mw-kernel", role: "status" });
  #keep = button("Keep pair", () => this.#askOf({ do: "keep" }));
  #verdict = h("p", { class: "mw-dverdict", role: "status" });
  #fields = h("div", { class: "mw-dinputs", role: "table", "aria-label": "Inputs" });
  #sheet = h("div", { class: "mw-dsheet", role: "grid", "aria-label": "Sites: tokens by layers" });
  #all = button("", () => this.#askOf({ do: "run" }));
  #rivals = h("table", { class: "mw-drivals" });
  #said = h("p", { class: "mw-sentence", role: "status" });
  #alone = div("mw-dalone");
  #error = h("p", { class: "mw-said", role: "alert", hidden: true });
  #selects: Record<Side, HTMLSelectElement[]> = { base: [], source: [] };
  #cells: HTMLElement[][] = [];

  constructor(
    readonly model: Model,
    signal: AbortSignal,
  ) {
    const step = (by: number, label: string, face: string) =>
      button(face, () => this.#go(by), { class: "mw-button mw-tight", "aria-label": label });
    this.#build();
    this.parts = [
      h(
        "div",
        { class: "mw-part mw-dhead" },
        step(-1, "Previous pair", "‹"),
        this.#where,
        step(1, "Next pair", "›"),
        this.#keep,
        this.#kept,
        this.#kernel,
      ),
      this.#fields,
      this.#verdict,
      this.#error,
      h(
        "div",
        { class: "mw-dbody" },
        div("mw-dleft", div("mw-dscroll", this.#sheet), div("mw-dkey", this.#all, key())),
        div("mw-dright", this.#alone, this.#rivals, this.#said),
      ),
    ];
    on(this.#sheet, "keydown", (event) => this.#key(event));
    model.on("change:state", () => {
      if (signal.aborted) return;
      this.#waiting = false;
      this.#draw();
    });
    // An exported page has no kernel: it refuses, and says where the model can be run.
    model.on("msg:custom", (content: unknown) => {
      const { kind, words, ok, error } = content as Said;
      if (signal.aborted) return;
      // What a server says meanwhile.
      if (kind === "waiting") setText(this.#kernel, plain(words ?? "", 80));
      if (ok || !error) return;
      this.#waiting = false;
      this.#draw();
      this.#say(`${error.message} ${error.fix}`);
    });
    this.#draw();
  }

  get #state(): State {
    return this.model.get("state") as State;
  }

  // --- what people do --------------------------------------------------------------------------

  #ask(content: Record<string, unknown>): void {
    try {
      this.model.send({ kind: "request", id: 0, ...content });
      this.#waiting = true;
    } catch {
      this.#say("Disconnected from the kernel; what was run can still be read.");
    }
    this.#mark();
  }

  /** Of the pair that is seen: Python may show another by the time that it hears of it. */
  #askOf(content: Record<string, unknown>): void {
    const { base, source } = this.#state;
    this.#ask({ ...content, of: [base, source] });
  }

  #say(words: string): void {
    setText(this.#error, plain(words, 400));
    this.#error.hidden = !words;
  }

  #go(by: number): void {
    const { at, n } = this.#state;
    this.#ask({ do: "go", to: at === null ? 0 : (at + by + n) % n });
  }

  #run(layer: number, position: number): void {
    this.#look(layer, position);
    this.#askOf({ do: "run", layer, position });
  }

  #look(layer: number, position: number): void {
    this.#at = [layer, position];
    this.#mark();
  }

  #key(event: KeyboardEvent): void {
    const by = STEPS[event.key];
    if (!by) return;
    event.preventDefault();
    const rows = this.#cells;
    const position = clamp(this.#at[1] + by[1], rows.length);
    const layer = clamp(this.#at[0] + by[0], rows[position]?.length ?? 1);
    this.#look(layer, position);
    rows[position]?.[layer]?.focus();
  }

  // --- drawing ---------------------------------------------------------------------------------

  /** The drop-downs, once: their options do not change. */
  #build(): void {
    const { inputs } = this.#state;
    const first = h("span", { class: "mw-name", role: "columnheader", text: "Input" });
    const head = h("div", { role: "row" }, first);
    for (const input of inputs)
      head.append(h("span", { class: "mw-name", role: "columnheader", text: plain(input.name) }));
    this.#fields.append(head);
    this.#fields.style.setProperty("--mw-n", String(inputs.length));
    for (const side of SIDES) {
      const row = h("div", { role: "row" });
      row.append(h("span", { class: "mw-name", role: "rowheader", text: NAMES[side] }));
      for (const { name, values } of inputs) {
        const options = values.map((value, i) => h("option", { value: i, text: plain(value) }));
        const pick = (value: string) =>
          this.#ask({ do: "set", side, input: name, value: Number(value) });
        const select = choice(`${NAMES[side]}: ${plain(name)}`, pick, ...options);
        this.#selects[side].push(select);
        row.append(h("span", { role: "cell" }, select));
      }
      this.#fields.append(row);
    }
  }

  #draw(): void {
    const state = this.#state;
    const { pair } = state;
    setText(this.#where, state.at === null ? "yours" : `${state.at + 1} of ${state.n}`);
    setText(this.#kept, state.kept ? `${state.kept} kept` : "");
    for (const side of SIDES)
      this.#selects[side].forEach((select, i) => {
        select.value = String(state[side][i]);
        const differs = state.base[i] !== state.source[i];
        setProps(select, { "data-differs": differs && side === "source" });
      });
    const why = pair
      ? `${pair.telling ? "✓" : "⚠"} ${verdict(pair)}`
      : "⚠ There is no such pair of prompts.";
    setText(this.#verdict, why);
    setProps(this.#verdict, { "data-ok": String(pair?.telling ?? false) });
    this.#say(state.error);
    setText(this.#keep, pair?.kept ? "✓ Kept" : "Keep pair");
    this.#keep.disabled = !pair?.telling || pair.kept;
    this.#layOut(pair);
    this.#mark();
  }

  /** The sheet of tokens and layers; its elements stay while the prompts do. */
  #layOut(pair: Pair | null): void {
    const same = JSON.stringify(pair?.tokens ?? null);
    if (same === this.#sheetFor) return;
    this.#sheetFor = same;
    this.#sheet.replaceChildren();
    this.#cells = [];
    if (!pair) return;
    const { layers } = this.#state;
    this.#sheet.style.setProperty("--mw-n", String(layers.length));
    const titles = ["Original", "Counterfactual", ...layers];
    this.#sheet.append(
      h(
        "div",
        { role: "row" },
        ...titles.map((text) => h("span", { class: "mw-name", role: "columnheader", text })),
      ),
    );
    pair.tokens.base.forEach((text, position) => {
      const other = pair.tokens.source[position] ?? "";
      const row = h("div", { role: "row" }, h("span", { role: "rowheader" }, token(text)));
      const shown =
        other === text
          ? h("span", { class: "mw-same", text: "·", "aria-label": "the same" })
          : token(other);
      row.append(
        h("span", { role: "gridcell", class: other === text ? "" : "mw-ddiffers" }, shown),
      );
      const cells = layers.map((_, layer) => {
        const cell = button("", () => this.#run(layer, position), {
          class: "mw-dcell",
          role: "gridcell",
          tabindex: -1,
        });
        on(cell, "focus", () => this.#look(layer, position));
        return cell;
      });
      this.#cells.push(cells);
      row.append(...cells);
      this.#sheet.append(row);
    });
    const last = pair.tokens.base.length - 1;
    this.#at = [
      clamp(this.#at[0], layers.length),
      this.#at[1] ? clamp(this.#at[1], last + 1) : last,
    ];
  }

  /** What was run, what is looked at, and what the hypotheses say of it. */
  #mark(): void {
    const state = this.#state;
    const { pair } = state;
    const [layer, position] = this.#at;
    setProps(this.#sheet, { "aria-busy": String(this.#waiting) });
    this.#all.disabled = !pair;
    if (!pair) {
      this.#rivals.replaceChildren();
      this.#alone.replaceChildren();
      setText(this.#said, "");
      return;
    }
    const flat = pair.cells.flat();
    const left = flat.filter((cell) => !cell).length;
    setText(this.#all, left ? `Run all ${flat.length} sites` : `Run ${flat.length} sites again`);
    this.#cells.forEach((row, p) => {
      row.forEach((el, l) => {
        const cell = pair.cells[l]?.[p] ?? null;
        const here = l === layer && p === position;
        setText(el, markOf(pair, cell));
        setProps(el, {
          "aria-label": outcome(state, l, p),
          "aria-selected": String(here),
          "data-state": stateOf(pair, cell),
          "data-waiting": here && this.#waiting,
          tabindex: here ? 0 : -1,
        });
      });
    });
    this.#drawRivals(pair, pair.cells[layer]?.[position] ?? null);
    setText(this.#said, outcome(state, layer, position));
  }

  #drawRivals(pair: Pair, cell: Cell): void {
    const site = siteName(this.#state, ...this.#at);
    const rows = pair.rivals.map((one, i) => {
      const hit = cell?.[1].includes(i);
      const found = cell ? (hit ? "✓ says this" : "✗") : "not run";
      const alike =
        one.alike.length > 0 && `⚠ same as ${one.alike.map((x) => plain(x)).join(", ")}`;
      return h(
        "tr",
        { "data-hit": hit },
        h("th", { scope: "row" }, h("b", { class: "mw-dmark", text: one.mark }), plain(one.name)),
        h("td", {}, token(one.predicted)),
        h("td", {}, span("mw-dfound", found), alike ? span("mw-dalike", alike) : null),
      );
    });
    const head = ["Hypothesis", "predicts", "model"].map((text) =>
      h("th", { class: "mw-name", scope: "col", text }),
    );
    this.#rivals.replaceChildren(
      h("caption", { text: `If ${site} is taken from the counterfactual` }),
      h("tr", {}, ...head),
      ...rows,
    );
    const lines = SIDES.map((side) =>
      h("p", {
        text: `${NAMES[side]} alone ${alone(pair.says[side], side === "base" ? pair.plain : pair.other)}`,
      }),
    );
    this.#alone.replaceChildren(...lines);
  }
}

/** "none", "hit" (a hypothesis), "stays" (as without), "other". */
function stateOf(pair: Pair, cell: Cell): string {
  if (!cell) return "none";
  const first = cell[1][0];
  if (first === undefined) return "other";
  return first === pair.rivals.length - 1 ? "stays" : "hit";
}

function key(): HTMLElement {
  const swatch = (state: string, face: string, words: string) =>
    span("mw-hint", h("i", { class: "mw-dcell", "data-state": state, text: face }), words);
  return div(
    "mw-dlegend",
    swatch("none", "", "not run"),
    swatch("hit", "A", "as hypothesis A"),
    swatch("stays", "–", "no change"),
    swatch("other", "?", "none of these"),
  );
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }) {
    const end = new AbortController();
    const designer = new Designer(model, end.signal);
    shell("Counterfactual designer", model, el, end.signal, ...designer.parts);
    return () => end.abort();
  },
};
