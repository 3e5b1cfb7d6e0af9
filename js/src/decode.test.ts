import { expect, test } from "vitest";
import { decodeMessage, decodeResult, decodeView, ProtocolError } from "./decode.ts";
import { answer, payload, unaligned } from "./fake.ts";

function panel(change: Record<string, unknown>) {
  const view = payload();
  const [first] = view.panels as Record<string, unknown>[];
  return { ...view, panels: [{ ...first, ...change }] };
}

test("bytes that start at any offset are read row-major", () => {
  const [head] = decodeView(payload()).panels;
  expect([...(head?.y01 ?? [])]).toEqual([0, 1, 2, 3, 4, 5]);
  expect([...(head?.y10 ?? [])]).toEqual([10, 9, 8, 7, 6, 5]);
  expect([head?.rows, head?.cols]).toEqual([3, 2]);
});

test("decoded numbers are a copy, so a merge does not write into the message", () => {
  const message = payload();
  const [first] = message.panels as { y01: DataView }[];
  const [head] = decodeView(message).panels;
  head?.y01.fill(99);
  expect(first?.y01.getFloat32(4, true)).toBe(1);
});

test.each([
  ["nothing", null],
  ["a list", []],
  ["no revision", payload({ revision: "1" })],
  ["a negative count", payload({ revision: -1 })],
  ["no panels", payload({ panels: {} })],
  ["a base that is not a number", payload({ base: { y11: null, y00: 0 } })],
  ["too few numbers", panel({ y01: unaligned(new Float32Array(5)) })],
  ["bytes as text", panel({ y10: "AAAA" })],
  ["an unknown status", panel({ status: new Uint8Array([0, 1, 2, 3, 4, 6]) })],
  ["too few labels", panel({ labels: ["L0H0"] })],
  ["a shape of three", panel({ shape: [3] })],
])("a view with %s is refused", (_, message) => {
  expect(() => decodeView(message)).toThrow(ProtocolError);
});

test("an error names the way to the field", () => {
  expect(() => decodeView(panel({ cost: { runs: 1, passes: 1.5, seconds: 0 } }))).toThrow(
    "view.panels[0].cost.passes is not a count",
  );
});

test("an empty result is nothing selected, with its history", () => {
  const history = { index: 2, n: 3, undo: true, redo: true };
  expect(decodeResult({ history })).toEqual({ result: null, history });
  expect(decodeResult({}).result).toBeNull();
});

test("a result keeps a missing number as NaN, and sites that no panel shows", () => {
  const cells = [{ panel: "site", index: 0, label: "L2 @ S2" }];
  const { result } = decodeResult(answer([], { cells, y10: null }));
  expect(result?.y10).toBeNaN();
  expect(result?.cells).toEqual(cells);
});

test("a result of an unknown status is refused", () => {
  expect(() => decodeResult(answer([0], { status: 9 }))).toThrow(ProtocolError);
});

test("messages: replies, progress, and kinds of a later version", () => {
  const error = { message: "m", value: "v", expected: "e", fix: "f" };
  expect(decodeMessage({ kind: "reply", id: 3, ok: false, error })).toEqual({
    kind: "reply",
    id: 3,
    ok: false,
    error,
  });
  expect(decodeMessage({ kind: "news" })).toBeNull();
  const words = "queued, place 3";
  expect(decodeMessage({ kind: "waiting", words })).toEqual({ kind: "waiting", said: words });
  const progress = { kind: "progress", panels: ["head"], done: 1, total: 2, seconds_left: null };
  expect(decodeMessage({ ...progress, state: "running" })).toMatchObject({ secondsLeft: null });
  expect(() => decodeMessage({ ...progress, state: "asleep" })).toThrow(ProtocolError);
});
