import { describe, expect, it } from "vitest";
import { decoded, OfflineStudy, type PageData } from "./offline.ts";
import type { Fields } from "./offline_cells.ts";

const PATCH = { kind: "patch", corners: true, goal: "to its value on the other prompt", part: "" };

function base64(bytes: ArrayBufferLike): { $bytes: string } {
  return { $bytes: btoa(String.fromCharCode(...new Uint8Array(bytes))) };
}

function state(keys: string[], pair: number | null = 0): Fields {
  const panel = (key: string) => ({
    key,
    axes: [{ labels: ["0"] }, { labels: ["0", "1"] }],
    labels: [`${key} a`, `${key} b`],
    y01: base64(new Float32Array([1.5, 2.5]).buffer),
    y10: base64(new Float32Array([3.5, 4.5]).buffer),
    status: base64(new Uint8Array([1, 0]).buffer),
  });
  const view = {
    revision: 3,
    edit: PATCH,
    base: { y11: 7, y00: -4 },
    pairs: { n: 1, index: pair },
    prompts: { clean_top: [{ token: "x", p: 0.9 }], corrupt_top: [] },
    checks: [],
    panels: keys.map(panel),
  };
  return decoded({ view, result: { history: {} }, direction: "restore" }) as Fields;
}

const JOINT = {
  sites: ["head a", "head b"],
  told: { 0: { label: "both", edit: PATCH, y01: 9 }, 1: { label: "both", edit: PATCH, y01: 9 } },
};
const HISTORY: PageData["histories"][number] = { cursor: 1, entries: [null, JOINT] };

function page() {
  const study = new OfflineStudy({ ...HISTORY });
  const first = study.add(0, state(["head"]), ["lens"]);
  const second = study.add(1, state([]), []);
  const replies: Fields[] = [];
  first.on("msg:custom", ((reply: Fields) => replies.push(reply)) as never);
  const ask = async (action: string, fields: Fields = {}) => {
    first.send({ kind: "request", id: replies.length + 1, action, ...fields });
    await Promise.resolve();
    return replies.at(-1) as Fields;
  };
  const result = (model = first) => model.get("result") as Fields;
  return { first, second, ask, result };
}

describe("a study without a kernel", () => {
  it("answers a cell that was computed, in every linked view", async () => {
    const { second, ask, result } = page();
    expect((await ask("intervene", { cells: [{ panel: "head", index: 0 }] })).ok).toBe(true);
    expect(result()).toMatchObject({ label: "head a", y01: 1.5, y10: 3.5, y11: 7, status: 1 });
    expect(result().cells).toEqual([{ panel: "head", index: 0, label: "head a" }]);
    expect(result(second).cells).toEqual([{ panel: "site", index: 0, label: "head a" }]);
    expect(result(second).y01).toBe(1.5);
  });

  it("refuses what was not computed and changes nothing", async () => {
    const { ask, result } = page();
    const before = result();
    for (const [action, fields] of [
      ["intervene", { cells: [{ panel: "head", index: 1 }] }],
      ["intervene", { cells: [{ panel: "nowhere", index: 0 }] }],
      ["sweep", { panels: ["head"] }],
      ["swap", {}],
    ] as [string, Fields][]) {
      const reply = await ask(action, fields);
      expect(reply.ok).toBe(false);
      expect((reply.error as Fields).message).toBe("Not computed in this export.");
      expect(result()).toBe(before);
    }
  });

  it("has no interval for what the page asks unbidden, and makes no error of it", async () => {
    const { ask } = page();
    const reply = await ask("intervals", { readings: [{ label: "head a", goal: PATCH.goal }] });
    expect([reply.ok, reply.data]).toEqual([true, undefined]);
  });

  it("answers a request whose answer is in the page, and no other", async () => {
    const asked = { clean: "a", corrupt: "b" };
    const known = [{ action: "draft", asked, data: { ok: true } }];
    const model = new OfflineStudy({ ...HISTORY }).add(0, state(["head"]), ["editor"], known);
    const replies: Fields[] = [];
    model.on("msg:custom", ((reply: Fields) => replies.push(reply)) as never);
    model.send({ kind: "request", id: 1, action: "draft", ...asked });
    model.send({ kind: "request", id: 2, action: "draft", ...asked, clean: "c" });
    model.send({ kind: "request", id: 3, action: "predict", ...asked });
    await Promise.resolve();
    expect(replies.map(({ id, ok, data }) => [id, ok, data])).toEqual([
      [1, true, { ok: true }],
      [2, false, undefined],
      [3, false, undefined],
    ]);
  });

  it("answers features that were run, by their cell, and shows linked views their numbers", async () => {
    const labels = ["L3F1", "L3F1 @ to"];
    const bytes = (some: ArrayBufferView) => base64(some.buffer);
    const cells = {
      y01: bytes(new Float32Array([1, 2])),
      y10: bytes(new Float32Array([3, 4])),
      status: bytes(new Uint8Array([0, 1])),
    };
    const edit = { kind: "zero", corners: false, goal: "to a code of 0", part: "" };
    const features = decoded({ labels, way: "zero", edit, ...cells });
    const known = { label: "L3F1 @ to", edit, feature: 1, way: "zero", top: "kept" };
    const study = new OfflineStudy({
      cursor: 0,
      entries: [null, { sites: ["L3 @ to"], told: { 0: { ...known, feature: null } } }],
    });
    const grid = study.add(0, { ...state([]), features } as Fields, []);
    const linked = study.add(1, state(["head"]), []);
    const ask = async (index: number) => {
      grid.send({ kind: "request", id: 1, action: "intervene", cells: [{ index, way: "zero" }] });
      await Promise.resolve();
      return grid.get("result") as Fields;
    };
    expect((await ask(0)).label).toBeUndefined();
    const told = await ask(1);
    expect(told).toMatchObject({
      label: "L3F1 @ to",
      y01: 2,
      y10: 4,
      feature: 1,
      way: "zero",
      edit,
    });
    expect(told.cells).toEqual([{ panel: "site", index: 0, label: "L3F1 @ to" }]);
    expect(linked.get("result")).toMatchObject({ label: "L3F1 @ to", y01: 2, feature: null });
  });

  it("says in a part's place that the part was closed", async () => {
    const { first, ask } = page();
    expect((await ask("open", { part: "lens" })).ok).toBe(true);
    expect(first.get("lens")).toBeUndefined();
    expect((await ask("open", { part: "attention" })).ok).toBe(true);
    expect(first.get("attention")).toMatchObject({
      revision: 3,
      error: { message: "Not computed in this export." },
    });
  });

  it("answers sets that are in the history, whatever the order", async () => {
    const { ask, result } = page();
    const cells = [1, 0].map((index) => ({ panel: "head", index }));
    expect((await ask("intervene", { cells })).ok).toBe(true);
    expect(result()).toMatchObject({ label: "both", y01: 9 });
  });

  it("serves an entry for what was asked alone: not frozen, not half, not several edits", async () => {
    for (const edit of [
      { ...PATCH, goal: `${PATCH.goal}, frozen (mlp_out)` },
      { kind: "source", corners: false, goal: `0.5 of the way ${PATCH.goal}` },
      { kind: "mixed", corners: false, goal: "as asked", part: "" },
    ]) {
      const told = { 0: { label: "other", edit, cells: [] } };
      const one = { sites: ["head a"], told };
      const study = new OfflineStudy({ cursor: 0, entries: [null, one, { ...JOINT, told }] });
      const model = study.add(0, state(["head"]), []);
      const ask = async (...cells: Fields[]) => {
        model.send({ kind: "request", id: 1, action: "intervene", cells });
        await Promise.resolve();
        return (model.get("result") as Fields).label;
      };
      const [a, b] = [
        { panel: "head", index: 0 },
        { panel: "head", index: 1 },
      ] as const;
      // Two sites under another edit are not known; one is, from its panel.
      expect(await ask(a, b)).toBeUndefined();
      expect(await ask(a)).toBe("head a");
    }
  });

  it("takes one edit of two for no edit of both", async () => {
    const zero = { kind: "zero", corners: false, goal: "to zero", part: "" };
    const told = { 0: { label: "both", edit: PATCH, cells: [] } };
    const shown = { 0: { label: "a", edit: zero, cells: [{ panel: "site", label: "head a" }] } };
    const entries = [
      null,
      { sites: ["head a", "head b"], told },
      { sites: ["head a"], told: shown },
    ];
    const study = new OfflineStudy({ cursor: 1, entries });
    const model = study.add(0, state(["head"]), []);
    const ask = async (action: string, fields: Fields) => {
      model.send({ kind: "request", id: 1, action, ...fields });
      await Promise.resolve();
      return (model.get("result") as Fields).label;
    };
    expect(await ask("walk", { index: 2 })).toBe("a");
    const cells = [
      { panel: "site", index: 0 },
      { panel: "head", index: 1 },
    ];
    expect(await ask("intervene", { cells })).toBe("a");
  });

  it("walks the history, and what was undone is forgotten by a click", async () => {
    const { ask, result } = page();
    await ask("undo");
    expect(result()).toMatchObject({ history: { index: 0, n: 1, undo: false, redo: true } });
    expect(result().cells).toBeUndefined();
    await ask("redo");
    expect(result().label).toBe("both");
    await ask("undo");
    await ask("intervene", { cells: [{ panel: "head", index: 0 }] });
    expect(result().history).toEqual({ index: 1, n: 1, undo: true, redo: false });
    await ask("clear");
    expect(result()).toMatchObject({ history: { index: 2, n: 2 } });
  });

  it("leaves a view of other pairs as it was", async () => {
    const study = new OfflineStudy({ cursor: 0, entries: [null] });
    const asked = study.add(0, state(["head"], 0), []);
    const other = study.add(1, state(["head"], null), []);
    asked.send({
      kind: "request",
      id: 1,
      action: "intervene",
      cells: [{ panel: "head", index: 0 }],
    });
    await Promise.resolve();
    expect((asked.get("result") as Fields).label).toBe("head a");
    expect((other.get("result") as Fields).label).toBeUndefined();
  });

  it("keeps the history's row in step", async () => {
    const study = new OfflineStudy({ cursor: 1, entries: [null, JOINT] });
    const log = [
      { index: 0, label: "", name: "" },
      { index: 1, label: "both", name: "mine" },
    ];
    const given = {
      ...state(["head"]),
      entries: { revision: 3, cursor: 1, total: 2, entries: log },
    };
    const model = study.add(0, given, []);
    model.send({
      kind: "request",
      id: 1,
      action: "intervene",
      cells: [{ panel: "head", index: 0 }],
    });
    await Promise.resolve();
    const row = model.get("entries") as { cursor: number; entries: Fields[] };
    expect(row.cursor).toBe(2);
    expect(row.entries.map(({ name, label }) => [name, label])).toEqual([
      ["", ""],
      ["mine", "both"],
      ["", "head a"],
    ]);
  });
});
