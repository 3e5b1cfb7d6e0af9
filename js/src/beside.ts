// Readings beside the present one: a pinned one to compare with, the one before, and a selection
// without one of its sites. None of them changes what is selected.
import { button, setProps } from "./dom.ts";
import type { Commands } from "./keys.ts";
import { percentText, raw } from "./numbers.ts";
import { Status } from "./protocol.ts";
import type { Compare } from "./rail.ts";
import type { Reading } from "./reading.ts";
import { shown, shownValue } from "./scale.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";

export interface Beside {
  keys: Commands;
  compare: Compare;
  /** The button that pins. */
  tool: HTMLElement;
}

export function beside(store: Store, signal: AbortSignal): Beside {
  let pinned: Reading | null = null;
  let blinking = false;
  let now = store.resultReading;
  let before: Reading | null = null;

  const pin = button("Pin", () => toggle(), { title: "Hold this reading and compare (P)" });
  const toggle = () => {
    const { reading } = store;
    const can = reading && shown(reading.status);
    pinned = pinned || !can ? null : reading;
    draw();
  };
  const draw = () => {
    setProps(pin, { "aria-pressed": String(pinned !== null) });
    store.setAside(store.aside);
  };

  const value = (reading: Reading) =>
    shownValue(store.direction, reading.edit, store.unit, reading.corners);
  const amount = (number: number) =>
    store.unit === "percent" ? `${percentText(number)}%` : raw(number);
  const compare: Compare = (reading) => {
    if (blinking) return { words: `Before: ${before ? before.label : "nothing was set"}.` };
    if (!pinned || !reading || !shown(reading.status)) return null;
    const [a, b] = [pinned, reading].map((one) => plain(one.label, 60));
    const gap = amount(value(pinned) - value(reading));
    if (a === b)
      return { words: `${a} is pinned as A. Point at another cell to compare; P lets go.` };
    return {
      figure: gap,
      of: "A − B",
      words: `A ${a} ${amount(value(pinned))} − B ${b} ${amount(value(reading))} = ${gap}.`,
    };
  };

  /** What was shown before the present result; the base runs where there was nothing. */
  const previous = (): Reading | null => {
    const { view } = store;
    if (!view || before) return before;
    const { y11, y00 } = view.base;
    const corners = { y11, y00, y10: y11, y01: y00 };
    const { edit } = view;
    const status = Status.ImpliedZero;
    return {
      kind: "result",
      cells: [],
      label: "",
      corners,
      edit,
      status,
      n: 1,
      ci: null,
      stale: false,
    };
  };
  const blink = (event: KeyboardEvent) => {
    if (event.repeat) return;
    blinking = true;
    store.setAside(previous());
  };
  const unblink = () => {
    if (!blinking) return;
    blinking = false;
    store.setAside(null);
  };
  addEventListener("keyup", unblink, { signal });
  addEventListener("blur", unblink, { signal });

  store.on(
    ["result"],
    () => {
      const reading = store.resultReading;
      if (reading?.label === now?.label) return;
      [now, before] = [reading, now];
    },
    signal,
  );
  store.on(
    ["view"],
    () => {
      // Numbers of other prompts cannot be compared with these.
      const revision = store.view?.revision;
      if (revision === known) return;
      known = revision;
      pinned = before = null;
      draw();
    },
    signal,
  );
  let known = store.view?.revision;

  const unpin = () => {
    if (!pinned) return false;
    pinned = null;
    draw();
    return true;
  };
  draw();
  return {
    keys: { p: toggle, P: toggle, b: blink, B: blink, Escape: unpin },
    compare,
    tool: pin,
  };
}
