// Basket: the selection by itself, with what its sites do together, one by one, and without each.
import "./styles.css";
import { leaveOut } from "./leave_out.ts";
import { loneBar, loneKeys } from "./lone.ts";
import { announcer, errorLine } from "./notices.ts";
import type { Model } from "./protocol.ts";
import { rail } from "./rail.ts";
import { shell } from "./shell.ts";
import { Store } from "./store.ts";
import { strip } from "./strip.ts";
import { typedField } from "./typed.ts";

function draw(store: Store, el: HTMLElement, signal: AbortSignal): void {
  const field = typedField(store);
  const root = shell(
    "Basket",
    store.model,
    el,
    signal,
    errorLine(store, signal),
    rail(store, signal),
    loneBar(store, signal),
    strip(store, signal, leaveOut(store, signal), field.el),
    announcer(store, signal),
  );
  loneKeys(root, store, { "/": field.focus });
}

export default () => {
  let store: Store | null = null;
  return {
    initialize({ model }: { model: Model }) {
      store = new Store(model);
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      const end = new AbortController();
      store ??= new Store(model);
      draw(store, el, end.signal);
      return () => end.abort();
    },
  };
};
