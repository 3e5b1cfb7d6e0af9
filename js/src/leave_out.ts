// Leave one out: pointing at a site of the selection shows the others without it, a real run that
// the kernel keeps out of history. Each is asked for once; without a kernel nothing changes.
import { outcome, Reader } from "./decode.ts";
import { setProps } from "./dom.ts";
import type { Reading } from "./reading.ts";
import type { Store } from "./store.ts";

/** Lets a selection's chips (strip.ts) be left out, one at a time. */
export function leaveOut(store: Store, signal: AbortSignal) {
  let known: (Reading | null | undefined)[] = [];
  store.on(
    ["result", "view"],
    () => {
      known = [];
      store.setAside(null);
    },
    signal,
  );
  return (chip: HTMLElement, index: number) => {
    let here = false;
    const all = known;
    const show = () => {
      const found = all[index];
      if (!here || all !== known) return;
      setProps(chip, { "data-asking": found === undefined ? "true" : null });
      if (found) store.setAside(found);
    };
    const ask = () => {
      if (here || !store.live || store.pending || (store.result?.cells.length ?? 0) < 2) return;
      here = true;
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
    const leave = () => {
      if (!here) return;
      here = false;
      setProps(chip, { "data-asking": null });
      store.setAside(null);
    };
    chip.addEventListener("pointerenter", ask);
    chip.addEventListener("focusin", ask);
    chip.addEventListener("pointerleave", leave);
    chip.addEventListener("focusout", leave);
  };
}

function reading(data: unknown): Reading | null {
  const found = outcome(new Reader(data, "without"));
  return found && { ...found, kind: "result", corners: found, stale: false };
}
