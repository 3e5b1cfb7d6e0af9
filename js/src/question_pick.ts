// A guess that is a cell, or several: an empty grid before, the same grid with numbers afterwards.
import { div, h, setText, span } from "./dom.ts";
import { cellSize, type Face, matrix, NUMBER_FITS, type Place } from "./matrix.ts";
import { percentText } from "./numbers.ts";
import type { Doing, Input } from "./question_inputs.ts";
import { type Card, together } from "./question_state.ts";
import { roundUp } from "./scale.ts";
import { plain, token } from "./text.ts";

/** The widest name of a column that stands level, in characters, and a character's width. */
const [LEVEL, CHARACTER] = [4, 7.4];
const [LOWEST, PADDING] = [24, 26];

/** What red and blue say of a site, as in the legend of the views (toolbar.ts). */
const ENDS: Record<string, [string, string]> = {
  PIE: ["away", "toward clean"],
  INT: ["OR-like", "AND-like"],
};
const WORKS = ["against", "for clean"];

export function cells(first: Card, { draft, named, changed }: Doing): Input {
  let card = first;
  let locked = false;
  const { rows, cols, labels, several } = first;
  const label = ({ row, col }: Place) => labels[row]?.[col] ?? "";
  const picked = () => (card.guess ?? draft.value ?? []) as string[];
  const share = ({ row, col }: Place) => card.truth?.cells[row]?.[col] ?? Number.NaN;
  const largest = () =>
    Math.max(0, ...(card.truth?.cells.flat().filter(Number.isFinite).map(Math.abs) ?? []));
  /** The end of the colours: all of the total effect at most, as in a head grid. */
  let end = 1;

  const words = (place: Place): string => {
    const [name, value] = [label(place), share(place)];
    const told = Number.isFinite(value)
      ? `${percentText(100 * value)}% of the total effect`
      : card.truth
        ? "no share of a total effect"
        : "not shown yet";
    const mine = picked().includes(name) && (card.status === "open" ? "picked" : "your guess");
    const best = card.truth?.best.includes(name) && "the model's answer";
    return `${plain(name, 60)}: ${[told, mine, best].filter(Boolean).join(", ")}`;
  };
  const face = (row: number, col: number): Face => {
    const value = share({ row, col });
    const known = Number.isFinite(value);
    const text = percentText(Math.round(100 * value));
    return {
      state: known ? "exact" : "none",
      share: known ? value / end : 0,
      text: known && width >= NUMBER_FITS ? text : "",
      name: words({ row, col }),
    };
  };
  const level = Math.max(...cols.map((name) => name.length)) <= LEVEL;
  const head = (name: string) =>
    level ? h("span", { text: plain(name, 12) }) : h("span", { class: "mw-up" }, token(name));

  let width = 36;
  const line = h("p", { class: "mw-hint mw-qpointed" });
  const grid = matrix({
    rows: rows.length,
    cols: cols.length,
    corner: [h("span", { class: "mw-hidden", text: "layer" })],
    rowHead: (row) => [h("span", { text: plain(rows[row] ?? "", 12) })],
    colHead: (col) => head(cols[col] ?? ""),
    name: () => (several > 1 ? `Pick ${several} cells` : "Pick a cell"),
    face,
    hover: (place) => setText(line, place ? words(place) : ""),
    choose: (place) => {
      if (locked || card.status !== "open") return;
      const [name, had] = [label(place), picked()];
      if (several > 1 && had.includes(name)) draft.value = had.filter((one) => one !== name);
      // What was picked first makes room.
      else draft.value = [...had.filter((one) => one !== name), name].slice(-several);
      changed();
    },
  });
  const longest = Math.max(...rows.map((name) => name.length));
  grid.el.style.setProperty("--mw-qhead", `${Math.max(20, longest * CHARACTER + 4)}px`);
  const tall = Math.min(11, Math.max(...cols.map((name) => name.length)));
  if (!level) grid.el.style.setProperty("--head-h", `${Math.round(tall * CHARACTER) + 16}px`);
  grid.el.setAttribute("aria-describedby", named);

  const key = div("mw-key mw-qkey");
  const drawKey = () => {
    key.hidden = !card.truth;
    if (!card.truth) return;
    const item = (kind: string, text: string) =>
      span("mw-keyitem", h("i", { class: "mw-swatch", "data-kind": kind }), text);
    const scale = percentText(100 * end);
    const [low, high] = ENDS[first.estimand || "PIE"] ?? WORKS;
    key.replaceChildren(
      item("mine", "your guess"),
      item("best", first.several > 1 ? "the model's answers" : "the model's answer"),
      span(
        "mw-keyitem",
        `${low} ${scale.replace("+", "\u2212")}%`,
        h("i", { class: "mw-bar mw-qbar" }),
        `${scale}% ${high}`,
      ),
    );
  };

  return {
    el: div("mw-qpick mw-scroll", grid.el),
    below: div("", line, key),
    guess: () => (picked().length === several ? picked() : null),
    told: () => {
      const n = picked().length;
      if (n === several) return `${together(picked())} picked.`;
      if (several === 1) return "Pick a cell: click it, or arrows and Enter.";
      return `${n} of ${several} cells picked.`;
    },
    update: (now, still) => {
      [card, locked] = [now, still];
      end = Math.min(1, roundUp(100 * largest()) / 100) || 1;
      grid.paint();
      const mine = picked();
      grid.mark("aria-selected", (row, col) => String(mine.includes(label({ row, col }))));
      grid.mark("data-pending", (row, col) =>
        still && mine.includes(label({ row, col })) ? "true" : null,
      );
      grid.mark("data-best", (row, col) =>
        card.truth?.best.includes(label({ row, col })) ? "true" : null,
      );
      grid.el.toggleAttribute("data-shut", now.status !== "open");
      drawKey();
    },
    resize: (room) => {
      const column = Number.parseFloat(grid.el.style.getPropertyValue("--mw-qhead")) + 2;
      width = Math.min(36, cellSize(room - PADDING - column, cols.length));
      grid.resize(width, Math.max(LOWEST, Math.min(36, width)));
      grid.paint();
    },
  };
}
