// Readings beside the present one: a pinned one to compare with, and what was there before, in the
// cells too. None of them outlives the prompts, pair and metric that it is of, or asks the kernel for
// more than how sure it is (sure.ts).
import { APART, amount, effectOf } from "./amount.ts";
import { button, setProps, span } from "./dom.ts";
import type { Commands } from "./keys.ts";
import { type Panel, Status, type View } from "./protocol.ts";
import { type Compare, needles } from "./rail.ts";
import type { Reading } from "./reading.ts";
import { shown } from "./scale.ts";
import { intervalKey, sentence } from "./sentences.ts";
import type { Store } from "./store.ts";
import { sureness } from "./sure.ts";
import { plain } from "./text.ts";

export interface Beside {
  keys: Commands;
  compare: Compare;
  /** The button that pins. */
  tool: HTMLElement;
}

/** Of a reading without a number: no state says why. */
const NONE = -1;

export function beside(store: Store, signal: AbortSignal): Beside {
  const { pin, unpin, pinned } = pinning(store, signal);
  const { blink, before } = blinking(store, signal);
  const sure = sureness(store, signal);
  const compare: Compare = (reading) =>
    before(reading) ?? difference(store, pinned(), reading, sure) ?? hovered(store, reading, sure);
  compare.mark = marking(store, pinned);
  const tool = button("Pin", pin, { title: "Hold this reading and compare (P)" });
  const press = () => setProps(tool, { "aria-pressed": String(pinned() !== null) });
  store.on(["hover"], press, signal);
  press();
  return { keys: { p: pin, P: pin, b: blink, B: blink, Escape: unpin }, compare, tool };
}

/** Calls `run` when the view shows other prompts or another pair, or in another metric. */
function onOther(store: Store, run: () => void, signal: AbortSignal): void {
  const now = () => {
    const { revision, pairs, metric } = store.view ?? {};
    return `${revision}/${pairs?.index}/${metric?.label}`;
  };
  let known = now();
  const check = () => {
    if (now() === known) return;
    known = now();
    run();
  };
  store.on(["view"], check, signal);
}

const sameSite = (a: Reading | null, b: Reading | null) =>
  a?.label === b?.label && a?.edit.goal === b?.edit.goal;

// --- the pinned one -----------------------------------------------------------------------------

function pinning(store: Store, signal: AbortSignal) {
  let held: Reading | null = null;
  const set = (to: Reading | null) => {
    held = to;
    // Everything that reads says it anew.
    store.setAside(store.aside);
  };
  const pin = () => {
    const { reading } = store;
    set(held || !reading || !shown(reading.status) ? null : reading);
  };
  const unpin = () => {
    if (!held) return false;
    set(null);
    return true;
  };
  onOther(store, () => set(null), signal);
  return { pin, unpin, pinned: () => held };
}

/** A hollow tick on the rail where the pinned reading ends, at either base. */
function marking(store: Store, pinned: () => Reading | null): NonNullable<Compare["mark"]> {
  const ticks = [span("mw-held"), span("mw-held")];
  return (track, lay) => {
    const a = pinned();
    const ends = a ? needles(store.direction, a.corners) : [];
    ticks.forEach((tick, i) => {
      const end = ends[i];
      tick.hidden = !end;
      if (tick.parentNode !== track) track.append(tick);
      if (end) lay(tick, end.to);
    });
  };
}

type Sure = ReturnType<typeof sureness>;

/** A − B in words, or why there is no such number. */
function difference(
  store: Store,
  a: Reading | null,
  b: Reading | null,
  sure: Sure,
): ReturnType<Compare> {
  if (!a || !b || !shown(b.status)) return null;
  const [first, second] = [a, b].map(({ label }) => plain(label, 60));
  if (sameSite(a, b))
    return { words: `${first} is pinned as A. Point at another cell to compare; P lets go.` };
  if (a.edit.corners !== b.edit.corners) return { words: `A ${first} and B ${second} ${APART}` };
  const [x, y] = [effectOf(store, a), effectOf(store, b)];
  const guessed = a.status === Status.Estimate || b.status === Status.Estimate;
  const gap = amount(store, x - y);
  const ends = sure(a, b)?.[intervalKey(store.direction, b.edit.corners, store.unit)];
  const [low, high] = ends?.map((end) => amount(store, end)) ?? [];
  return {
    figure: guessed ? `≈ ${gap}` : gap,
    of: "A − B",
    words: `A ${first} ${amount(store, x)} − B ${second} ${amount(store, y)} ${guessed ? "≈" : "="} ${gap}${low ? `, 95% CI ${low} to ${high}, ${b.n} pairs` : ""}.`,
  };
}

/** The sentence of a cell that was not clicked, with the interval that is known by now. */
function hovered(store: Store, reading: Reading | null, sure: Sure): ReturnType<Compare> {
  const { view, direction } = store;
  const cell = reading?.kind === "cell" && !reading.ci;
  // Also of what needs none: what was waited for before is over.
  const ci = cell ? sure(reading) : sure();
  return view && cell && ci ? { words: sentence(view, direction, { ...reading, ci }) } : null;
}

// --- the one before -----------------------------------------------------------------------------

/** What a page shows: its cells, what is selected, what came of it. */
interface Moment {
  view: View | null;
  result: Store["result"];
  reading: Reading | null;
}

/** The present one. Cells are filled in where they stand, so theirs are copied. */
function moment({ view, result, resultReading: reading }: Store): Moment {
  const kept = ({ y01, y10, status, ...rest }: Panel): Panel => ({
    ...rest,
    y01: y01.slice(),
    y10: y10.slice(),
    status: status.slice(),
  });
  return { view: view && { ...view, panels: view.panels.map(kept) }, result, reading };
}

function blinking(store: Store, signal: AbortSignal) {
  let now = moment(store);
  let last: Moment | null = null;
  /** While the one before is shown: that, and what to go back to. */
  let held: Record<"before" | "present", Pick<Store, "view" | "result">> | null = null;
  let other = false;
  onOther(
    store,
    () => {
      last = null;
      other = true;
    },
    signal,
  );
  const unblink = () => {
    if (!held) return;
    const { before, present } = held;
    held = null;
    // What came meanwhile stays.
    if (store.view === before.view) store.view = present.view;
    if (store.result === before.result) store.result = present.result;
    store.mergeResult();
    store.setUnit(store.wanted);
    store.setAside(null);
  };
  const follow = () => {
    unblink();
    now = moment(store);
  };
  store.on(["view"], follow, signal);
  store.on(
    ["result"],
    () => {
      const before = now;
      follow();
      // On other prompts the first result is the old selection's: nothing was before it.
      if (!other && !sameSite(now.reading, before.reading)) last = before;
      other = false;
    },
    signal,
  );

  const blink = (event: KeyboardEvent) => {
    if (event.repeat || held) return;
    const { view, result } = store;
    const before = { view: last?.view ?? view, result: last?.result ?? null };
    held = { before, present: { view, result } };
    Object.assign(store, before);
    store.setUnit(store.wanted);
    store.setAside(last?.reading ?? nothing(store));
  };
  addEventListener("keyup", unblink, { signal });
  addEventListener("blur", unblink, { signal });
  // What is held aside, every view of the model shows.
  signal.addEventListener("abort", unblink);
  const before: Compare = () =>
    held
      ? { words: `Before: ${last?.reading ? plain(last.reading.label, 160) : "nothing was set"}.` }
      : null;
  return { blink, before };
}

/** The base runs, of which there is no effect. */
function nothing({ view }: Store): Reading | null {
  if (!view) return null;
  const { base, edit } = view;
  const corners = { ...base, y10: Number.NaN, y01: Number.NaN };
  const none = { cells: [], label: "", status: NONE, n: 1, ci: null, stale: false };
  return { ...none, kind: "result", corners, edit };
}
