// A guessed number and the model's on one small axis.
import { div, h, span } from "./dom.ts";
import { inUnit } from "./question_state.ts";
import { roundUp } from "./scale.ts";

/** Both on a line that has 0 on it; `within`: how far off the guess may be. */
export function axis(guess: number, value: number, unit: string, within?: number): HTMLElement {
  const all = [0, guess, value, ...(unit === "%" ? [100] : [])];
  const [lowest, highest] = [Math.min(...all), Math.max(...all)];
  const low = lowest < 0 ? -roundUp(-lowest) : 0;
  const high = highest > 0 ? (highest <= 100 && unit === "%" ? 100 : roundUp(highest)) : 0;
  const share = (x: number) => 100 * Math.max(0, Math.min(1, (x - low) / (high - low)));
  const at = (name: string, x: number, words: string) => {
    const mark = span(name, words);
    mark.style.setProperty("--at", `${share(x).toFixed(2)}%`);
    return mark;
  };
  const band = h("i", { class: "mw-qband" });
  if (within !== undefined && within > 0) {
    const from = share(value - within);
    band.style.left = `${from.toFixed(2)}%`;
    band.style.width = `${(share(value + within) - from).toFixed(2)}%`;
  }
  const ends = [low, ...(low < 0 && high > 0 ? [0] : []), high];
  const [mine, model] = [`you ${inUnit(guess, unit, true)}`, `the model ${inUnit(value, unit)}`];
  return h(
    "div",
    { class: "mw-qaxis", role: "img", "aria-label": `On one axis: ${mine}, ${model}` },
    at("mw-qabove", guess, mine),
    div(
      "mw-qtrack",
      band,
      ...ends.map((end) => at("mw-qtick", end, "")),
      at("mw-qmine", guess, ""),
      at("mw-qmodel", value, ""),
    ),
    at("mw-qbelow", value, model),
    div("mw-qends", ...ends.map((end) => at("mw-qend", end, inUnit(end, unit)))),
  );
}
