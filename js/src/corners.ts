// The four corners as a table, the next tokens before and after, and the checks in words.
import { div, h, on, setProps, setText, span } from "./dom.ts";
import { estimands } from "./estimands.ts";
import { probability, raw } from "./numbers.ts";
import type { CheckInfo, Result, TopToken, View } from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { shown } from "./scale.ts";
import type { Store } from "./store.ts";
import { plain, token } from "./text.ts";

export function corners(store: Store, signal: AbortSignal): HTMLElement {
  const table = div("mw-cornertable");
  const own = effectRow();
  const next = div("mw-next");
  const checks = div("mw-checks");
  const drawTable = () => {
    const { view, reading } = store;
    if (!view) return;
    table.replaceChildren(...cornerTable(view, reading));
    own.show(reading && shown(reading.status) && reading.edit.corners ? reading.corners : null);
  };
  const drawRest = () => {
    const { view, result } = store;
    if (!view) return;
    next.replaceChildren(...nextTokens(view, result));
    checks.replaceChildren(...checkList(result?.checks.length ? result.checks : view.checks));
  };
  store.on(["view", "result", "hover", "scale"], drawTable, signal);
  store.on(["view", "result"], drawRest, signal);
  drawTable();
  drawRest();
  const body = div("mw-detail", div("mw-corners", table, own.el), next, checks);
  const summary = h("summary", { text: "Corners, next tokens, checks" });
  return h("details", { class: "mw-fold", open: true, "aria-label": "Details" }, summary, body);
}

function heading(text: string): HTMLElement {
  return h("div", { class: "mw-title", text });
}

// --- corners ---------------------------------------------------------------------------------------

function cornerTable(view: View, reading: Reading | null): HTMLElement[] {
  const label = reading ? plain(reading.label, 60) : "the mediator";
  const ok = reading !== null && shown(reading.status);
  const c = ok ? reading.corners : { ...view.base, y01: Number.NaN, y10: Number.NaN };
  const edit = reading?.edit ?? view.edit;
  const patch = edit.corners;
  const cell = (value: number, name: string) =>
    h("td", {}, span("mw-y", name), h("span", { text: raw(value) }));
  const head = (text: string) => h("th", { scope: "col", text });
  const side = (text: string) => h("th", { scope: "row", text });
  const rows = patch
    ? [
        h("tr", {}, h("th", { scope: "col", text: "input" }), head("clean"), head("corrupt")),
        h("tr", {}, side("clean"), cell(c.y11, "Y11"), cell(c.y10, "Y10")),
        h("tr", {}, side("corrupt"), cell(c.y01, "Y01"), cell(c.y00, "Y00")),
      ]
    : [
        h(
          "tr",
          {},
          h("th", { scope: "col", text: "input" }),
          head("as it is"),
          head(`set ${edit.goal}`),
        ),
        h("tr", {}, side("clean"), cell(c.y11, ""), cell(c.y10, "")),
        h("tr", {}, side("corrupt"), cell(c.y00, ""), cell(c.y01, "")),
      ];
  const over = h(
    "tr",
    {},
    h("td", {}),
    h(
      "th",
      { colspan: 2, scope: "colgroup", class: "mw-over" },
      "value of ",
      h("bdi", { text: label }),
    ),
  );
  const table = h("table", { class: "mw-table" }, h("thead", {}, over), h("tbody", {}, ...rows));
  const mean = view.pairs.index === null ? `, mean of ${view.pairs.n}` : "";
  return [heading((patch ? "Corners" : "Runs") + mean), table];
}

const MEANS = {
  TE: "Total effect: all goes from corrupt to clean, Y11 − Y00.",
  PIE: "Pure indirect effect: the mediator alone goes to clean, Y01 − Y00.",
  TIE: "Total indirect effect: what is lost when the mediator alone goes to corrupt, Y11 − Y10.",
  INT: "Interaction: what the mediator does more when the rest is clean, TIE − PIE.",
  PDE: "Pure direct effect: the input goes to clean, the mediator is held at corrupt, Y10 − Y00.",
  TDE: "Total direct effect: the input goes to clean, the mediator is held at clean, Y11 − Y01.",
};
type Name = keyof typeof MEANS;
const NAMES = Object.keys(MEANS) as Name[];
const DIRECT = "PDE, TDE: what the input does past the mediator, held at corrupt or at clean.";

/** The six quantities; what the one that is pointed at means stands beneath. One tab stop. */
function effectRow() {
  const line = h("p", { class: "mw-hint mw-effectword", text: DIRECT });
  const told = (name?: Name) => setText(line, name ? MEANS[name] : DIRECT);
  const items = NAMES.map((name, i) => {
    // The title is its description for those who hear the page.
    const given = { role: "note", title: MEANS[name], tabindex: i ? -1 : 0 };
    const item = h("span", given, h("i", { text: name }), h("span"));
    for (const event of ["focus", "pointerenter"] as const) on(item, event, () => told(name));
    for (const event of ["blur", "pointerleave"] as const) on(item, event, () => told());
    return item;
  });
  const row = h(
    "div",
    { class: "mw-effects", role: "group", "aria-label": "Quantities" },
    ...items,
  );
  on(row, "keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 3, ArrowLeft: -1, ArrowUp: -3 }[event.key] ?? 0;
    const at = items.indexOf(event.target as HTMLElement);
    const to = items[at + by];
    if (!by || !to) return;
    event.preventDefault();
    for (const item of items) setProps(item, { tabindex: item === to ? 0 : -1 });
    to.focus();
  });
  const el = div("", row, line);
  const show = (corners: Reading["corners"] | null) => {
    el.hidden = !corners;
    if (!corners) return;
    const found = estimands(corners);
    NAMES.forEach((name, i) => {
      const value = raw(found[name]);
      setProps(items[i] as HTMLElement, { "aria-label": `${name} ${value}` });
      setText(items[i]?.lastChild as HTMLElement, value);
    });
  };
  return { el, show };
}

// --- next tokens -------------------------------------------------------------------------------------

function nextTokens(view: View, result: Result | null): HTMLElement[] {
  const { corners: patch, goal } = result?.edit ?? view.edit;
  const { cleanTop, corruptTop } = view.prompts;
  const after = result?.top;
  const { n, index } = view.pairs;
  const whose = index === null ? " of pair 1 alone" : n > 1 ? ` of pair ${index + 1} of ${n}` : "";
  const apart = `Those of the pair whose prompts stand above; all other numbers are the mean of ${n}.`;
  return [
    heading(`Next token${whose}${result ? `: ${plain(result.label, 60)}` : ""}`),
    ...(index === null ? [h("p", { class: "mw-hint mw-whose", text: apart })] : []),
    div(
      "mw-nexts",
      change(
        patch ? "restored" : `set ${goal}`,
        "corrupt",
        after?.corrupt ?? corruptTop,
        after?.restored,
      ),
      change(patch ? "broken" : `set ${goal}`, "clean", after?.clean ?? cleanTop, after?.broken),
    ),
  ];
}

function change(name: string, base: string, before: TopToken[], after?: TopToken[]): HTMLElement {
  const shownTokens = after?.length ? after : before.slice(0, 3);
  const was = new Map(before.map((t) => [t.token, t.p]));
  const list = h("ul", { class: "mw-tops" });
  for (const { token: text, p } of shownTokens) {
    const old = after?.length ? was.get(text) : undefined;
    const bar = h("span", { class: "mw-prob", "aria-hidden": "true" });
    bar.style.setProperty("--p", `${(100 * p).toFixed(1)}%`);
    if (old !== undefined) bar.style.setProperty("--was", `${(100 * old).toFixed(1)}%`);
    const value = old === undefined ? probability(p) : `${probability(old)} → ${probability(p)}`;
    list.append(h("li", {}, token(text), bar, span("mw-p", value)));
  }
  const title = after?.length ? `${base} → ${name}` : base;
  return h("div", {}, div("mw-subtitle", title), list);
}

// --- checks --------------------------------------------------------------------------------------------

const MARK = (ok: boolean | null) => (ok === null ? "–" : ok ? "✓" : "✗");
const SAID = (ok: boolean | null) => (ok === null ? "not applicable" : ok ? "passed" : "failed");

function checkList(checks: CheckInfo[]): HTMLElement[] {
  if (checks.length === 0) return [];
  const list = h("ul", { class: "mw-checklist" });
  for (const { name, ok, words } of checks) {
    const mark = h("span", {
      class: "mw-mark",
      role: "img",
      "aria-label": SAID(ok),
      text: MARK(ok),
    });
    const body = h("span", {}, h("strong", { text: plain(name, 60) }), ` ${plain(words, 300)}`);
    list.append(h("li", { "data-ok": String(ok) }, mark, body));
  }
  const once = span("mw-hint", "Plain passes and full cuts are made once for a kind of edit.");
  return [heading("Checks"), list, once];
}
