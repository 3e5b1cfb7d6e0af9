// The history's row and the code dialog: what they show, what they ask, what hostile texts become.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { code } from "./code.ts";
import { SUPPRESS } from "./dom.ts";
import { answer, FakeModel, PATCH, payload, ZERO } from "./fake.ts";
import { history, historyKeys } from "./log.ts";
import { readers } from "./parts.ts";
import { Store } from "./store.ts";

let model: FakeModel;
let store: Store;
let el: HTMLElement;
let end: AbortController;

const entry = (index: number, change: Record<string, unknown> = {}) => ({
  index,
  name: "",
  label: `L${index}H0`,
  edit: PATCH,
  status: 1,
  n: 1,
  marks: [[index, 0, 0.5]],
  y11: 10,
  y00: 0,
  y10: 10 - index,
  y01: 2 * index,
  ...change,
});
const START = { index: 0, name: "", label: "" };
const log = (entries: unknown[], cursor: number, total = entries.length) => ({
  revision: 1,
  entries,
  cursor,
  total,
  rows: 4,
});

beforeEach(() => {
  end = new AbortController();
  model = new FakeModel({ view: payload(), entries: log([START, entry(1), entry(2)], 2) });
  store = new Store(model, readers(["entries"]));
  el = history(store, end.signal);
  document.body.append(el);
});
afterEach(() => {
  end.abort();
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

const chips = () => [...el.querySelectorAll<HTMLButtonElement>(".mw-entry")];
const chip = (i: number) => chips()[i] as HTMLButtonElement;
const texts = () => chips().map((one) => one.textContent);
const line = () => el.querySelector(".mw-entryline")?.textContent;
function press(on: Element, key: string, init: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  on.dispatchEvent(event);
  return event;
}

test("a chip an entry: picture, label, value in the present direction and unit", () => {
  expect(texts()).toEqual(["nothing", "L1H0+20%", "L2H0+40%"]);
  expect(chip(2).getAttribute("aria-current")).toBe("true");
  expect(el.querySelectorAll("[aria-current]")).toHaveLength(1);
  expect(chip(1).querySelectorAll("rect")).toHaveLength(1);
  expect(chip(1).querySelector("rect")?.getAttribute("y")).toBe("4.5");
  store.setDirection("break");
  expect(texts()).toEqual(["nothing", "L1H0+10%", "L2H0+20%"]);
  store.setUnit("raw");
  expect(texts()[2]).toBe("L2H0+2.0");
  for (const focusable of el.querySelectorAll("button"))
    expect(focusable.getAttribute(SUPPRESS)).toBe("true");
});

test("nothing is drawn before there is a history", () => {
  model.push("entries", log([START], 0));
  expect(el.hidden).toBe(true);
  model.push("entries", log([START, entry(1)], 1));
  expect(el.hidden).toBe(false);
});

test("a click walks there; keys walk one by one", () => {
  chip(1).click();
  expect(model.last).toMatchObject({ action: "walk", index: 1 });
  const keys = historyKeys(store);
  keys["["]?.(new KeyboardEvent("keydown"));
  expect(model.last).toMatchObject({ action: "undo" });
  keys["]"]?.(new KeyboardEvent("keydown"));
  expect(model.last).toMatchObject({ action: "redo" });
});

test("one tab stop, arrows move, Enter walks", () => {
  expect(el.querySelectorAll(".mw-entry[tabindex='0']")).toHaveLength(1);
  chip(0).focus();
  chip(0).click();
  press(chip(0), "ArrowRight");
  expect(document.activeElement).toBe(chip(1));
  press(chip(1), "End");
  expect(document.activeElement).toBe(chip(2));
  press(chip(2), "Home");
  expect(press(chip(0), "Enter").defaultPrevented).toBe(true);
  expect(model.last).toMatchObject({ action: "walk", index: 0 });
  expect(el.querySelectorAll(".mw-entry[tabindex='0']")).toHaveLength(1);
  expect(press(chip(0), "d").defaultPrevented).toBe(false);
});

test("a second entry is compared in one line, and refused in words", () => {
  const shift = (i: number) =>
    chip(i).dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
  shift(1);
  expect(line()).toBe("L2H0 +40.0% − L1H0 +20.0% = +20.0%");
  expect(model.sent).toEqual([]);
  store.setDirection("break");
  expect(line()).toBe("L2H0 +20.0% − L1H0 +10.0% = +10.0%");
  shift(1);
  expect(line()).toBe("");
  shift(0);
  expect(line()).toContain("nothing to compare");
  model.push("entries", log([START, entry(1, { edit: ZERO }), entry(2)], 2));
  shift(1);
  expect(line()).toContain("no effect in common");
  model.push("entries", log([START, entry(1, { y01: null, y10: null, status: 4 }), entry(2)], 2));
  shift(1);
  expect(line()).toContain("has no number");
});

test("a name is written in place, taken away, or left", () => {
  press(chip(2), "F2");
  const field = () => el.querySelector<HTMLInputElement>("input");
  const input = field() as HTMLInputElement;
  expect(document.activeElement).toBe(input);
  input.value = " the mover ";
  press(input, "Enter");
  expect(model.last).toMatchObject({ action: "name", index: 2, name: "the mover" });
  expect(field()).toBeNull();
  model.push("entries", log([START, entry(1), entry(2, { name: "the mover" })], 2));
  expect(texts()[2]).toBe("the mover+40%");
  el.querySelector<HTMLButtonElement>(".mw-entryrow > .mw-button")?.click();
  const again = field() as HTMLInputElement;
  expect(again.value).toBe("the mover");
  again.value = "";
  press(again, "Enter");
  expect(model.last).toMatchObject({ name: null });
  const before = model.sent.length;
  press(chip(2), "F2");
  const third = field() as HTMLInputElement;
  third.value = "x";
  expect(press(third, "Escape").defaultPrevented).toBe(false);
  expect(model.sent).toHaveLength(before);
});

test("an entry is not compared with itself, nor with what took its place", () => {
  const shift = (i: number) =>
    chip(i).dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
  shift(1);
  model.push("entries", log([START, entry(1), entry(2)], 1));
  expect(line()).toBe("");
  model.push("entries", log([START, entry(1), entry(2)], 0));
  shift(2);
  model.push("entries", log([START, entry(1), entry(2, { name: "mover" })], 1));
  expect(line()).toContain("mover +40.0%");
  model.push("entries", log([START, entry(1), entry(2, { label: "L3H1" })], 1));
  expect(line()).toBe("");
  shift(2);
  model.push("entries", log([START, entry(1), entry(2, { label: "L3H1", edit: ZERO })], 1));
  expect(line()).toBe("");
});

test("the field of a name stays while the history goes on, and leaves the focus to who took it", () => {
  const other = document.body.appendChild(document.createElement("input"));
  press(chip(2), "F2");
  const field = el.querySelector("input") as HTMLInputElement;
  field.value = "mover";
  store.setUnit("raw");
  model.message({ kind: "reply", id: 99, ok: true });
  model.push("entries", log([START, entry(1), entry(2), entry(3)], 3));
  const places = [...(el.querySelector(".mw-entries")?.children ?? [])];
  expect(places.map((place) => place.tagName)).toEqual(["BUTTON", "BUTTON", "INPUT", "BUTTON"]);
  expect(document.activeElement).toBe(field);
  press(field, "Enter", { isComposing: true });
  expect(field.isConnected).toBe(true);
  other.focus();
  expect(document.activeElement).toBe(other);
  expect(model.last).toMatchObject({ action: "name", index: 2, name: "mover" });
  expect(texts()).toHaveLength(4);
  press(chip(3), "F2");
  press(el.querySelector("input") as HTMLInputElement, "Escape");
  expect(document.activeElement).toBe(chip(3));
  press(chip(3), "F2");
  model.push("entries", log([START, entry(1)], 1));
  expect(el.querySelector("input")).toBeNull();
});

test("chips that stay are not made anew, and a long history says what is left out", () => {
  const kept = chip(1);
  const drawn = chip(1).querySelector("svg");
  model.push("entries", log([START, entry(1), entry(2), entry(3)], 3, 500));
  expect(chip(1)).toBe(kept);
  expect(chip(1).querySelector("svg")).toBe(drawn);
  expect(el.textContent).toContain("4 of 500");
  model.push("entries", log([entry(3), entry(4)], 4));
  expect(texts().map((text) => text?.slice(0, 4))).toEqual(["L3H0", "L4H0"]);
});

const HOSTILE = [
  "<img src=x onerror=alert(1)>",
  "\u202Eevil",
  "\ud800",
  "x".repeat(10_000),
  "a\nb",
];
test.each(HOSTILE)("hostile text %# stays text", (text) => {
  model.push("entries", log([START, entry(1, { name: text }), entry(2, { label: text })], 2));
  expect(el.querySelectorAll("img, script")).toHaveLength(0);
  for (const one of chips()) {
    expect((one.textContent ?? "").length).toBeLessThan(400);
    expect(one.outerHTML).not.toMatch(/[\u202e\ud800]/);
  }
});

test("what does not fit is refused, and what was drawn stays", () => {
  for (const bad of [{ marks: "x" }, { index: -1 }, { edit: { kind: 1 } }, { marks: [[1]] }]) {
    const before = texts();
    model.push("entries", log([START, entry(1, bad)], 1));
    expect(store.error?.message).toContain("cannot read");
    expect(texts()).toEqual(before);
  }
});

// --- code -------------------------------------------------------------------------------------------

test("the code is shown as text and copied", async () => {
  const written: string[] = [];
  const clipboard = { writeText: async (text: string) => void written.push(text) };
  vi.stubGlobal("navigator", { clipboard });
  const { el: tool, keys } = code(store);
  document.body.append(tool);
  const dialog = tool.querySelector("dialog") as HTMLDialogElement;
  dialog.showModal = vi.fn();
  tool.querySelector("button")?.click();
  expect(model.last).toMatchObject({ action: "code" });
  const text = 'import torch\nname = "<b>x</b>"\n';
  model.message({ kind: "reply", id: model.last.id, ok: true, data: { code: text } });
  expect(dialog.showModal).toHaveBeenCalledOnce();
  expect(tool.querySelector("pre")?.textContent).toBe(text);
  expect(tool.querySelector("b")).toBeNull();
  const copy = [...dialog.querySelectorAll("button")].find((one) => one.textContent === "Copy");
  copy?.click();
  await vi.waitFor(() => expect(dialog.textContent).toContain("Copied."));
  expect(written).toEqual([text]);
  keys.c?.(new KeyboardEvent("keydown"));
  expect(model.last).toMatchObject({ action: "code" });
});

test("without a clipboard the text is selected; an error opens nothing", async () => {
  vi.stubGlobal("navigator", {});
  const { el: tool } = code(store);
  document.body.append(tool);
  const dialog = tool.querySelector("dialog") as HTMLDialogElement;
  dialog.showModal = vi.fn();
  const open = tool.querySelector("button") as HTMLButtonElement;
  open.click();
  const error = { message: "No code.", value: "", expected: "", fix: "" };
  model.message({ kind: "reply", id: model.last.id, ok: false, error });
  expect(dialog.showModal).not.toHaveBeenCalled();
  expect(store.error?.message).toBe("No code.");
  open.click();
  model.message({ kind: "reply", id: model.last.id, ok: true, data: { code: "import torch" } });
  const copy = [...dialog.querySelectorAll("button")].find((one) => one.textContent === "Copy");
  copy?.click();
  await vi.waitFor(() => expect(dialog.textContent).toContain("press Ctrl+C"));
  expect(getSelection()?.toString()).toBe("import torch");
});

test("code that comes when its view is gone, or the focus elsewhere, opens nothing", () => {
  const { el: tool } = code(store);
  const other = document.createElement("input");
  document.body.append(tool, other);
  const dialog = tool.querySelector("dialog") as HTMLDialogElement;
  dialog.showModal = vi.fn();
  const ask = () => tool.querySelector("button")?.click();
  const reply = () =>
    model.message({ kind: "reply", id: model.last.id, ok: true, data: { code: "x" } });
  ask();
  other.focus();
  reply();
  ask();
  tool.remove();
  reply();
  expect(dialog.showModal).not.toHaveBeenCalled();
  document.body.append(tool);
  ask();
  reply();
  expect(dialog.showModal).toHaveBeenCalledOnce();
});

test("a chip names its edit where a click would set something else now", () => {
  const half = { ...PATCH, kind: "source", goal: "0.5 of the way to its value" };
  const other = entry(1, { edit: half, word: "half patch" });
  model.push("entries", log([START, other, entry(2, { edit: ZERO, word: "zero" })], 2));
  expect(texts()).toEqual(["nothing", "L1H0half patch+20%", "L2H0zero−40%"]);
  expect(chip(2).getAttribute("aria-label")).toBe("Entry 2: L2H0 zero −40%");
  expect(chips().map(({ dataset }) => dataset.edit)).toEqual([undefined, "half patch", "zero"]);
  model.push("view", payload({ edit: ZERO }));
  expect(texts()).toEqual(["nothing", "L1H0half patch+20%", "L2H0−40%"]);
  expect(chip(2).dataset.edit).toBeUndefined();
  model.push("view", payload({ edit: half }));
  chip(2).dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
  expect(texts()[1]).toBe("L1H0+20%");
});

test("a result alone changes no chip", () => {
  const before = texts();
  model.push("result", answer([1]));
  expect(texts()).toEqual(before);
});

test("a name is not given to the entry that took the place of the one it was written for", () => {
  press(chip(2), "F2");
  const field = el.querySelector("input") as HTMLInputElement;
  field.value = "mover";
  model.push("entries", log([START, entry(1), entry(2, { label: "L3H1" })], 2));
  const before = model.sent.length;
  press(field, "Enter");
  expect(model.sent).toHaveLength(before);
  expect(el.querySelector("input")).toBeNull();
  expect(texts()[2]).toContain("L3H1");
});
