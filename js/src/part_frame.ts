// A part of the Explorer as a view of its own: its drawing, the rail that says what a click did, and
// what every view has (theme, errors, announcements).
import type { Drawer } from "./drawers.ts";
import { announcer, errorLine } from "./notices.ts";
import { readers } from "./parts.ts";
import type { Model } from "./protocol.ts";
import { rail } from "./rail.ts";
import { shell } from "./shell.ts";
import { kernel } from "./status_bar.ts";
import { Store } from "./store.ts";

/** An anywidget module that shows one part. Python keeps it open from the start. */
export function partWidget(name: string, drawer: Drawer, withRail = true) {
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
        const parts = [kernel(store, signal), errorLine(store, signal)];
        if (withRail) parts.push(rail(store, signal));
        parts.push(drawer.draw(store, signal), announcer(store, signal));
        shell(name, model, el, signal, ...parts);
        return () => end.abort();
      },
    };
  };
}
