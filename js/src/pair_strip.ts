// The selection's effect pair by pair: one mark a pair where its number is, the mean and its
// interval. Percent is of the mean total effect, so that the mean of the marks is the headline.
import "./looking.css";
import { editInfo, type Reader } from "./decode.ts";
import { h, setProps, setText, taken } from "./dom.ts";
import type { Drawer } from "./drawers.ts";
import { type Corners, normalizable, percent } from "./estimands.ts";
import { percentText, raw } from "./numbers.ts";
import { partView, readLine } from "./part_view.ts";
import type { Direction, EditInfo } from "./protocol.ts";
import { blueSign, shownValue } from "./scale.ts";
import { intervalKey } from "./sentences.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";
import { quantity } from "./toolbar.ts";

const KEY = "pairs";
const [MARGIN, NEAR, APART] = [0.04, 12, 0.12];
/** Share of the mean total effect that the axis spans at least: what is smaller is rounding. */
const LEAST = 0.02;
const CORNERS = ["y11", "y00", "y10", "y01"] as const;
const LONGEST = 300;

interface Row {
  name: string;
  members: Int32Array;
  ci: Record<string, number[]> | null;
}
interface Strip {
  label: string;
  edit: EditInfo;
  corners: Record<(typeof CORNERS)[number], Float32Array>;
  rows: Row[];
  prompts: string[];
}

/** Null where nothing is selected. */
function decode(from: Reader): Strip | null {
  if (!from.has("corners")) return null;
  const prompts = from.values<string>("prompts", "string");
  const bytes = from.at("corners");
  const floats = CORNERS.map((name) => [name, bytes.floats(name, prompts.length)]);
  return {
    label: from.text("label"),
    edit: editInfo(from),
    corners: Object.fromEntries(floats) as Strip["corners"],
    prompts,
    rows: from.list("rows", (row) => ({
      name: row.text("name"),
      members: new Int32Array(row.bytes("members", 4 * row.count("n")).buffer),
      ci: row.has("ci") ? (row.raw("ci") as Record<string, number[]>) : null,
    })),
  };
}

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

/** What a direction shows for every pair, in percent of the mean total effect or in the unit. */
export function perPair(
  direction: Direction,
  edit: EditInfo,
  corners: Strip["corners"],
  percent: boolean,
): { values: number[]; factor: number } {
  const [y11, y00] = [mean(corners.y11), mean(corners.y00)];
  const factor = percent && normalizable(y11, y00) ? 100 / (y11 - y00) : 1;
  const values = Array.from(corners.y11, (_, i) => {
    const at = (name: keyof Corners) => corners[name][i] ?? Number.NaN;
    const own = { y11: at("y11"), y00: at("y00"), y10: at("y10"), y01: at("y01") };
    return factor * shownValue(direction, edit, "raw", own);
  });
  return { values, factor };
}

export const pairStrip: Drawer = { part: KEY, title: "Pairs", draw };

function draw(store: Store, signal: AbortSignal): HTMLElement {
  const line = readLine("Point at a mark to read its pair; click it, or press Enter, to show it.");
  const title = h("div", { class: "mw-lookhead" });
  const list = h("div", { class: "mw-pairlist", role: "listbox" });
  const axis = h("div", { class: "mw-pairaxis", "aria-hidden": "true" });
  let strip: Strip | null = null;
  let picture: Picture | null = null;
  const show = () => {
    const several = strip && strip.prompts.length > 1;
    for (const el of [list, axis, line.el]) el.hidden = !several;
    if (!strip || !several) {
      setText(
        title,
        strip || store.view?.pairs.n === 1
          ? "There is one pair. A contrast of several shows a mark for each of them here."
          : "Nothing is selected. The effect of a selection on every single pair is shown here.",
      );
      return;
    }
    const { full } = quantity(store.direction, strip.edit.corners);
    const { values, factor } = perPair(
      store.direction,
      strip.edit,
      strip.corners,
      store.unit === "percent",
    );
    const text = factor === 1 ? raw : (value: number) => `${percentText(value)}%`;
    const of = factor === 1 ? (store.view?.metric.unit ?? "") : "% of the mean total effect";
    setText(title, `${plain(strip.label, 120)}: ${full}, ${of}, ${strip.prompts.length} pairs`);
    setProps(list, { "aria-label": `Pairs: ${full} of ${plain(strip.label, 120)}` });
    const held = picture?.held() ?? null;
    picture = new Picture(store, strip, values, factor, text, line.say);
    list.replaceChildren(...picture.rows);
    axis.replaceChildren(...picture.axis);
    picture.mark();
    picture.hold(held);
  };
  list.addEventListener("keydown", (event) => picture?.key(event));
  const read = (fields: Reader) => {
    strip = decode(fields);
    show();
  };
  const part = partView(store, KEY, signal, read, title, line.el, list, axis);
  store.on(["scale"], show, signal);
  return part;
}

interface Place {
  pair: number;
  row: number;
}

/** Marks and means of one state of the page. */
class Picture {
  readonly rows: HTMLElement[];
  readonly axis: HTMLElement[];
  /** In the order of the rows, and in a row of the numbers. */
  #marks: (Place & { el: HTMLElement })[] = [];
  #low: number;
  #span: number;

  constructor(
    readonly store: Store,
    readonly strip: Strip,
    readonly values: number[],
    factor: number,
    readonly text: (value: number) => string,
    readonly say: (text: string | null) => void,
  ) {
    const finite = [...values.filter(Number.isFinite), 0];
    const total = factor * (mean(strip.corners.y11) - mean(strip.corners.y00));
    const least = (LEAST / 2) * Math.abs(total);
    const [low, high] = [Math.min(...finite, -least), Math.max(...finite, least)];
    const room = MARGIN * (high - low || 1);
    this.#low = low - room;
    this.#span = high - low + 2 * room;
    const key = intervalKey(store.direction, strip.edit.corners, "raw");
    this.rows = strip.rows.map((row, i) => this.#row(row, i, key, factor));
    // An end that would stand on the zero is left out.
    const ends = [low, high].filter((end) => Math.abs(end) > APART * this.#span);
    this.axis = [...ends, 0].map((value) => {
      const end = h("span", { class: "mw-pairtick", text: text(value) });
      end.style.left = this.#place(value);
      return end;
    });
  }

  #place(value: number): string {
    return `${((100 * (value - this.#low)) / this.#span).toFixed(2)}%`;
  }

  #row(row: Row, index: number, key: string, factor: number): HTMLElement {
    const track = h("div", { class: "mw-pairtrack" });
    const put = (name: string, value: number) => {
      const el = h("span", { class: name, "aria-hidden": "true" });
      el.style.left = this.#place(value);
      track.append(el);
      return el;
    };
    put("mw-pairzero", 0);
    const here = Array.from(row.members).filter((i) => Number.isFinite(this.values[i]));
    const at = (pair: number) => this.values[pair] as number;
    // Where there are groups, the marks stand in those.
    const drawn = this.strip.rows.length > 1 && index === 0 ? [] : [...here];
    for (const pair of drawn.sort((a, b) => at(a) - at(b))) {
      const el = h("div", { class: "mw-pairmark", role: "option", tabindex: -1 });
      el.style.left = this.#place(at(pair));
      el.dataset.sign = this.#sign(at(pair), factor) < 0 ? "away" : "toward";
      setProps(el, { "aria-label": this.#words(pair, row, factor) });
      track.append(el);
      this.#marks.push({ pair, row: index, el });
    }
    const middle = mean(here.map(at));
    // The share of all pairs is a ratio of means, with an interval of its own; of a group's mean
    // the marks are shares of the same total as all, so that total divides its interval too.
    const share = index === 0 && factor !== 1 ? row.ci?.[`${key}%`] : undefined;
    const ends = share ?? row.ci?.[key]?.map((end) => factor * end).sort((a, b) => a - b);
    const [from, to] = ends ?? [];
    if (from !== undefined && to !== undefined) {
      const bar = put("mw-pairci", from);
      bar.style.width = `${((100 * (to - from)) / this.#span).toFixed(2)}%`;
    }
    if (Number.isFinite(middle)) put("mw-pairmean", middle);
    const ci = ends ? `, 95% CI ${ends.map(this.text).join(" to ")}` : "";
    const said = `mean ${this.text(middle)}${ci}`;
    const name = row.name || (this.strip.rows.length > 1 ? "all" : "");
    track.addEventListener("pointermove", (event) => this.#point(event, index));
    track.addEventListener("pointerleave", () => this.#over(null));
    track.addEventListener("click", (event) => this.#choose(this.#nearest(event, index)));
    const counted = `${name ? `${plain(name, 60)}, ` : ""}${row.members.length} pairs: ${said}`;
    return h(
      "div",
      { class: "mw-pairrow", role: "group", "aria-label": counted },
      h("div", { class: "mw-pairname2", text: counted }),
      track,
    );
  }

  /** Percents are of the total effect, and so toward clean already. */
  #sign(value: number, factor: number): number {
    const { view } = this.store;
    return view ? blueSign(view, factor === 1 ? "raw" : "percent", value) : value;
  }

  #words(pair: number, row: Row, factor: number): string {
    const group = row.name ? ` (${plain(row.name, 60)})` : "";
    const prompt = plain(this.strip.prompts[pair] ?? "", LONGEST);
    const told = this.text(this.values[pair] as number) + this.#own(pair, factor);
    return `Pair ${pair + 1} of ${this.strip.prompts.length}${group}: ${told}. ${prompt}`;
  }

  /** Marks are shares of the mean total effect; "This pair" says the share of the pair's own. */
  #own(pair: number, factor: number): string {
    if (factor === 1) return "";
    const { y11, y00 } = this.strip.corners;
    const share = percent(
      (this.values[pair] as number) / factor,
      y11[pair] as number,
      y00[pair] as number,
    );
    const own = Number.isFinite(share) ? `, ${this.text(share)} of its own` : "";
    return ` of the mean total effect${own}`;
  }

  /** Marks the pair that the view shows, and leaves one tab stop. */
  mark(): void {
    const now = this.store.view?.pairs.index ?? null;
    const stop = this.#marks.find(({ pair }) => pair === now) ?? this.#marks[0];
    for (const mark of this.#marks)
      setProps(mark.el, {
        "aria-selected": String(mark.pair === now),
        tabindex: mark === stop ? 0 : -1,
      });
  }

  /** The mark that has the focus. */
  held(): Place | null {
    return this.#marks.find(({ el }) => el.matches(":focus")) ?? null;
  }

  /** Gives the focus to the same mark of this picture. */
  hold(place: Place | null): void {
    if (!place) return;
    const of = this.#marks.map((mark, i) => (mark.pair === place.pair ? i : -1));
    const found = of.filter((i) => i >= 0);
    const [at] = [...found.filter((i) => this.#marks[i]?.row === place.row), ...found];
    if (at !== undefined) this.#focus(at);
  }

  #nearest(event: MouseEvent, row: number): number | null {
    let best: number | null = null;
    let least = NEAR;
    for (const [i, mark] of this.#marks.entries()) {
      if (mark.row !== row) continue;
      const box = mark.el.getBoundingClientRect();
      const far = Math.abs(event.clientX - (box.left + box.right) / 2);
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  #point(event: MouseEvent, row: number): void {
    this.#over(this.#nearest(event, row));
  }

  #over(index: number | null): void {
    this.#marks.forEach(({ el }, i) => {
      el.classList.toggle("mw-near", i === index);
    });
    const mark = index === null ? null : this.#marks[index];
    this.say(mark ? mark.el.getAttribute("aria-label") : null);
  }

  #choose(index: number | null): void {
    const mark = index === null ? undefined : this.#marks[index];
    if (mark) this.store.ask("pair", { index: mark.pair });
  }

  key(event: KeyboardEvent): void {
    const from = this.#marks.findIndex(({ el }) => el === event.target);
    const here = this.#marks[from];
    if (!here || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.#marks.length - 1;
    const steps: Record<string, number> = { ArrowLeft: from - 1, ArrowRight: from + 1 };
    const ends: Record<string, number> = { Home: 0, End: last };
    const rows: Record<string, number> = { ArrowUp: -1, ArrowDown: 1 };
    const to =
      rows[event.key] === undefined
        ? (steps[event.key] ?? ends[event.key])
        : this.#beside(here, rows[event.key] as number);
    if (to === undefined && event.key !== "Enter" && event.key !== " ") return;
    taken(event);
    if (to === undefined) this.#choose(from);
    else this.#focus(Math.max(0, Math.min(last, to)));
  }

  #focus(index: number): void {
    this.#marks.forEach(({ el }, i) => {
      setProps(el, { tabindex: i === index ? 0 : -1 });
    });
    this.#marks[index]?.el.focus();
    this.#over(index);
  }

  /** The mark of the next row whose number is nearest. */
  #beside(here: Place, by: number): number {
    const far = (pair: number) =>
      Math.abs((this.values[pair] as number) - (this.values[here.pair] as number));
    let best = this.#marks.findIndex(({ pair }) => pair === here.pair);
    let least = Number.POSITIVE_INFINITY;
    for (const [i, { pair, row }] of this.#marks.entries())
      if (row === here.row + by && far(pair) < least) [best, least] = [i, far(pair)];
    return best;
  }
}
