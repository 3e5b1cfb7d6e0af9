// Leave one out: pointing at a site of the selection shows the others without it, a real run that
// the kernel keeps out of history. Each is asked for once; without a kernel nothing changes.
import { outcome, Reader } from "./decode.ts";
import { setProps } from "./dom.ts";
import type { Reading } from "./reading.ts";
import type { Store } from "./store.ts";

/** Lets a selection's chips (strip.ts) be left out, one at a time. */
export function leaveOut(store: Store, signal: AbortSignal) {
  let known: (Reading | null | undefined)[] = [];
  /** The chip that is left out now. */
  let out: HTMLElement | null = null;
  const leave = () => {
    if (!out) return;
    setProps(out, { "data-asking": null });
    out = null;
    store.setAside(null);
  };
  const forget = () => {
    known = [];
  };
  store.on(["result", "view"], forget, signal);
  // The strip makes its chips anew, and nothing says that the pointer left the old one.
  store.on(["result", "view", "scale", "pending"], leave, signal);
  signal.addEventListener("abort", leave);
  return (chip: HTMLElement, index: number) => {
    const all = known;
    const show = () => {
      const found = all[index];
      if (out !== chip || all !== known) return;
      setProps(chip, { "data-asking": found === undefined ? "true" : null });
      if (found) store.setAside(found);
    };
    const ask = () => {
      if (out === chip || !store.live || store.pending || (store.result?.cells.length ?? 0) < 2)
        return;
      leave();
      out = chip;
      if (!(index in all)) {
        all[index] = undefined;
        const cell = store.result?.cells[index];
        store.ask("without", { index, label: cell && store.labelOf(cell) }, (data) => {
          all[index] = data ? reading(data) : null;
          show();
        });
      }
      show();
    };
    const away = () => {
      if (out === chip) leave();
    };
    chip.addEventListener("pointerenter", ask);
    // From nowhere the focus comes back to a chip that was made anew: nobody has pointed at it.
    chip.addEventListener("focusin", ({ relatedTarget }) => relatedTarget && ask());
    chip.addEventListener("pointerleave", away);
    chip.addEventListener("focusout", away);
  };
}

function reading(data: unknown): Reading | null {
  const found = outcome(new Reader(data, "without"));
  return found && { ...found, kind: "result", corners: found, stale: false };
}
