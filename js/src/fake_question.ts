// A question's card on a page of its own, and what people do to it, for tests.
import { afterEach, beforeEach, vi } from "vitest";
import { FakeModel } from "./fake.ts";
import question from "./question.ts";

export let el: HTMLElement;
export let end: () => void = () => {};

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ addEventListener() {}, removeEventListener() {} }));
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  end();
  el.remove();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

export type Fields = Record<string, unknown>;
let seq = 0;

export const GRID = {
  rows: ["L0", "L1"],
  cols: ["H0", "H1"],
  labels: [
    ["L0H0", "L0H1"],
    ["L1H0", "L1H1"],
  ],
  several: 1,
  estimand: "PIE",
};
export const OPTIONS = ["more", "less.", "as much"];

export function card(kind: string, more: Fields = {}): Fields {
  return {
    id: kind,
    kind,
    prompt: ["What is it?"],
    status: "open",
    guess: null,
    points: 1,
    hints: { shown: [], left: 2 },
    options: OPTIONS,
    unit: "%",
    grid: GRID,
    least: 10,
    tried: null,
    truth: null,
    error: "",
    ...more,
  };
}
export function state(shown: Fields | null, more: Fields = {}): Fields {
  seq += 1;
  const steps = [{ id: "a", title: "What is it?", status: "open", right: null }];
  const lesson = { title: "1 One", at: 0, steps, answered: 3, questions: 12, feedback: true };
  return { ...lesson, seq, notice: "", card: shown, ...more };
}
export function render(model: FakeModel): void {
  end = question.render({ model, el });
}
export function open(shown: Fields | null, more: Fields = {}): FakeModel {
  const model = new FakeModel({ state: state(shown, more) });
  render(model);
  return model;
}
export const tell = (model: FakeModel, shown: Fields | null, more: Fields = {}) =>
  model.push("state", state(shown, more));

export const find = <T extends HTMLElement>(css: string) => el.querySelector<T>(css) as T;
export const all = (css: string) => [...el.querySelectorAll<HTMLElement>(css)];
export const named = (words: string) =>
  all("button").find((one) => one.textContent?.startsWith(words)) as HTMLButtonElement;
export const cell = (label: string) => find(`[role=gridcell][aria-label^="${label}:"]`);
export const said = () => find(".mw-qsaid").textContent;
export const heard = () => find("[role=status]").textContent;
export const press = (at: HTMLElement, key: string, more: KeyboardEventInit = {}) =>
  at.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
export function type(field: HTMLInputElement | HTMLTextAreaElement, words: string): void {
  field.value = words;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
