// The total effect taken apart, as bars between the corrupt and the clean run's values.
import { h } from "./dom.ts";
import { towardClean } from "./estimands.ts";
import { amount, formulaText, known, meaning, type Scene, shownName } from "./mediation_words.ts";
import { raw } from "./numbers.ts";
import { railScale } from "./rail.ts";
import { type Bar, type CornerKey, constantBars, enters, type Split, waterfall } from "./splits.ts";

/** Rows of bars on one axis. Those that `chosen`'s run enters are marked. */
export function waterfallChart(scene: Scene, split: Split, chosen: CornerKey | null): HTMLElement {
  const { y11, y00 } = scene.corners;
  const bars = barsOf(scene, split);
  const place = scaleOf(scene, bars);
  const lit = new Set(chosen ? enters(chosen, scene.edit.corners) : []);
  const el = h("div", {
    class: "mw-falls",
    role: "table",
    "aria-label": "The total effect's parts",
  });
  for (const bar of bars) {
    const row = barRow(bar, scene, place);
    if (lit.has(bar.name)) row.dataset.lit = "true";
    el.append(row);
  }
  const ends = h("div", { class: "mw-fallends", "aria-hidden": "true" });
  const mark = (value: number, words: string) => {
    const at = place(value);
    const end = h("span", { text: words, "data-side": at > 0.5 ? "right" : "left" });
    end.style.left = `${(100 * at).toFixed(2)}%`;
    return end;
  };
  ends.append(mark(y00, `corrupt ${raw(y00)}`), mark(y11, `clean ${raw(y11)}`));
  el.append(h("div", { class: "mw-fall mw-fallfoot", role: "presentation" }, h("span"), ends));
  return el;
}

function barsOf(scene: Scene, split: Split): Bar[] {
  const { y11, y00 } = scene.corners;
  const whole: Bar = { name: "TE", from: y00, to: y11 };
  if (!known(scene)) return [whole];
  const parts = scene.edit.corners ? waterfall(split, scene.corners) : constantBars(scene.corners);
  return [...parts, whole];
}

function scaleOf(scene: Scene, bars: Bar[]): (value: number) => number {
  const { y11, y00 } = scene.corners;
  return railScale(
    y00,
    y11,
    bars.flatMap(({ from, to }) => [from, to]),
  );
}

function barRow(bar: Bar, scene: Scene, place: (value: number) => number): HTMLElement {
  const [from, to] = [place(bar.from), place(bar.to)];
  const value = bar.to - bar.from;
  const toward = value * towardClean(scene.corners.y11, scene.corners.y00) >= 0;
  const { value: number, share } = amount(value, scene);
  const drawn = h("span", {
    class: "mw-fallbar",
    "data-sign": bar.name === "TE" ? "total" : toward ? "toward" : "away",
    "data-points": to >= from ? "right" : "left",
  });
  drawn.style.left = `${(100 * Math.min(from, to)).toFixed(2)}%`;
  drawn.style.width = `${(100 * Math.abs(to - from)).toFixed(2)}%`;
  const step = h("span", { class: "mw-fallstep" });
  step.style.left = `${(100 * to).toFixed(2)}%`;
  return h(
    "div",
    { class: "mw-fall", role: "row", "data-name": bar.name },
    h(
      "span",
      { class: "mw-fallname", role: "rowheader", title: formulaText(bar.name, scene) },
      h("b", { text: shownName(bar.name, scene) }),
      h("span", { class: "mw-fallwords", text: meaning(bar.name, scene) }),
    ),
    h("span", { class: "mw-falltrack", role: "presentation" }, drawn, step),
    h("span", { class: "mw-fallvalue", role: "cell", text: number }),
    h("span", { class: "mw-fallshare", role: "cell", text: share }),
  );
}
