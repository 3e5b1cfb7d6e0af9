// The first line: which contrast and pair, whether the checks passed, undo and redo, help; and what
// the kernel is doing.
import { button, div, h, setProps, setText, span } from "./dom.ts";
import type { Asking } from "./line.ts";
import { count } from "./numbers.ts";
import type { View } from "./protocol.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";

export function statusBar(
  store: Store,
  help: () => void,
  signal: AbortSignal,
  tools: readonly HTMLElement[] = [],
): HTMLElement {
  const name = span("mw-contrast");
  const [undo, redo] = undoRedo(store, signal);
  const step = span("mw-hint mw-step");
  const checks = span("mw-checksum");
  const draw = () => {
    const { view, history } = store;
    if (!view) return;
    setText(name, plain(view.pairs.name || view.model.name, 40));
    setProps(name, { title: `${view.model.name}: ${view.model.facts}` });
    setText(step, history.n > 0 ? `${history.index}/${history.n}` : "");
    drawChecks(checks, view, store);
  };
  store.on(["view", "result", "status"], draw, signal);
  draw();
  return div(
    "mw-part mw-bar1",
    name,
    pairStepper(store, signal),
    checks,
    kernel(store, signal),
    span(
      "mw-tools",
      undo,
      step,
      redo,
      ...tools,
      button("?", help, { "aria-label": "Keys", title: "Keys (?)" }),
    ),
  );
}

/** The buttons that step through the history. */
export function undoRedo(store: Store, signal: AbortSignal): [HTMLElement, HTMLElement] {
  const undo = button("↶", () => store.ask("undo"), { "aria-label": "Undo", title: "Undo (U)" });
  const redo = button("↷", () => store.ask("redo"), {
    "aria-label": "Redo",
    title: "Redo (Shift+U)",
  });
  const draw = () => {
    undo.disabled = !store.history.undo || !store.live;
    redo.disabled = !store.history.redo || !store.live;
  };
  store.on(["result", "status"], draw, signal);
  draw();
  return [undo, redo];
}

function drawChecks(el: HTMLElement, view: View, store: Store): void {
  const checks = store.result?.checks.length ? store.result.checks : view.checks;
  const failed = checks.filter((check) => check.ok === false);
  const passed = checks.filter((check) => check.ok === true);
  setProps(el, {
    "data-ok": String(failed.length === 0),
    hidden: checks.length === 0,
    text:
      failed.length > 0
        ? `✗ ${failed.length} of ${count(checks.length, "check")} failed`
        : `✓ ${count(passed.length, "check")}`,
    title: checks.map(({ name, words }) => `${name}: ${words}`).join("\n"),
  });
}

function pairStepper(store: Store, signal: AbortSignal): HTMLElement {
  const el = h("span", { class: "mw-pairs", role: "group", "aria-label": "Pair" });
  const where = span("mw-where");
  // The pair whose prompts are shown.
  let last = 0;
  const go = (by: number) => {
    const n = store.view?.pairs.n ?? 1;
    store.ask("pair", { index: (last + by + n) % n });
  };
  const back = button("‹", () => go(-1), {
    class: "mw-button mw-tight",
    "aria-label": "Previous pair",
  });
  const next = button("›", () => go(1), { class: "mw-button mw-tight", "aria-label": "Next pair" });
  const one = button("This pair", () => store.ask("pair", { index: last }), {
    class: "mw-segment",
  });
  const mean = button("Mean", () => store.ask("pair", { index: null }), { class: "mw-segment" });
  const segments = span("mw-segments", one, mean);
  el.append(back, where, next, segments);
  const draw = () => {
    const pairs = store.view?.pairs;
    if (!pairs) return;
    // The mean shows the first pair's prompts.
    last = pairs.index ?? 0;
    const many = pairs.n > 1;
    for (const child of [back, next, segments]) child.hidden = !many;
    setText(where, many ? `${last + 1}/${pairs.n}` : "1 pair");
    setText(mean, `Mean of ${pairs.n}`);
    setProps(one, { "aria-pressed": String(pairs.index !== null) });
    setProps(mean, { "aria-pressed": String(pairs.index === null) });
    for (const control of [back, next, one, mean]) control.disabled = !store.live;
  };
  store.on(["view", "status"], draw, signal);
  draw();
  return el;
}

/** What the kernel, or a server, is doing, only where it keeps people waiting. */
export function kernel(store: Asking, signal: AbortSignal): HTMLElement {
  const el = h("span", { class: "mw-kernel", role: "status" });
  const draw = () => {
    setText(
      el,
      !store.live
        ? "disconnected, still readable"
        : plain(store.said, 80) || (store.busy ? "kernel busy, queued" : ""),
    );
  };
  store.on(["status"], draw, signal);
  draw();
  return el;
}
