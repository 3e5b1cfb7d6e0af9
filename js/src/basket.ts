// Basket: the selection by itself, with what its sites do together, one by one, and without each.
import "./styles.css";
import { div, span } from "./dom.ts";
import { viewKey } from "./keys.ts";
import { leaveOut } from "./leave_out.ts";
import { announcer, errorLine } from "./notices.ts";
import type { Model } from "./protocol.ts";
import { rail } from "./rail.ts";
import { shell } from "./shell.ts";
import { kernel, undoRedo } from "./status_bar.ts";
import { Store } from "./store.ts";
import { strip } from "./strip.ts";
import { directions, unitChoice } from "./toolbar.ts";
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
    div(
      "mw-part mw-toolbar",
      directions(store, signal),
      unitChoice(store, signal),
      kernel(store, signal),
      span("mw-tools", ...undoRedo(store, signal)),
    ),
    strip(store, signal, leaveOut(store, signal), field.el),
    announcer(store, signal),
  );
  root.addEventListener("keydown", (event) => {
    const nothing = () => false;
    const none = { focusCell: nothing, draws: nothing, back: nothing, help: nothing };
    const targets = { ...none, helpOpen: nothing, more: { "/": field.focus } };
    if (!viewKey(event, store, targets)) return;
    event.preventDefault();
    event.stopPropagation();
  });
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
