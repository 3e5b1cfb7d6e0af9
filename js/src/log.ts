// The history as a row of chips: where it was, what it is called, what came of it. A click walks
// there, Shift-click compares with the present one.
import "./log.css";
import type { Reader } from "./decode.ts";
import { button, div, h, setProps, setText, span } from "./dom.ts";
import type { Commands } from "./keys.ts";
import { fixed, percentText, raw } from "./numbers.ts";
import type { EditInfo } from "./protocol.ts";
import { shown, shownValue } from "./scale.ts";
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
  came: {
    edit: EditInfo;
    status: number;
    n: number;
    corners: { y11: number; y00: number; y10: number; y01: number };
  } | null;
}

function entry(from: Reader): Entry {
  const head = { index: from.count("index"), name: from.text("name"), label: from.text("label") };
  if (!from.has("edit")) return { ...head, marks: [], came: null };
  const [edit, marks] = [from.at("edit"), from.raw("marks")];
  const fits =
    Array.isArray(marks) &&
    marks.every((mark) => Array.isArray(mark) && mark.every(Number.isFinite) && mark.length === 3);
  if (!fits) from.fail("marks", "a list of three numbers each");
  const kind = { kind: edit.text("kind"), corners: edit.flag("corners"), goal: edit.text("goal") };
  const [y11, y00, y10, y01] = ["y11", "y00", "y10", "y01"].map((name) => from.maybe(name)) as [
    number,
    number,
    number,
    number,
  ];
  const [status, n] = [from.count("status"), from.count("n")];
  return { ...head, marks, came: { edit: kind, status, n, corners: { y11, y00, y10, y01 } } };
}

/** The keys that walk: the entry before and the one after. */
export function historyKeys(store: Store): Commands {
  return { "[": () => store.ask("undo"), "]": () => store.ask("redo") };
}

interface Chip {
  el: HTMLButtonElement;
  name: HTMLElement;
  value: HTMLElement;
  /** What its picture shows. */
  where: string;
}

/** The history's row; nothing as long as nothing was asked. */
export function history(store: Store, signal: AbortSignal): HTMLElement {
  const row = h("div", { class: "mw-entries", role: "group", "aria-label": "Entries" });
  const line = h("div", { class: "mw-hint mw-entryline", role: "status" });
  const rest = span("mw-hint");
  const rename = button("Rename", () => edit(), { title: "Name the present entry (F2)" });
  const title = span("mw-stripname", "History");
  const body = div("mw-entryrow", title, rest, row, rename);
  const el = h("div", { class: "mw-part mw-log", role: "group", "aria-label": "History" });
  el.append(body, line);
  const chips = new Map<number, Chip>();
  let entries: Entry[] = [];
  let [cursor, rows, at]: [number, number, number] = [0, 1, 0];
  let other: number | null = null;
  let seen = -1;

  const amount = (value: number) =>
    store.unit === "percent" ? `${percentText(value)}%` : raw(value);
  const value = ({ came }: Entry) =>
    came && shown(came.status)
      ? shownValue(store.direction, came.edit, store.unit, came.corners)
      : Number.NaN;
  const called = (one: Entry) => plain(one.name || one.label || "nothing", 40);

  const read = () => {
    const fields = store.parts.get(PART)?.fields;
    if (!fields) return;
    entries = fields.list("entries", entry);
    cursor = fields.count("cursor");
    rows = Math.max(1, fields.count("rows"));
    const hidden = fields.count("total") - entries.length;
    setText(rest, hidden > 0 ? `${entries.length} of ${hidden + entries.length}` : "");
    if (!entries.some(({ index }) => index === at)) at = cursor;
    if (other !== null && !entries.some(({ index }) => index === other)) other = null;
    draw();
  };

  const draw = () => {
    el.hidden = entries.length < 2;
    const present = new Set(entries.map(({ index }) => index));
    for (const [index, chip] of chips)
      if (!present.has(index)) {
        chip.el.remove();
        chips.delete(index);
      }
    entries.forEach((one, i) => {
      const chip = chips.get(one.index) ?? make(one.index);
      show(chip, one);
      if (row.children[i] !== chip.el) row.insertBefore(chip.el, row.children[i] ?? null);
    });
    const compared = comparison();
    setText(line, compared);
    line.hidden = compared === "";
    const now = entries.find(({ index }) => index === cursor);
    rename.disabled = !store.live || !now;
    // The row alone scrolls to the present entry; the page stays where it is.
    const chip = chips.get(cursor)?.el;
    if (chip && cursor !== seen) row.scrollTop = chip.offsetTop - row.clientHeight / 2;
    seen = cursor;
  };

  const make = (index: number): Chip => {
    const [name, amountEl] = [h("bdi"), span("mw-entryvalue")];
    const chip = button("", (event) => (event.shiftKey ? compare(index) : walk(index)), {
      class: "mw-entry",
    });
    chip.append(name, amountEl);
    chips.set(index, { el: chip, name, value: amountEl, where: "" });
    return chips.get(index) as Chip;
  };

  const show = (chip: Chip, one: Entry) => {
    const where = JSON.stringify([rows, one.marks]);
    if (chip.where !== where) {
      chip.el.querySelector("svg")?.remove();
      chip.el.prepend(picture(one.marks, rows));
      chip.where = where;
    }
    const number = value(one);
    const said = one.came ? (Number.isNaN(number) ? "–" : amount(number)) : "";
    setText(chip.name, called(one));
    setText(chip.value, said);
    setProps(chip.el, {
      "aria-current": one.index === cursor ? "true" : null,
      "data-other": one.index === other,
      "aria-label": `Entry ${one.index}: ${called(one)} ${said}`.trim(),
      title: plain([one.label, one.came?.edit.goal].filter(Boolean).join(", "), 160),
      tabindex: one.index === at ? 0 : -1,
    });
  };

  const walk = (index: number) => {
    at = index;
    other = null;
    store.ask("walk", { index });
    draw();
  };
  const compare = (index: number) => {
    at = index;
    other = other === index || index === cursor ? null : index;
    draw();
  };

  const comparison = (): string => {
    const a = entries.find(({ index }) => index === cursor);
    const b = entries.find(({ index }) => index === other);
    if (!a || !b) return "";
    const [one, two] = [called(a), called(b)];
    if (!a.came || !b.came) return "Nothing was selected there: there is nothing to compare.";
    if (a.came.edit.corners !== b.came.edit.corners)
      return `${one} and ${two} have no effect in common: only one is a patch from the other prompt.`;
    const [x, y] = [value(a), value(b)];
    if (Number.isNaN(x - y)) return `${one} or ${two} has no number.`;
    // To the decimal, so that the line adds up.
    const [first, second, gap] = [x, y, x - y].map((number) =>
      store.unit === "percent" ? `${fixed(number)}%` : raw(number),
    );
    return `${one} ${first} − ${two} ${second} = ${gap}`;
  };

  /** The name of the present entry as a field, in the place of its chip. */
  const edit = () => {
    const now = entries.find(({ index }) => index === cursor);
    const chip = chips.get(cursor);
    if (!now || !chip) return;
    const field = h("input", {
      class: "mw-entryname",
      "aria-label": "Name of the entry",
      placeholder: plain(now.label || "nothing", 40),
      maxlength: LONGEST_NAME,
    });
    field.value = now.name;
    let open = true;
    const close = (save: boolean) => {
      if (!open) return;
      open = false;
      const name = field.value.trim();
      field.replaceWith(chip.el);
      if (save && name !== now.name) store.ask("name", { index: now.index, name: name || null });
      chip.el.focus();
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") close(true);
      if (event.key === "Escape") close(false);
    });
    field.addEventListener("blur", () => close(true));
    chip.el.replaceWith(field);
    field.focus();
    field.select();
  };

  row.addEventListener("keydown", (event) => {
    const here = entries.findIndex(({ index }) => index === at);
    const last = entries.length - 1;
    const to = {
      ArrowRight: here + 1,
      ArrowLeft: here - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined && event.key !== "F2" && event.key !== "Enter") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") (event.shiftKey ? compare : walk)(at);
    else if (to === undefined) edit();
    else {
      at = entries[Math.max(0, Math.min(last, to))]?.index ?? at;
      draw();
      chips.get(at)?.el.focus();
    }
  });

  store.on([`part:${PART}`], read, signal);
  store.on(["scale", "view", "status"], draw, signal);
  read();
  draw();
  return el;
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
