// The four corners as a table, the next tokens before and after, and the checks in words.
import { div, h, span } from "./dom.ts";
import { estimands } from "./estimands.ts";
import { probability, raw } from "./numbers.ts";
import type { CheckInfo, Result, TopToken, View } from "./protocol.ts";
import type { Reading } from "./reading.ts";
import { shown } from "./scale.ts";
import type { Store } from "./store.ts";
import { plain, token } from "./text.ts";

export function corners(store: Store, signal: AbortSignal): HTMLElement {
  const table = div("mw-corners");
  const next = div("mw-next");
  const checks = div("mw-checks");
  const drawTable = () => {
    if (store.view) table.replaceChildren(...cornerTable(store.view, store.reading));
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
  const body = div("mw-detail", table, next, checks);
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
  return [
    heading((patch ? "Corners" : "Runs") + mean),
    table,
    ...(patch && ok ? [effects(c)] : []),
  ];
}

function effects(c: Parameters<typeof estimands>[0]): HTMLElement {
  const e = estimands(c);
  const pairs = (["TE", "PIE", "TIE", "INT", "PDE", "TDE"] as const).map((key) =>
    h("span", {}, h("i", { text: key }), h("span", { text: raw(e[key]) })),
  );
  return div("mw-effects", ...pairs);
}

// --- next tokens -------------------------------------------------------------------------------------

function nextTokens(view: View, result: Result | null): HTMLElement[] {
  const { corners: patch, goal } = result?.edit ?? view.edit;
  const { cleanTop, corruptTop } = view.prompts;
  const after = result?.top;
  const title =
    view.pairs.n > 1
      ? `Next token, pair ${(view.pairs.index ?? 0) + 1} of ${view.pairs.n}`
      : "Next token";
  return [
    heading(title),
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

export const MARK = (ok: boolean | null) => (ok === null ? "–" : ok ? "✓" : "✗");
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
