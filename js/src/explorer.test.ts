// The Explorer as one page: what its toolbar, keys, corners, blink and touch say of one reading.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import explorer from "./explorer.ts";
import { answer, FakeModel, PATCH, payload, unaligned, ZERO } from "./fake.ts";

const KNOCKOUT = { kind: "source", corners: false, goal: "to no attention", part: "" };
let model: FakeModel;
let el: HTMLElement;
let end: () => void;

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  vi.stubGlobal("matchMedia", () => ({ addEventListener() {}, removeEventListener() {} }));
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ width: 768 } as DOMRect);
});
afterEach(() => {
  end();
  el.remove();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function draw(view = payload()): void {
  model = new FakeModel({ view });
  el = document.createElement("div");
  document.body.append(el);
  const widget = explorer();
  widget.initialize({ model });
  end = widget.render({ model, el });
}

const find = (selector: string) => el.querySelector<HTMLElement>(selector) as HTMLElement;
const texts = (selector: string) =>
  [...el.querySelectorAll(selector)].map((one) => one.textContent ?? "");
const cells = () => [...el.querySelectorAll<HTMLElement>("[role=gridcell]")];
const at = (i: number) => cells()[i] as HTMLElement;
const ringed = () => cells().flatMap((one, i) => (one.ariaSelected === "true" ? [i] : []));
const indices = () => (model.last.cells as { index: number }[]).map(({ index }) => index);
const press = (key: string) =>
  at(0).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

// --- one reading, one quantity ------------------------------------------------------------------

test("the toolbar says which quantity a result has that is none of its own", () => {
  draw();
  const shown = () => find(".mw-shownas").textContent;
  model.push("result", answer([1]));
  expect(shown()).toBe("");
  model.push("result", answer([1], { edit: KNOCKOUT }));
  expect(shown()).toBe(
    "Shown: On corrupt, − against, + for clean; Y(corrupt) − Y(corrupt, mediator set)",
  );
  // The legend is that of the cells.
  expect(texts(".mw-legendword span")).toEqual(["away", "toward clean"]);
  expect(find(".mw-of").textContent).toContain("on corrupt");
  press("2");
  expect(shown()).toContain("Shown: On clean, − against, + for clean; Y(clean)");
  press("3");
  expect(shown()).toContain("Shown: Difference, − on corrupt, + on clean; On clean − On corrupt");
  press("1");
  at(2).focus();
  expect(shown()).toBe("");
});

test("in a metric that is lower on clean the signs of a reading are the other way round", () => {
  draw(payload({ edit: ZERO, base: { y11: 0, y00: 10 } }));
  const shown = () => find(".mw-shownas").textContent;
  model.push("result", answer([1], { y11: 0, y00: 10 }));
  expect(shown()).toContain(", − away, + toward clean;");
  const show = find("select[aria-label=Show]") as HTMLSelectElement;
  show.value = "raw";
  show.dispatchEvent(new Event("change"));
  expect(shown()).toContain(", − toward clean, + away;");
});

test("what is said aloud of a result goes with the result", () => {
  draw();
  model.push("result", answer([1]));
  const said = () => find(".mw-hidden[aria-live]").textContent;
  expect(said()).toContain("Patching L0H1");
  model.push("result", { history: answer([1]).history });
  expect(said()).toBe("");
});

test.each([PATCH, ZERO, { ...ZERO, kind: "mean", goal: "to its mean" }, KNOCKOUT])(
  "under $kind the keys 1 2 3 are the buttons from the left, and the list says so",
  (edit) => {
    draw(payload({ edit }));
    const names = texts(".mw-direction > :first-child");
    ["1", "2", "3"].forEach((key, i) => {
      press(key);
      const pressed = el.querySelectorAll(".mw-direction[aria-pressed=true]");
      expect([...pressed]).toEqual([el.querySelectorAll(".mw-direction")[i]]);
    });
    const rows = texts(".mw-keys dd").filter((text) => text.startsWith("the buttons"));
    expect(rows).toHaveLength(1);
    const told = (rows[0] as string).replace(/ \((PIE|TIE|INT)\)/g, "");
    expect(told).toBe(`the buttons from the left: ${names.join(", ")}`);
  },
);

test("the list of keys says what views share, and follows the edit", () => {
  draw();
  expect(find("dialog[aria-label=Keys]").textContent).toContain("each view's own");
  model.push("view", payload({ revision: 2, edit: ZERO }));
  expect(texts(".mw-keys dd").join()).toContain("from the left: On clean, On corrupt, Difference");
});

// --- corners and next tokens ---------------------------------------------------------------------

test("each of the six quantities says what it is; they are one tab stop", () => {
  draw();
  model.push("result", answer([1]));
  const items = [...el.querySelectorAll<HTMLElement>(".mw-effects > span")];
  const line = () => find(".mw-effectword").textContent;
  expect(items.map(({ textContent }) => textContent)).toEqual([
    ...["TE+10.0", "PIE+4.0", "TIE+4.0", "INT0.00", "PDE+6.0", "TDE+6.0"],
  ]);
  expect(el.querySelectorAll(".mw-effects [tabindex='0']")).toHaveLength(1);
  expect(line()).toContain("PDE, TDE");
  items[3]?.focus();
  items[3]?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  expect(document.activeElement).toBe(items[4]);
  expect(line()).toBe(items[4]?.title);
  expect(line()).toContain("Y10 − Y00");
  // Pointing at a cell repaints the numbers; the focus stays.
  model.push("result", answer([1], { y10: 5 }));
  expect(document.activeElement).toBe(items[4]);
  expect(items[4]?.getAttribute("aria-label")).toBe("PDE +5.0");
  model.push("result", answer([1], { edit: ZERO }));
  expect(find(".mw-effects").closest<HTMLElement>("[hidden]")).not.toBeNull();
});

test("next tokens beside a mean say that they are one pair's", () => {
  const title = () => find(".mw-next .mw-title").textContent;
  draw(payload({ pairs: { n: 8, index: null, name: "t" } }));
  expect(title()).toBe("Next token of pair 1 alone");
  expect(find(".mw-whose").textContent).toContain("the mean of 8");
  model.push("view", payload({ pairs: { n: 8, index: 2, name: "t" } }));
  expect(title()).toBe("Next token of pair 3 of 8");
  expect(el.querySelector(".mw-whose")).toBeNull();
  // They stay those of the last intervention while the table beside them follows the pointer.
  model.push("result", answer([1]));
  expect(title()).toBe("Next token of pair 3 of 8: L0H1");
  model.push("view", payload({ pairs: { n: 1, index: 0, name: "t" } }));
  expect(title()).toBe("Next token: L0H1");
});

// --- before ------------------------------------------------------------------------------------

const hold = () => press("b");
const let_go = () => dispatchEvent(new KeyboardEvent("keyup"));

test("B shows selection, cells and number as they were before, and nothing is asked", () => {
  const [head] = payload().panels as Record<string, unknown>[];
  const status = unaligned(new Uint8Array([1, 1, 1, 1, 1, 0]));
  draw(payload({ panels: [{ ...head, status }] }));
  model.push("result", answer([3], { y01: 3 }));
  model.push("result", answer([5], { y01: 9 }));
  const state = () => [
    at(5).dataset.state,
    at(5).textContent,
    ringed(),
    find(".mw-readout").textContent,
  ];
  const present = ["exact", "+90", [5], "+90%"];
  expect(state()).toEqual(present);
  const before = model.sent.length;
  hold();
  expect(state()).toEqual(["none", "", [3], "+30%"]);
  let_go();
  expect(state()).toEqual(present);
  expect(model.sent.length).toBe(before);
});

test("before the first result nothing was set: no cell is ringed", () => {
  draw();
  model.push("result", answer([3]));
  hold();
  expect([ringed(), find(".mw-sentence").textContent]).toEqual([[], "Before: nothing was set."]);
  let_go();
  expect(ringed()).toEqual([3]);
});

test("what comes while B is held stays", () => {
  draw();
  model.push("result", answer([3]));
  model.push("result", answer([4]));
  hold();
  model.push("result", answer([5], { y01: 9 }));
  expect([ringed(), at(5).textContent]).toEqual([[5], "+90"]);
  let_go();
  expect([ringed(), at(5).textContent, at(3).textContent]).toEqual([[5], "+90", "+40"]);
  hold();
  expect([ringed(), at(5).textContent]).toEqual([[4], "+50"]);
  model.push("view", payload({ revision: 2, base: { y11: 20, y00: 0 } }));
  expect(at(4).textContent).toBe("+20");
});

// --- touch -------------------------------------------------------------------------------------

const touch = (name: string, i: number, x = 10) =>
  at(i).dispatchEvent(
    new PointerEvent(name, { bubbles: true, pointerType: "touch", clientX: x, clientY: 0 }),
  );

test("a finger that rests on a cell adds it, once", () => {
  vi.useFakeTimers();
  draw();
  model.push("result", answer([1]));
  touch("pointerdown", 4);
  vi.advanceTimersByTime(499);
  expect(model.sent).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(indices()).toEqual([1, 4]);
  const menu = new MouseEvent("contextmenu", { bubbles: true, cancelable: true });
  at(4).dispatchEvent(menu);
  expect(menu.defaultPrevented).toBe(true);
  touch("pointerup", 4);
  at(4).click();
  expect(model.sent).toHaveLength(1);
  touch("pointerdown", 2);
  touch("pointerup", 2);
  at(2).click();
  expect(indices()).toEqual([2]);
});

test.each(["pointermove", "pointercancel"])("a finger that scrolls (%s) adds nothing", (name) => {
  vi.useFakeTimers();
  draw();
  touch("pointerdown", 4);
  touch(name, 4, 40);
  vi.advanceTimersByTime(1000);
  expect(model.sent).toEqual([]);
});

test("with Add to set pressed every click adds or takes out", () => {
  draw();
  model.push("result", answer([1]));
  const add = [...el.querySelectorAll("button")].find((one) => one.textContent === "Add to set");
  expect(add?.getAttribute("aria-pressed")).toBe("false");
  add?.click();
  expect(add?.getAttribute("aria-pressed")).toBe("true");
  at(4).click();
  expect(indices()).toEqual([1, 4]);
  at(1).click();
  expect(indices()).toEqual([4]);
  add?.click();
  at(3).click();
  expect(indices()).toEqual([3]);
});

// --- readings beside, and other mediators ---------------------------------------------------------

test("a pinned reading goes with its metric, though no number is run anew", () => {
  draw();
  model.push("result", answer([1]));
  const pinned = () => find("[title*='(P)']").getAttribute("aria-pressed");
  press("p");
  expect(pinned()).toBe("true");
  model.push("view", payload());
  expect(pinned()).toBe("true");
  model.push("view", payload({ metric: { unit: "nats", label: "log p(a)" } }));
  expect(pinned()).toBe("false");
});

const KNOWN = ["residual", "attn_out", "mlp_out"];
function tokenPanel(mediator: string, title: string) {
  const [head] = payload().panels as Record<string, unknown>[];
  return payload({ panels: [{ ...head, key: "tokens", mediator, title }] });
}

test("the token panel is headed by the mediator that it shows, whichever that is", () => {
  draw(tokenPanel("mixer_out", "Mixer out"));
  const select = () => find("select[aria-label='Token panel shows']") as HTMLSelectElement;
  const shown = () => select().selectedOptions[0]?.textContent;
  expect([select().value, shown()]).toEqual(["mixer_out", "Mixer out"]);
  model.push("view", tokenPanel("attn_out", "Attention output"));
  expect([select().value, shown()]).toEqual(["attn_out", "attention out"]);
  expect([...select().options].map(({ value }) => value)).toEqual(KNOWN);
  const error = { message: "No.", value: "", expected: "", fix: "" };
  // Refused: the panel is still what it was.
  select().value = "residual";
  select().dispatchEvent(new Event("change"));
  expect(model.last).toMatchObject({ action: "tokens", mediator: "residual" });
  model.message({ kind: "reply", id: model.last.id, ok: false, error });
  expect(select().value).toBe("attn_out");
});
