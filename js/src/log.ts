// The history as a row of chips: where it was, what it is called, what came of it. A click walks
// there, Shift-click compares with the present one.
import "./log.css";
import { APART, amount, effectOf } from "./amount.ts";
import { cornersIn, editInfo, fields, type Reader } from "./decode.ts";
import { button, div, h, on, setProps, setText, span, taken } from "./dom.ts";
import type { Corners } from "./estimands.ts";
import type { Commands } from "./keys.ts";
import { fixed } from "./numbers.ts";
import type { EditInfo } from "./protocol.ts";
import { shown } from "./scale.ts";
import type { Store } from "./store.ts";
import { s } from "./svg.ts";
import { plain } from "./text.ts";

const PART = "entries";
const SIDE = 18;
const LONGEST_NAME = 80;

interface Entry {
  index: number;
  name: string;
  label: string;
  /** Row, left end and width of each site, of a picture of width 1. */
  marks: number[][];
  /** What came of it; null where nothing was selected. */
  came: { edit: EditInfo; word: string; status: number; corners: Corners } | null;
}

function entry(from: Reader): Entry {
  const head = fields(from, { index: "count", name: "text", label: "text" });
  if (!from.has("edit")) return { ...head, marks: [], came: null };
  const marks = from.raw("marks");
  const fits =
    Array.isArray(marks) &&
    marks.every((mark) => Array.isArray(mark) && mark.every(Number.isFinite) && mark.length === 3);
  if (!fits) from.fail("marks", "a list of three numbers each");
  const edit = editInfo(from);
  const word = from.or("word", "text") ?? edit.kind;
  const came = { edit, word, status: from.count("status"), corners: cornersIn(from) };
  return { ...head, marks, came };
}

/** The keys that walk: the entry before and the one after. */
export function historyKeys(store: Store): Commands {
  return { "[": () => store.ask("undo"), "]": () => store.ask("redo") };
}

/** The history's row; nothing as long as nothing was asked. */
export function history(store: Store, signal: AbortSignal): HTMLElement {
  return new Log(store, signal).el;
}

const called = (one: Entry) => plain(one.name || one.label || "nothing", 40);
const sameEntry = (a: Entry | undefined, b: Entry | undefined) =>
  a?.label === b?.label && a?.came?.edit.goal === b?.came?.edit.goal;

/** What its sites were set to, in a word, where that is not what a click would set them to now. */
const otherEdit = ({ view }: Store, { came }: Entry) =>
  came && came.edit.goal !== view?.edit.goal ? plain(came.word, 24) : "";

interface Chip {
  el: HTMLButtonElement;
  name: HTMLElement;
  edit: HTMLElement;
  value: HTMLElement;
  /** What its picture shows. */
  where: string;
}

class Log {
  readonly el: HTMLElement;
  #row = h("div", { class: "mw-entries", role: "group", "aria-label": "Entries" });
  #line = h("div", { class: "mw-hint mw-entryline", role: "status" });
  #rest = span("mw-hint");
  #rename = button("Rename", () => this.#edit(), { title: "Name the present entry (F2)" });
  #chips = new Map<number, Chip>();
  #entries: Entry[] = [];
  #cursor = 0;
  #rows = 1;
  /** The tab stop, and the entry that the present one is compared with. */
  #at = 0;
  #other: number | null = null;
  /** The entry that the row was scrolled to. */
  #seen = -1;
  /** The field that stands in the place of a chip while its entry is named. */
  #naming: { index: number; field: HTMLInputElement } | null = null;

  constructor(
    readonly store: Store,
    signal: AbortSignal,
  ) {
    const title = span("mw-stripname", "History");
    this.el = h(
      "div",
      { class: "mw-part mw-log", role: "group", "aria-label": "History" },
      div("mw-entryrow", title, this.#rest, this.#row, this.#rename),
      this.#line,
    );
    on(this.#row, "keydown", (event) => this.#key(event));
    store.on([`part:${PART}`], () => this.#read(), signal);
    store.on(["scale", "view", "status"], () => this.#draw(), signal);
    this.#read();
    this.#draw();
  }

  #find(index: number | null): Entry | undefined {
    return this.#entries.find((one) => one.index === index);
  }

  #read(): void {
    const from = this.store.parts.get(PART)?.fields;
    if (!from) return;
    const other = this.#find(this.#other);
    this.#entries = from.list("entries", entry);
    this.#cursor = from.count("cursor");
    this.#rows = Math.max(1, from.count("rows"));
    const [shown, total] = [this.#entries.length, from.count("total")];
    setText(this.#rest, total > shown ? `${shown} of ${total}` : "");
    if (!this.#find(this.#at)) this.#at = this.#cursor;
    // A step aside puts other entries in the place of those that came after.
    if (!sameEntry(this.#find(this.#other), other) || this.#other === this.#cursor)
      this.#other = null;
    this.#draw();
  }

  // --- drawing ------------------------------------------------------------------------------

  #draw(): void {
    const { el } = this;
    el.hidden = this.#entries.length < 2;
    this.#prune();
    this.#entries.forEach((one, i) => {
      const chip = this.#chips.get(one.index) ?? this.#make(one.index);
      this.#show(chip, one);
      const naming = this.#naming?.index === one.index;
      const here = naming ? (this.#naming?.field as HTMLElement) : chip.el;
      const there = this.#row.children[i] ?? null;
      if (there !== here) this.#row.insertBefore(here, there);
    });
    const compared = this.#comparison();
    setText(this.#line, compared);
    this.#line.hidden = compared === "";
    this.#rename.disabled = !this.store.live || !this.#find(this.#cursor);
    // The row alone scrolls to the present entry; the page stays where it is.
    const chip = this.#chips.get(this.#cursor)?.el;
    if (chip && this.#cursor !== this.#seen)
      this.#row.scrollTop = chip.offsetTop - this.#row.clientHeight / 2;
    this.#seen = this.#cursor;
  }

  /** Takes away what belongs to entries that are no longer there. */
  #prune(): void {
    for (const [index, chip] of this.#chips)
      if (!this.#find(index)) {
        chip.el.remove();
        this.#chips.delete(index);
      }
    const naming = this.#naming;
    if (!naming || this.#find(naming.index)) return;
    this.#naming = null;
    naming.field.remove();
  }

  #make(index: number): Chip {
    const [name, edit, value] = [h("bdi"), span("mw-entryedit"), span("mw-entryvalue")];
    const run = (event: MouseEvent) => (event.shiftKey ? this.#compare(index) : this.#walk(index));
    const el = button("", run, { class: "mw-entry" });
    el.append(name, edit, value);
    const chip = { el, name, edit, value, where: "" };
    this.#chips.set(index, chip);
    return chip;
  }

  #show(chip: Chip, one: Entry): void {
    const where = JSON.stringify([this.#rows, one.marks]);
    if (chip.where !== where) {
      chip.el.querySelector("svg")?.remove();
      chip.el.prepend(picture(one.marks, this.#rows));
      chip.where = where;
    }
    const number = this.#value(one);
    const said = one.came ? (Number.isNaN(number) ? "–" : amount(this.store, number)) : "";
    const edit = otherEdit(this.store, one);
    setText(chip.name, called(one));
    setText(chip.edit, edit);
    setText(chip.value, said);
    setProps(chip.el, {
      "aria-current": one.index === this.#cursor ? "true" : null,
      "data-other": one.index === this.#other,
      "data-edit": edit || null,
      "aria-label": `Entry ${one.index}: ${[called(one), edit, said].filter(Boolean).join(" ")}`,
      title: plain([one.label, one.came?.edit.goal].filter(Boolean).join(", "), 160),
      tabindex: one.index === this.#at ? 0 : -1,
    });
  }

  #value({ came }: Entry): number {
    return came && shown(came.status) ? effectOf(this.store, came) : Number.NaN;
  }

  #comparison(): string {
    const [a, b] = [this.#find(this.#cursor), this.#find(this.#other)];
    if (!a || !b) return "";
    const [one, two] = [a, b].map((it) => `${called(it)} ${otherEdit(this.store, it)}`.trim());
    if (!a.came || !b.came) return "Nothing was selected there: there is nothing to compare.";
    if (a.came.edit.corners !== b.came.edit.corners) return `${one} and ${two} ${APART}`;
    const [x, y] = [this.#value(a), this.#value(b)];
    if (Number.isNaN(x - y)) return `${one} or ${two} has no number.`;
    // To the decimal, so that the line adds up.
    const [first, second, gap] = [x, y, x - y].map((number) => amount(this.store, number, fixed));
    return `${one} ${first} − ${two} ${second} = ${gap}`;
  }

  // --- what people do -----------------------------------------------------------------------

  #walk(index: number): void {
    this.#at = index;
    this.#other = null;
    this.store.ask("walk", { index });
    this.#draw();
  }

  #compare(index: number): void {
    this.#at = index;
    this.#other = this.#other === index || index === this.#cursor ? null : index;
    this.#draw();
  }

  /** The name of the present entry as a field, in the place of its chip. */
  #edit(): void {
    const now = this.#find(this.#cursor);
    if (!now || this.#naming || !this.store.live) return;
    const { index, name, label } = now;
    const field = h("input", {
      class: "mw-entryname",
      "aria-label": "Name of the entry",
      placeholder: plain(label || "nothing", 40),
      maxlength: LONGEST_NAME,
    });
    field.value = name;
    const close = (save: boolean) => {
      if (this.#naming?.field !== field) return;
      this.#naming = null;
      const wanted = field.value.trim();
      const chip = this.#chips.get(index)?.el as HTMLElement;
      // Who leaves the field by a click or Tab has put the focus elsewhere.
      const back = field.matches(":focus");
      field.replaceWith(chip);
      // Another entry may have taken its place meanwhile.
      if (save && wanted !== name && sameEntry(now, this.#find(index)))
        this.store.ask("name", { index, name: wanted || null });
      if (back) chip.focus();
    };
    on(field, "keydown", (event) => {
      event.stopPropagation();
      // Enter and Escape also end what an input method composes.
      if (event.isComposing) return;
      if (event.key === "Enter" || event.key === "Escape") close(event.key === "Enter");
    });
    on(field, "blur", () => close(true));
    this.#naming = { index, field };
    this.#at = index;
    this.#chips.get(index)?.el.replaceWith(field);
    this.#draw();
    field.focus();
    field.select();
  }

  #key(event: KeyboardEvent): void {
    const { key, shiftKey } = event;
    const here = this.#entries.findIndex(({ index }) => index === this.#at);
    const last = this.#entries.length - 1;
    const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: last }[key];
    if (to === undefined && key !== "F2" && key !== "Enter") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    taken(event);
    if (key === "F2") this.#edit();
    else if (to === undefined) shiftKey ? this.#compare(this.#at) : this.#walk(this.#at);
    else {
      this.#at = this.#entries[Math.max(0, Math.min(last, to))]?.index ?? this.#at;
      this.#draw();
      this.#chips.get(this.#at)?.el.focus();
    }
  }
}

/** Where the sites are: layers from the top, heads or positions from the left. */
function picture(marks: readonly number[][], rows: number): SVGElement {
  const height = SIDE / rows;
  const rects = marks.map(([row = 0, start = 0, width = 1]) =>
    s("rect", {
      x: start * SIDE,
      y: Math.min(row, rows - 1) * height,
      width: Math.max(1.5, width * SIDE),
      height: Math.max(1.5, height),
    }),
  );
  const props = { class: "mw-mini", viewBox: `0 0 ${SIDE} ${SIDE}`, "aria-hidden": "true" };
  return s("svg", props, ...rects);
}
