// @vitest-environment jsdom
import { afterEach, expect, test, vi } from "vitest";
import { editor } from "./editor.ts";
import { FakeModel, payload } from "./fake.ts";
import { readers } from "./parts.ts";
import { Store } from "./store.ts";

const DRAFT = { clean: "a b", corrupt: "a c", answer: "x", wrong: "y" };
const READ = {
  clean: ["a", " b"],
  corrupt: ["a", " c"],
  columns: [
    [0, 0],
    [1, 1],
  ],
  problems: {},
  notes: { corrupt: "1 token differs, of 2" },
  ok: true,
};

const TRAIT = { revision: 1, draft: DRAFT, index: 0, n: 3, tasks: ["ioi", "greater_than"] };

function setUp(trait: object = TRAIT) {
  vi.useFakeTimers();
  const model = new FakeModel({ view: payload(), editor: trait });
  const store = new Store(model, readers(["editor"]));
  const end = new AbortController();
  const el = editor.draw(store, end.signal);
  document.body.replaceChildren(el);
  const field = (name: string) =>
    el.querySelector(`[aria-label="${name}"]`) as HTMLInputElement | HTMLTextAreaElement;
  const type = (name: string, text: string) => {
    field(name).value = text;
    field(name).dispatchEvent(new Event("input"));
  };
  const answer = (data: unknown) =>
    model.message({ kind: "reply", id: model.last.id, ok: true, data });
  const said = (name: string) => el.querySelector(`.mw-edit-${name} .mw-said`)?.textContent;
  return { model, store, el, end, field, type, answer, said };
}

afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

test("fields hold the shown pair, and what the model reads stands under them", () => {
  const { el, field, model, answer, said } = setUp();
  expect(field("Clean prompt").value).toBe("a b");
  expect(model.last).toMatchObject({ action: "draft", ...DRAFT });
  answer(READ);
  expect(el.querySelectorAll(".mw-edit-clean .mw-piece").length).toBe(2);
  expect(el.querySelectorAll(".mw-differs").length).toBe(2);
  expect(said("corrupt")).toBe("1 token differs, of 2");
  expect(el.querySelector(".mw-apply")?.textContent).toBe("Apply to pair 1 of 3");
});

test("while a draft is out, of all that is typed only the last is asked", () => {
  const { model, type, answer } = setUp();
  const before = model.sent.length;
  for (const text of ["a", "a b", "a b d"]) type("Clean prompt", text);
  expect(model.sent.length).toBe(before);
  answer(READ);
  expect(model.sent.length).toBe(before + 1);
  expect(model.last).toMatchObject({ action: "draft", clean: "a b d" });
});

test("a mistake stands beside its field as text, and nothing can be applied", () => {
  const { el, model, type, answer, said } = setUp();
  answer(READ);
  type("Wrong answer", "<img src=x>");
  const problem = {
    message: "No such token.",
    value: "<img src=x>",
    expected: "",
    fix: "Change it",
  };
  answer({ ...READ, ok: false, notes: {}, problems: { wrong: problem } });
  expect(said("wrong")).toContain("<img src=x>");
  expect(el.querySelector("img")).toBeNull();
  const apply = el.querySelector<HTMLButtonElement>(".mw-apply");
  expect(apply?.disabled).toBe(true);
  const before = model.sent.length;
  apply?.click();
  expect(model.sent.length).toBe(before);
});

test("an answer is picked from the model's predictions, and Enter applies", () => {
  const { el, model, field, answer } = setUp();
  answer(READ);
  vi.advanceTimersByTime(400);
  expect(model.last).toMatchObject({ action: "predict" });
  const clean = [{ token: " Mary", p: 0.9 }];
  answer({ clean, corrupt: [] });
  el.querySelector<HTMLButtonElement>(".mw-edit-answer .mw-pick")?.click();
  expect(field("Answer").value).toBe(" Mary");
  answer(READ);
  field("Answer").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  expect(model.last).toMatchObject({ action: "commit", answer: " Mary" });
});

test("keys that are typed stay in the field", () => {
  const { el, field } = setUp();
  const heard = vi.fn();
  el.addEventListener("keydown", heard);
  for (const key of ["u", "s", "1", "?", "Escape"])
    field("Answer").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  expect(heard).not.toHaveBeenCalled();
});

test("an answer that does not fit is said and changes nothing", () => {
  const { store, el, answer } = setUp();
  answer({ ...READ, columns: "no" });
  expect(store.error?.message).toContain("columns");
  expect(el.querySelectorAll(".mw-piece").length).toBe(0);
});

const named = (el: Element, text: string) =>
  [...el.querySelectorAll("button")].find((one) => one.textContent === text) as HTMLButtonElement;

test("what is typed and not applied is lost only to those who say so", () => {
  const { el, model, type, field, answer } = setUp();
  answer(READ);
  const confirm = el.querySelector<HTMLElement>(".mw-confirm");
  const load = named(el, "Load task");
  load.click();
  expect([confirm?.hidden, model.last.action]).toEqual([true, "task"]);
  type("Answer", "z");
  const before = model.sent.length;
  load.click();
  expect([confirm?.hidden, model.sent.length]).toEqual([false, before]);
  expect(document.activeElement?.textContent).toBe("Keep editing");
  (document.activeElement as HTMLElement).click();
  expect([confirm?.hidden, model.sent.length]).toEqual([true, before]);
  expect(field("Answer").value).toBe("z");
  load.click();
  named(el, "Load, and lose them").click();
  expect(model.last).toMatchObject({ action: "task", name: "ioi" });
  expect(confirm?.hidden).toBe(true);
});

test("the question about edits goes when they are applied, or typed back", () => {
  const { el, model, type, answer } = setUp();
  answer(READ);
  const confirm = el.querySelector<HTMLElement>(".mw-confirm");
  const ask = () => {
    type("Answer", "z");
    answer(READ);
    named(el, "Load task").click();
    expect(confirm?.hidden).toBe(false);
  };
  ask();
  type("Answer", DRAFT.answer);
  expect(confirm?.hidden).toBe(true);
  answer(READ);
  ask();
  el.querySelector<HTMLButtonElement>(".mw-apply")?.click();
  expect([confirm?.hidden, model.last.action]).toEqual([false, "commit"]);
  const applied = { ...(model.get("editor") as object), draft: { ...DRAFT, answer: "z" } };
  model.push("editor", { ...applied, revision: 2 });
  expect(confirm?.hidden).toBe(true);
});

test("there is a way back where there were other prompts", () => {
  const { el, model } = setUp();
  const undo = named(el, "Prompts before");
  expect(undo.hidden).toBe(true);
  model.push("editor", { ...(model.get("editor") as object), undo: true });
  expect(undo.hidden).toBe(false);
  undo.click();
  expect(model.last).toMatchObject({ action: "back" });
});

test("what is typed stays when the same pair is told again, and goes with another", () => {
  const { field, model, type } = setUp();
  type("Clean prompt", "a d");
  model.push("editor", { ...TRAIT, revision: 2 });
  expect(field("Clean prompt").value).toBe("a d");
  model.push("editor", { ...TRAIT, revision: 3, index: 1 });
  expect(field("Clean prompt").value).toBe("a b");
});

test("what is typed while an edit is applied stays, and is not applied yet", () => {
  const { el, field, model, type, answer } = setUp();
  answer(READ);
  type("Clean prompt", "a d");
  answer(READ);
  el.querySelector<HTMLButtonElement>(".mw-apply")?.click();
  expect(model.last).toMatchObject({ action: "commit", clean: "a d" });
  type("Clean prompt", "a d and more");
  type("Wrong answer", "zebra");
  model.push("editor", { ...TRAIT, revision: 2, draft: { ...DRAFT, clean: "a d" } });
  expect(field("Clean prompt").value).toBe("a d and more");
  expect(field("Wrong answer").value).toBe("zebra");
  answer(READ);
  expect(el.querySelector("[role=status]")?.textContent).toBe("not applied yet");
});

test("nothing can be typed before there is a pair, which would take its place", () => {
  const { field, model } = setUp({});
  expect(field("Clean prompt").readOnly).toBe(true);
  model.push("editor", TRAIT);
  expect(field("Clean prompt").readOnly).toBe(false);
  expect(field("Clean prompt").value).toBe("a b");
});

test("what is typed stays while a busy kernel answers two edits, one after the other", () => {
  const { el, field, model, type, answer } = setUp();
  answer(READ);
  for (const text of ["a d", "a d e"]) {
    type("Clean prompt", text);
    answer(READ);
    el.querySelector<HTMLButtonElement>(".mw-apply")?.click();
  }
  const applied = model.sent.filter(({ action }) => action === "commit");
  expect(applied.map(({ clean }) => clean)).toEqual(["a d", "a d e"]);
  type("Clean prompt", "a d e f");
  // The same pair told anew in between takes nothing either.
  for (const [i, clean] of ["a b", "a d", "a d e"].entries()) {
    model.push("editor", { ...TRAIT, revision: 2 + i, draft: { ...DRAFT, clean } });
    expect(field("Clean prompt").value).toBe("a d e f");
  }
  // An edit that came from elsewhere does.
  model.push("editor", { ...TRAIT, revision: 5, draft: { ...DRAFT, clean: "a d" } });
  expect(field("Clean prompt").value).toBe("a d");
});
