// A part of the Explorer as a view of its own: its drawing, and what every view has (theme, errors,
// announcements).
import type { Drawer } from "./drawers.ts";
import { loneBar, loneKeys } from "./lone.ts";
import { announcer, errorLine } from "./notices.ts";
import { readers } from "./parts.ts";
import type { Model } from "./protocol.ts";
import { rail } from "./rail.ts";
import { shell } from "./shell.ts";
import { Store } from "./store.ts";

/** What stands above a part, and what keys do anywhere in it. */
export interface Around {
  above: (store: Store, signal: AbortSignal) => HTMLElement[];
  keys?: (root: HTMLElement, store: Store) => void;
}

/** The rail that says what a click did, and how its number is read. */
export const READING: Around = {
  above: (store, signal) => [errorLine(store, signal), rail(store, signal), loneBar(store, signal)],
  keys: loneKeys,
};

/** An anywidget module that shows one part. Python keeps it open from the start. */
export function partWidget(name: string, drawer: Drawer, around: Around) {
  return () => {
    let store: Store | null = null;
    return {
      initialize({ model }: { model: Model }) {
        store = new Store(model, readers([drawer.part]));
      },
      render({ model, el }: { model: Model; el: HTMLElement }) {
        store ??= new Store(model, readers([drawer.part]));
        const end = new AbortController();
        const { signal } = end;
        const parts = [...around.above(store, signal), drawer.draw(store, signal)];
        const root = shell(name, model, el, signal, ...parts, announcer(store, signal));
        around.keys?.(root, store);
        return () => end.abort();
      },
    };
  };
}
