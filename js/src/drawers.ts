// Parts of the Explorer behind tabs: one is open at a time, and only that one costs the kernel
// anything. The tabs are one tab stop; arrows move between them, Enter opens and closes.
import { button, h, on, setProps, taken } from "./dom.ts";
import type { Store } from "./store.ts";

export interface Drawer {
  /** The part whose trait it draws. */
  part: string;
  title: string;
  draw(store: Store, signal: AbortSignal): HTMLElement;
}

export function drawers(store: Store, signal: AbortSignal, all: readonly Drawer[]): HTMLElement {
  const list = h("div", { class: "mw-tabs", role: "tablist", "aria-label": "Look closer" });
  const body = h("div", { class: "mw-drawer", role: "tabpanel" });
  let open: Drawer | null = null;
  let end = new AbortController();
  const shut = () => {
    end.abort();
    if (open) store.ask("open", { part: open.part, open: false });
  };
  on(signal, "abort", shut);
  const toggle = (drawer: Drawer) => {
    shut();
    end = new AbortController();
    open = open === drawer ? null : drawer;
    if (open) {
      store.ask("open", { part: open.part });
      body.replaceChildren(open.draw(store, end.signal));
    } else body.replaceChildren();
    draw();
  };
  const tabs = all.map((drawer) =>
    button(drawer.title, () => toggle(drawer), { class: "mw-segment mw-tab", role: "tab" }),
  );
  const draw = () => {
    const current = Math.max(0, open ? all.indexOf(open) : 0);
    tabs.forEach((tab, i) => {
      setProps(tab, {
        "aria-selected": String(all[i] === open),
        tabindex: i === current ? 0 : -1,
      });
    });
    body.hidden = open === null;
    if (open) setProps(body, { "aria-label": open.title });
  };
  list.append(h("span", { class: "mw-stripname", text: "Look closer" }), ...tabs);
  on(list, "keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = tabs.indexOf(event.target as HTMLButtonElement);
    if (by === undefined || at < 0) return;
    taken(event);
    const next = (at + by + tabs.length) % tabs.length;
    tabs.forEach((tab, i) => {
      setProps(tab, { tabindex: i === next ? 0 : -1 });
    });
    tabs[next]?.focus();
  });
  draw();
  return h("div", { class: "mw-part mw-closer" }, list, body);
}
