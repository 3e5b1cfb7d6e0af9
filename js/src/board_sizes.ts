// How many of the strongest make the circuit: a slider over a search's scores, and the curve of
// faithfulness by size under it.
import { type Curve, share } from "./board_data.ts";
import type { Board } from "./board_state.ts";
import { two } from "./board_words.ts";
import { button, div, h, on, setProps, setText, span, taken } from "./dom.ts";
import { size } from "./numbers.ts";
import { s } from "./svg.ts";
import { plain } from "./text.ts";

const STEPS = 1000;
const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [132, 34, 14, 10, 22];

/** Sizes along the slider by their logarithm: 0 at its start, then 1 to all. */
export function sizeAt(step: number, n: number): number {
  return step <= 0 ? 0 : Math.round(Math.exp((Math.log(n) * (step - 1)) / (STEPS - 1)));
}
export function stepOf(count: number, n: number): number {
  if (count <= 0) return 0;
  return n < 2 ? STEPS : 1 + Math.round(((STEPS - 1) * Math.log(count)) / Math.log(n));
}

/** The smallest strength among so many. */
function threshold({ at, strengths }: Curve, count: number): number {
  let found = strengths[0] ?? Number.NaN;
  for (let i = 0; i < at.length && (at[i] ?? 0) <= count - 1; i++) found = strengths[i] ?? found;
  return found;
}

export function sizesPanel(board: Board, signal: AbortSignal) {
  const slider = h("input", {
    type: "range",
    class: "mw-bslider",
    min: 0,
    max: STEPS,
    step: 1,
    "aria-label": "Size of the circuit, by score",
  });
  const words = span("mw-bsize");
  const run = button("Run the curve", () => board.ask("curve"));
  const chart = div("mw-bchart");
  const title = span("mw-hint");
  let width = 0;
  /** Where the slider was moved to, until the circuit is another. */
  let moved: number | null = null;
  /** How many sizes are asked for and not answered. */
  let out = 0;
  const here = () => sizeAt(Number(slider.value), board.curve?.n ?? 0);
  const say = () => {
    const { curve, network, graph } = board;
    if (!curve) return;
    const n = moved ?? curve.chosen;
    const unit = plain(network?.unit ?? "", 24);
    const least = n ? `, each at least ${size(threshold(curve, n))} ${unit}` : "";
    const told =
      n === null
        ? `move it to choose the strongest of ${curve.n} ${curve.kind}`
        : `the ${n} strongest of ${curve.n} ${curve.kind}${least}`;
    const mine = (curve.kind === "edges" && graph?.numbers?.edges) || graph?.nodes.length || 0;
    const value = String(stepOf(n ?? mine, curve.n));
    if (moved === null && slider.value !== value) slider.value = value;
    setText(words, told);
    setProps(slider, { "aria-valuetext": told });
    draw(n);
  };
  const choose = (n: number) => {
    moved = n;
    say();
    out += 1;
    board.ask("size", { n }, () => {
      out -= 1;
      anew();
    });
  };
  on(slider, "input", () => {
    moved = here();
    say();
  });
  on(slider, "change", () => choose(moved ?? here()));
  on(slider, "keydown", (event) => {
    const { curve } = board;
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!curve || by === undefined) return;
    // One more or one less, wherever on the logarithm.
    const now = moved ?? curve.chosen ?? here();
    const n = Math.min(curve.n, Math.max(0, now + by));
    slider.value = String(stepOf(n, curve.n));
    choose(n);
    taken(event);
  });
  const draw = (n: number | null) => {
    const { curve } = board;
    if (curve && width) chart.replaceChildren(chartOf(board, curve, width, n));
  };
  const follow = () => {
    const { curve } = board;
    el.hidden = !curve;
    if (!curve) return;
    setText(title, `${plain(curve.name, 40)}: faithfulness by size`);
    const open = curve.kept.filter((one) => !Number.isFinite(one)).length;
    setText(run, `Run ${open} of ${curve.counts.length} sizes`);
    setProps(run, { hidden: open === 0, disabled: !board.store.live || board.store.sweeping });
    setProps(slider, { disabled: !board.store.live || board.graph?.following });
    say();
  };
  const anew = () => {
    // A running curve says each of its sizes; who drags, or waits for a circuit, is not disturbed.
    if (!out && !slider.matches(":active")) moved = null;
    follow();
  };
  const el = h(
    "section",
    { class: "mw-part mw-bsizes", "aria-label": "Size of the circuit" },
    div("mw-bsizehead", title, run),
    chart,
    slider,
    words,
  );
  board.on(["curve"], anew, signal);
  board.on(["graph"], follow, signal);
  board.store.on(["status"], follow, signal);
  follow();
  const resize = (to: number) => {
    width = to;
    say();
  };
  return { el, resize };
}

/** Faithfulness over the logarithm of the size; sizes that were not run have a hollow mark below. */
function chartOf(board: Board, curve: Curve, width: number, n: number | null): SVGElement {
  const numbers = board.graph?.numbers ?? null;
  const value = (kept: number) => (numbers?.refused ? kept : share(numbers, kept));
  const values = curve.kept.map(value);
  const known = [...values, value(numbers?.kept ?? Number.NaN)].filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...known), Math.max(1, ...known)];
  const x = (count: number) =>
    LEFT + ((width - LEFT - RIGHT) * Math.max(0, stepOf(count, curve.n))) / STEPS;
  const y = (f: number) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - f)) / (high - low || 1);
  const ran = curve.counts.map((count, i) => ({ count, f: values[i] ?? Number.NaN }));
  const line = ran.filter(({ f }) => Number.isFinite(f));
  const text = (at: number, up: number, words: string, anchor: string) =>
    s("text", { class: "mw-baxis", x: at, y: up, "text-anchor": anchor, text: words });
  const told = ran.map(({ count, f }) => `${count}: ${Number.isFinite(f) ? two(f) : "not run"}`);
  const svg = s("svg", {
    class: "mw-bcurve",
    width,
    height: HEIGHT,
    role: "img",
    "aria-label": `Faithfulness by number of ${curve.kind}. ${told.join(", ")}`,
  });
  for (const f of numbers?.refused ? [] : [0, 1])
    svg.append(
      s("path", { class: "mw-bgrid", d: `M${LEFT} ${y(f)}H${width - RIGHT}` }),
      text(LEFT - 6, y(f) + 4, String(f), "end"),
    );
  svg.append(
    s("path", {
      class: "mw-bline",
      d: line.map(({ count, f }, i) => `${i ? "L" : "M"}${x(count)} ${y(f)}`).join(""),
    }),
  );
  let free = -Infinity;
  for (const { count, f } of ran) {
    const open = !Number.isFinite(f);
    svg.append(
      s("circle", {
        class: "mw-bdot",
        "data-open": open,
        cx: x(count),
        cy: open ? HEIGHT - BOTTOM : y(f),
        r: 4,
      }),
    );
    // Labels that would touch are left out.
    if (x(count) - free < 30) continue;
    free = x(count);
    svg.append(text(x(count), HEIGHT - 4, String(count), "middle"));
  }
  const f = numbers ? value(numbers.kept) : Number.NaN;
  const mine = (curve.kind === "edges" && numbers?.edges) || numbers?.nodes || 0;
  if (Number.isFinite(f))
    svg.append(s("circle", { class: "mw-bmine", cx: x(mine), cy: y(f), r: 7 }));
  if (n !== null)
    svg.append(s("path", { class: "mw-bhere", d: `M${x(n)} ${TOP}V${HEIGHT - BOTTOM}` }));
  return svg;
}
