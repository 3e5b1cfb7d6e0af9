// What the drawings of parts share: waiting, errors in the part's own words, a line of numbers that
// stands still, choices.
import "./looking.css";
import type { Reader } from "./decode.ts";
import { button, type Child, h, on, setProps, setText } from "./dom.ts";
import { percentText, raw } from "./numbers.ts";
import type { Part } from "./parts.ts";
import { Status } from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { shownValue } from "./scale.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";
import { quantity } from "./toolbar.ts";

/**
 * A part's place on the page. `read` is called with every payload that has no error; the children
 * are shown once there was one.
 */
export function partView(
  store: Store,
  name: string,
  signal: AbortSignal,
  read: (fields: Reader, part: Part) => void,
  ...children: Child[]
): HTMLElement {
  const said = h("div", { class: "mw-parterror", role: "status" });
  const body = h("div", { class: "mw-partbody", hidden: true }, ...children);
  const draw = () => {
    const part = store.parts.get(name);
    const error = part?.error;
    setProps(said, { hidden: !error && !!part?.fields });
    const fix = error?.fix ? ` ${plain(error.fix, 400)}` : "";
    const got = error?.value ? ` (${plain(error.value, 200)})` : "";
    const waits = store.live ? "Running…" : "Not computed: the kernel is gone.";
    setText(said, error ? `${plain(error.message, 400)}${got}${fix}` : waits);
    said.classList.toggle("mw-failed", !!error);
    body.hidden = !part?.fields;
    const { view } = store;
    const other = part?.pair !== view?.pairs.index;
    const stale = !!part?.fields && !!view && (other || part.revision < view.revision);
    body.classList.toggle("mw-stale", stale);
    if (part?.fields) read(part.fields, part);
  };
  store.on([`part:${name}`, "view"], draw, signal);
  store.on(["status"], () => said.hidden || draw(), signal);
  draw();
  return h("div", { class: "mw-lookpart" }, said, body);
}

/** A line for what is pointed at. It has room for two lines, so that nothing below it moves. */
export function readLine(hint: string) {
  const el = h("p", { class: "mw-readline" });
  const say = (text: string | null) => {
    setText(el, text ?? hint);
    el.classList.toggle("mw-hint", text === null);
  };
  say(null);
  return { el, say };
}

/** Buttons of which one is pressed. `off` names those that cannot be chosen now. */
export function segments<T extends string>(
  name: string,
  words: Readonly<Record<T, string>>,
  choose: (value: T) => void,
) {
  const el = h("div", { class: "mw-segments", role: "group", "aria-label": name });
  const values = Object.keys(words) as T[];
  const buttons = values.map((value) =>
    button(words[value], () => choose(value), { class: "mw-segment" }),
  );
  el.append(...buttons);
  const set = (now: T, off: readonly T[] = []) => {
    buttons.forEach((one, i) => {
      setProps(one, {
        "aria-pressed": String(values[i] === now),
        disabled: off.includes(values[i] as T),
      });
    });
  };
  return { el, set };
}

/** What setting a cell comes to, short enough for the line: the rail says it in full. */
export function effectWords(store: Store, reading: Reading, done?: string): string {
  const { direction, unit, view } = store;
  const value = shownValue(direction, reading.edit, unit, reading.corners);
  const { full, short } = quantity(direction, reading.edit.corners);
  const told = unit === "percent" ? `${percentText(value)}%` : `${raw(value)} ${view?.metric.unit}`;
  const { corners, goal } = reading.edit;
  if (reading.status === Status.ImpliedZero) return `${full}: 0 by construction.`;
  const named = corners ? full : short;
  if (reading.status === Status.Estimate) return `Estimated, ${named}: ≈${told}.`;
  return `${done ?? (corners ? "Patched" : `Set ${plain(goal, 80)}`)}, ${named}: ${told}.`;
}

/** A choice among the numbers from 0 to `n` − 1. */
export function numbers(name: string, label: string, choose: (value: number) => void) {
  const select = h("select", { class: "mw-select", "aria-label": name });
  on(select, "change", () => choose(Number(select.value)));
  const set = (n: number, now: number) => {
    if (select.childElementCount !== n)
      select.replaceChildren(
        ...[...Array(n).keys()].map((i) => h("option", { value: i, text: String(i) })),
      );
    select.value = String(now);
  };
  return { el: h("label", { class: "mw-field" }, h("span", { text: label }), select), set };
}
