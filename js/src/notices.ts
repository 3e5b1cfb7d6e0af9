// What went wrong, how far a sweep is, and what is said aloud.
import { button, div, h, setProps, setText, span } from "./dom.ts";
import type { Asking } from "./line.ts";
import { seconds } from "./numbers.ts";
import { sentence } from "./sentences.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";

/** An error in the words of the kernel: what, what was expected, the fix. Nothing has changed. */
export function errorLine(store: Asking, signal: AbortSignal): HTMLElement {
  const el = h("div", { class: "mw-part mw-error", role: "alert" });
  const draw = () => {
    const { error } = store;
    el.hidden = !error;
    if (!error) return;
    const detail = (name: string, text: string) =>
      text && h("div", {}, h("b", { text: `${name} ` }), plain(text, 400));
    el.replaceChildren(
      div(
        "mw-errortext",
        h("div", { text: plain(error.message, 400) }),
        detail("Got:", error.value),
        detail("Expected:", error.expected),
        detail("Fix:", error.fix),
      ),
      button("×", () => store.dismissError(), { "aria-label": "Dismiss the error" }),
    );
  };
  store.on(["status"], draw, signal);
  draw();
  return el;
}

/** A key to the cells' states; while a sweep runs, its progress and the way to stop it. */
export function progressLine(store: Store, signal: AbortSignal): HTMLElement {
  const bar = h("progress", { class: "mw-progress", "aria-label": "Sweep" });
  const words = span("mw-hint");
  const cancel = button("Cancel", () => store.ask("cancel"));
  const running = div("mw-running", bar, words, cancel);
  const key = stateKey();
  const note = h("span", { class: "mw-hint", role: "status" });
  const draw = () => {
    const { progress } = store;
    running.hidden = !store.sweeping;
    key.hidden = store.sweeping;
    setText(
      note,
      progress?.state === "cancelled"
        ? `Cancelled after ${progress.done} of ${progress.total}.`
        : progress?.state === "failed"
          ? "The sweep failed."
          : "",
    );
    if (!progress) return;
    setProps(bar, { max: Math.max(1, progress.total), value: progress.done });
    const left = progress.secondsLeft === null ? "" : `, ${seconds(progress.secondsLeft)} left`;
    const said = store.said && `, ${plain(store.said, 80)}`;
    setText(words, `${progress.done} of ${progress.total} runs${left}${said}`);
  };
  store.on(["status"], draw, signal);
  draw();
  return div("mw-progressline", running, key, note);
}

function stateKey(): HTMLElement {
  const item = (state: string, text: string) =>
    span("mw-keyitem", h("i", { class: "mw-swatch", "data-state": state }), text);
  return span(
    "mw-key",
    item("none", "not run"),
    item("estimate", "estimate"),
    item("zero", "zero by construction"),
    item("failed", "failed check"),
  );
}

/** Says committed results, and only those. */
export function announcer(store: Store, signal: AbortSignal): HTMLElement {
  const el = h("div", { class: "mw-hidden", "aria-live": "polite" });
  store.on(
    ["result"],
    () => {
      const { view, direction, resultReading: reading } = store;
      const said = view && reading && sentence(view, direction, reading);
      // What is said of a result that is gone can still be read here.
      setText(el, said ? `${plain(reading.label, 160)}. ${said}` : "");
    },
    signal,
  );
  return el;
}
