// Bars on one axis of the metric, from the corrupt to the clean run's value: a table of parts.
import { h } from "./dom.ts";
import { raw } from "./numbers.ts";

/** Ends of the axis that are nearer to each other share one label. */
const APART = 0.35;

export interface Bar {
  name: string;
  words: string;
  /** The formula, for those who point at the name. */
  title?: string;
  /** NaN draws no bar. */
  from: number;
  to: number;
  sign: "toward" | "away" | "total";
  /** The last two columns. */
  value: string;
  more: string;
  lit?: boolean;
}

/** The rows and under them the ends of the axis; `place` puts a value on it, 0 to 1. */
export function barChart(
  label: string,
  bars: readonly Bar[],
  ends: { y11: number; y00: number },
  place: (value: number) => number,
  /** What the last two columns are. */
  heads: readonly [string, string],
): HTMLElement {
  const el = h("div", { class: "mw-falls", role: "table", "aria-label": label });
  const head = (text: string) => h("span", { class: "mw-fallhead", role: "columnheader", text });
  const part = h("span", { role: "columnheader" }, h("span", { class: "mw-hidden", text: "part" }));
  const blank = h("span", { class: "mw-falltrack", role: "presentation" });
  const top = { class: "mw-fall mw-falltop", role: "row" };
  el.append(h("div", top, part, blank, ...heads.map(head)));
  el.append(...bars.map((bar) => row(bar, place)));
  const foot = h("div", { class: "mw-fallends", "aria-hidden": "true" });
  const mark = (value: number, words: string) => {
    const at = place(value);
    const end = h("span", { text: words, "data-side": at > 0.5 ? "right" : "left" });
    end.style.left = percent(at);
    return end;
  };
  const [corrupt, clean] = [`corrupt ${raw(ends.y00)}`, `clean ${raw(ends.y11)}`];
  const apart = Math.abs(place(ends.y11) - place(ends.y00)) > APART;
  foot.append(
    ...(apart
      ? [mark(ends.y00, corrupt), mark(ends.y11, clean)]
      : [mark(ends.y00, `${corrupt}, ${clean}`)]),
  );
  el.append(h("div", { class: "mw-fall mw-fallfoot", role: "presentation" }, h("span"), foot));
  return el;
}

const percent = (share: number) => `${(100 * share).toFixed(2)}%`;

function row(bar: Bar, place: (value: number) => number): HTMLElement {
  const track = h("span", { class: "mw-falltrack", role: "presentation" });
  if (Number.isFinite(bar.from) && Number.isFinite(bar.to)) {
    const [from, to] = [place(bar.from), place(bar.to)];
    const drawn = h("span", { class: "mw-fallbar", "data-sign": bar.sign });
    drawn.style.left = percent(Math.min(from, to));
    drawn.style.width = percent(Math.abs(to - from));
    const step = h("span", { class: "mw-fallstep" });
    step.style.left = percent(to);
    track.append(drawn, step);
  }
  return h(
    "div",
    { class: "mw-fall", role: "row", "data-name": bar.name, "data-lit": bar.lit ? "true" : null },
    h(
      "span",
      { class: "mw-fallname", role: "rowheader", title: bar.title },
      h("b", {}, h("bdi", { text: bar.name })),
      h("span", { class: "mw-fallwords", text: bar.words }),
    ),
    track,
    h("span", { class: "mw-fallvalue", role: "cell", text: bar.value }),
    h("span", { class: "mw-fallshare", role: "cell", text: bar.more }),
  );
}
