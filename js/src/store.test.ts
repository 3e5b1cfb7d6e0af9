import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ProtocolError } from "./decode.ts";
import { answer, FakeModel, PATCH, payload, ZERO } from "./fake.ts";
import { type Change, Store } from "./store.ts";

const cell = (index: number) => ({ panel: "head", index });
const named = (index: number) => ({ ...cell(index), label: store.panel("head")?.labels[index] });
let model: FakeModel;
let store: Store;

beforeEach(() => {
  vi.useFakeTimers();
  model = new FakeModel({ view: payload() });
  store = new Store(model);
});
afterEach(() => {
  vi.useRealTimers();
});

function changes(...kinds: Change[]): string[] {
  const seen: string[] = [];
  for (const kind of kinds) store.on([kind], () => seen.push(kind));
  return seen;
}

test("a click asks for that cell under the view's revision and is pending at once", () => {
  const seen = changes("pending");
  store.choose(cell(3));
  expect(model.last).toMatchObject({
    kind: "request",
    action: "intervene",
    revision: 1,
    cells: [cell(3)],
  });
  expect(store.pending).toEqual([cell(3)]);
  expect(seen).toEqual(["pending"]);
});

test("the answer ends the waiting and is put into this page's copy of the panel", () => {
  store.choose(cell(3));
  model.push("result", answer([3], { y01: 4.5 }));
  expect(store.pending).toBeNull();
  expect(store.panel("head")?.y01[3]).toBe(4.5);
  expect(store.reading?.label).toBe("L1H1");
});

test("adding takes the cells that are on their way, and a chosen cell out again", () => {
  store.choose(cell(0));
  store.choose(cell(1), true);
  expect(model.last.cells).toEqual([named(0), named(1)]);
  store.choose(cell(0), true);
  expect(model.last.cells).toEqual([named(1)]);
  store.choose(cell(1), true);
  expect(model.last.action).toBe("clear");
});

test("only the newest click's answer ends the waiting", () => {
  store.choose(cell(0));
  store.choose(cell(5));
  model.message({ kind: "reply", id: 1, ok: true });
  expect(store.pending).toEqual([cell(5)]);
  model.message({ kind: "reply", id: 2, ok: true });
  expect(store.pending).toBeNull();
});

test("of the clicks that wait for a busy kernel only the newest is sent", () => {
  store.choose(cell(0));
  vi.advanceTimersByTime(301);
  for (const index of [1, 2, 3]) store.choose(cell(index));
  expect(model.sent.map(({ cells }) => cells)).toEqual([[named(0)]]);
  model.message({ kind: "reply", id: 1, ok: true });
  expect(model.sent.map(({ cells }) => cells)).toEqual([[named(0)], [named(3)]]);
  expect(store.pending).toEqual([cell(3)]);
  model.message({ kind: "reply", id: 2, ok: true });
  expect(store.pending).toBeNull();
});

test("what else is asked for comes after the click that waits", () => {
  store.choose(cell(0));
  vi.advanceTimersByTime(301);
  store.choose(cell(1));
  store.ask("undo");
  expect(model.sent.map(({ action }) => action)).toEqual(["intervene", "intervene", "undo"]);
  expect(model.sent[1]?.cells).toEqual([named(1)]);
});

test("a click that waits is let go where the picture has changed", () => {
  store.choose(cell(0));
  vi.advanceTimersByTime(301);
  store.choose(cell(1));
  model.push("view", payload({ revision: 2 }));
  model.message({ kind: "reply", id: 1, ok: true });
  expect(model.sent).toHaveLength(1);
  expect(store.pending).toBeNull();
});

test("a joint result changes no cell of the panel", () => {
  model.push("result", answer([0, 1], { y01: 99 }));
  expect([...(store.panel("head")?.y01 ?? [])]).toEqual([0, 1, 2, 3, 4, 5]);
});

test("a result of an older revision is stale and changes no cell", () => {
  model.push("view", payload({ revision: 2 }));
  model.push("result", answer([2], { y01: 99 }));
  expect(store.panel("head")?.y01[2]).toBe(2);
  expect(store.reading?.stale).toBe(true);
});

test("a result under another edit than the view's changes no cell", () => {
  model.push("result", answer([2], { y01: 99, edit: ZERO }));
  expect(store.panel("head")?.y01[2]).toBe(2);
  expect(store.reading?.edit.corners).toBe(false);
  const source = { ...PATCH, kind: "source", goal: "to its value on the clean prompt" };
  model.push("result", answer([3], { y01: 99, edit: source }));
  expect(store.panel("head")?.y01[3]).toBe(3);
});

test("a selected site goes by its label where another panel has taken its place", () => {
  model.push("result", answer([2], { y01: 99 }));
  const view = payload();
  const [head] = view.panels as { labels: string[] }[];
  const labels = (head?.labels ?? []).map((label) => label.replace("L", "attn"));
  model.push("view", { ...view, panels: [{ ...head, labels }] });
  expect(store.panel("head")?.y01[2]).toBe(2);
  expect(store.selection).toEqual([{ panel: "site", index: 0, label: "L1H0" }]);
  expect(store.reading?.label).toBe("L1H0");
  model.push("result", answer([2], { y01: 99 }));
  expect(store.panel("head")?.y01[2]).toBe(2);
});

test("what an answer's reader throws is said, and the next click goes out", () => {
  store.choose(cell(0));
  store.ask("draft", {}, () => {
    throw new ProtocolError("draft", "a draft");
  });
  model.message({ kind: "reply", id: 1, ok: true });
  model.message({ kind: "reply", id: 2, ok: true, data: {} });
  expect(store.error?.message).toContain("draft");
  expect(store.pending).toBeNull();
});

test("hover reads from the page and sends nothing", () => {
  store.setHover(cell(4));
  expect(store.reading).toMatchObject({ label: "L2H0", corners: { y01: 4, y10: 6 } });
  expect(model.sent).toEqual([]);
});

test("a busy kernel is said after 300 ms, and not after the answer", () => {
  store.choose(cell(0));
  vi.advanceTimersByTime(299);
  expect(store.busy).toBe(false);
  vi.advanceTimersByTime(2);
  expect(store.busy).toBe(true);
  model.message({ kind: "reply", id: 1, ok: true });
  expect(store.busy).toBe(false);
});

test("an error is shown and changes nothing", () => {
  const error = { message: "no", value: "1", expected: "2", fix: "3" };
  store.choose(cell(0));
  model.message({ kind: "reply", id: 1, ok: false, error });
  expect(store.error).toEqual(error);
  expect(store.pending).toBeNull();
  expect(store.result).toBeNull();
});

test.each(["comm_live_update", "comm:close", "destroy"])("%s: disconnected, readable", (event) => {
  store.choose(cell(0));
  model.fire(event);
  expect([store.live, store.busy, store.pending]).toEqual([false, false, null]);
  store.setHover(cell(1));
  expect(store.reading?.label).toBe("L0H1");
});

test("sending into nothing says that the kernel is gone", () => {
  model.gone = true;
  store.choose(cell(0));
  expect([store.live, store.pending]).toEqual([false, null]);
  store.setDirection("break");
  expect(store.direction).toBe("break");
});

test("a server that ends a busy kernel tells nobody: the page looks", () => {
  store.choose(cell(0));
  vi.advanceTimersByTime(4000);
  expect([store.live, store.busy, model.sent.length]).toEqual([true, true, 1]);
  model.gone = true;
  vi.advanceTimersByTime(6000);
  expect([store.live, store.busy, store.pending]).toEqual([false, false, null]);
});

test("on a kernel that is only busy a click waits on", () => {
  store.choose(cell(0));
  vi.advanceTimersByTime(60_000);
  expect([store.live, store.busy, store.pending]).toEqual([true, true, [cell(0)]]);
  model.message({ kind: "reply", id: 1, ok: true });
  expect(store.busy).toBe(false);
  const sent = model.sent.length;
  vi.advanceTimersByTime(60_000);
  expect(model.sent.length).toBe(sent);
});

test("a malformed message changes nothing and is said", () => {
  const before = store.view;
  model.push("view", payload({ panels: 3 }));
  expect(store.view).toBe(before);
  expect(store.error?.message).toContain("view.panels is not a list");
  model.message("nonsense");
  model.push("result", answer([0], { n: "x" }));
  expect(store.result).toBeNull();
  model.push("direction", "sideways");
  expect(store.direction).toBe("restore");
});

test("near no total effect, percents give way to the metric's unit", () => {
  model.push("view", payload({ base: { y11: 3, y00: 3 } }));
  expect(store.wanted).toBe("percent");
  expect(store.unit).toBe("raw");
});

test("a subscription ends with its signal", () => {
  const end = new AbortController();
  const run = vi.fn();
  store.on(["hover"], run, end.signal);
  store.setHover(cell(0));
  end.abort();
  store.setHover(cell(1));
  expect(run).toHaveBeenCalledOnce();
});
