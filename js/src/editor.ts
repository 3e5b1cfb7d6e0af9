// The prompt editor: four fields, the model's tokens under them as one types, its own predictions to
// pick answers from, and other prompts to load. A mistake stands beside the field that has it.
import "./editor.css";
import { button, h, on, setProps, setText } from "./dom.ts";
import {
  type Draft,
  type DraftReading,
  draftOf,
  FIELDS,
  type Field,
  predictionsOf,
  readingOf,
} from "./drafts.ts";
import type { Drawer } from "./drawers.ts";
import { probability } from "./numbers.ts";
import type { TopToken } from "./protocol.ts";
import type { Store } from "./store.ts";
import { plain, token } from "./text.ts";

/** Milliseconds without a key before the model is asked what comes next. */
const PAUSE = 350;
const LONGEST = 400;
const NAMES: Record<Field, string> = {
  clean: "Clean prompt",
  corrupt: "Corrupt prompt",
  answer: "Answer",
  wrong: "Wrong answer",
};
const MOST_PAIRS = 500;

export const editor: Drawer = { part: "editor", title: "Edit prompts", draw };

interface Line {
  input: HTMLTextAreaElement | HTMLInputElement;
  read: HTMLElement;
  said: HTMLElement;
  el: HTMLElement;
}

function draw(store: Store, signal: AbortSignal): HTMLElement {
  const lines = Object.fromEntries(FIELDS.map((name) => [name, line(name)])) as Record<Field, Line>;
  /** The pair as the study has it, and what was applied since, in order. */
  let sent: Draft[] = [];
  const commit = () => {
    const now = draft();
    sent.push(now);
    store.ask("commit", { ...now, index });
  };
  const apply = button("Apply", commit, { class: "mw-button mw-apply" });
  const state = h("span", { class: "mw-hint", role: "status" });
  const others = loads(store, signal, () => kept !== null && !same());
  const form = h(
    "div",
    { class: "mw-editor", role: "group", "aria-label": "Prompt editor" },
    ...FIELDS.map((name) => lines[name].el),
    h(
      "div",
      { class: "mw-editrow" },
      apply,
      button("Swap", () => type(swapped(draft())), { title: "Exchange prompts and answers" }),
      button("Revert", () => revert()),
      state,
    ),
    others.el,
  );
  const draft = () =>
    Object.fromEntries(FIELDS.map((name) => [name, lines[name].input.value])) as Draft;
  let kept: Draft | null = null;
  const same = () => equal(kept, draft());
  let index = 0;
  let out = false;
  let again = false;
  let later: ReturnType<typeof setTimeout> | undefined;

  // One request at a time: of what was typed meanwhile only the last is asked.
  const ask = () => {
    again = out;
    if (out || !store.live) return;
    out = true;
    store.ask("draft", { ...draft() }, (data) => {
      out = false;
      if (data && !signal.aborted) show(readingOf(data));
      if (again) ask();
    });
  };
  const predict = () => {
    const asked = JSON.stringify(draft());
    store.ask("predict", { ...draft() }, (data) => {
      if (!data || signal.aborted || asked !== JSON.stringify(draft())) return;
      const { clean, corrupt } = predictionsOf(data);
      picks(lines.answer, "after clean", clean);
      picks(lines.wrong, "after corrupt", corrupt);
    });
  };
  const typed = () => {
    // What the model would say after the older texts is no answer to these.
    for (const name of ["answer", "wrong"] as const) lines[name].read.replaceChildren();
    // Applied, or typed back: there is nothing to lose any more.
    if (same()) others.close();
    ask();
    clearTimeout(later);
    later = setTimeout(predict, PAUSE);
  };
  const type = (to: Draft) => {
    for (const name of FIELDS) {
      lines[name].input.value = to[name];
      grow(lines[name].input);
    }
    typed();
  };
  const picks = (at: Line, after: string, top: TopToken[]) => {
    const buttons = top.map(({ token: text, p }) => {
      const pick = button("", () => {
        at.input.value = text;
        typed();
        at.input.focus();
      });
      pick.append(token(text), ` ${probability(p)}`);
      setProps(pick, { class: "mw-button mw-pick" });
      return pick;
    });
    const words = h("span", { class: "mw-hint", text: top.length ? `the model ${after}:` : "" });
    at.read.replaceChildren(words, ...buttons);
  };
  const show = (reading: DraftReading) => {
    for (const side of ["clean", "corrupt"] as const)
      lines[side].read.replaceChildren(...tokens(reading, side));
    for (const name of FIELDS) {
      const problem = reading.problems[name];
      setProps(lines[name].input, { "aria-invalid": problem ? "true" : null });
      setProps(lines[name].said, { "data-wrong": problem ? "true" : null });
      const words = problem
        ? `${plain(problem.message, LONGEST)} Got ${plain(problem.value, LONGEST)}. To mend it: ${plain(problem.fix, LONGEST)}.`
        : plain(reading.notes[name] ?? "", LONGEST);
      setText(lines[name].said, words);
    }
    const kept = same();
    apply.disabled = !reading.ok || kept || !store.live;
    setText(state, kept ? "as it is in the study" : reading.ok ? "not applied yet" : "");
  };
  const revert = () => {
    if (kept) type(kept);
  };
  /** The pair that is shown, told anew: what is typed stays unless it is another one. */
  const told = () => {
    const fields = store.parts.get(editor.part)?.fields;
    // What is typed before there is a pair would be lost to it.
    for (const name of FIELDS) lines[name].input.readOnly = !fields;
    if (!fields) return;
    const at = index;
    kept = draftOf(fields);
    const n = fields.count("n");
    index = fields.count("index");
    setText(apply, n > 1 ? `Apply to pair ${index + 1} of ${n}` : "Apply");
    const found = at === index ? sent.findIndex((one) => equal(one, kept)) : -1;
    if (found < 0) {
      sent = [kept];
      revert();
    } else {
      // What was applied after it is still to come.
      sent.splice(0, found);
      typed();
    }
  };
  for (const name of FIELDS) {
    on(lines[name].input, "input", () => {
      grow(lines[name].input);
      typed();
    });
    on(lines[name].input, "keydown", ((event: KeyboardEvent) => {
      event.stopPropagation();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        if (!apply.disabled) apply.click();
      }
    }) as EventListener);
  }
  on(signal, "abort", () => clearTimeout(later));
  store.on(["part:editor"], told, signal);
  store.on(
    ["status"],
    () => {
      if (!store.live) apply.disabled = true;
    },
    signal,
  );
  told();
  return form;
}

const equal = (a: Draft | null, b: Draft | null) =>
  a !== null && FIELDS.every((name) => a[name] === b?.[name]);

function swapped(draft: Draft): Draft {
  return {
    clean: draft.corrupt,
    corrupt: draft.clean,
    answer: draft.wrong,
    wrong: draft.answer,
  };
}

function line(name: Field): Line {
  const long = name === "clean" || name === "corrupt";
  const given = { class: "mw-input", "aria-label": NAMES[name], spellcheck: "false" };
  const input = long ? h("textarea", { ...given, rows: 1 }) : h("input", { ...given, size: 14 });
  const read = h("div", { class: "mw-read" });
  const said = h("div", { class: "mw-said", "aria-live": "polite" });
  const label = h("span", { class: "mw-name", "aria-hidden": "true", text: name });
  const props = { class: `mw-editline mw-edit-${name}`, "data-short": !long };
  const el = h("div", props, label, input, read, said);
  return { input, read, said, el };
}

/** As many rows as the text has lines of this width, from its length and not from a measurement. */
function grow(input: HTMLTextAreaElement | HTMLInputElement): void {
  if (!(input instanceof HTMLTextAreaElement)) return;
  const lines = input.value.split("\n").reduce((n, one) => n + 1 + Math.floor(one.length / 78), 0);
  setProps(input, { rows: Math.min(8, Math.max(1, lines)) });
}

/** One prompt's tokens at their places beside the other's; what differs is framed. */
function tokens(reading: DraftReading, side: "clean" | "corrupt"): HTMLElement[] {
  const at = side === "clean" ? 0 : 1;
  return reading.columns.map((column) => {
    const [mine, other] = [column[at], column[1 - at]];
    const text = mine === null ? null : reading[side][mine as number];
    const theirs =
      other === null ? null : reading[side === "clean" ? "corrupt" : "clean"][other as number];
    if (text === null || text === undefined)
      return h("span", { class: "mw-gap", title: "no partner in the other prompt", text: "–" });
    const differs = theirs !== undefined && theirs !== text;
    return h("span", { class: differs ? "mw-piece mw-differs" : "mw-piece" }, token(text));
  });
}

// --- other prompts --------------------------------------------------------------------------------

/** Asks once, in the row itself, before what is typed is lost. */
function asking(edited: () => boolean) {
  let then = () => {};
  const close = (run?: () => void) => {
    el.hidden = true;
    run?.();
  };
  const keep = button("Keep editing", () => close());
  const el = h(
    "span",
    { class: "mw-confirm", role: "group", "aria-label": "Edits are not applied", hidden: true },
    h("span", { class: "mw-said", text: "Your edits are not applied." }),
    button("Load, and lose them", () => close(then)),
    keep,
  );
  on(el, "keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") close();
  });
  const ask = (run: () => void) => {
    if (!edited()) return close(run);
    then = run;
    el.hidden = false;
    keep.focus();
  };
  return { el, ask, close };
}

/** Other prompts: a task, a file, and back. `edited`: what is typed is not in the study. */
function loads(store: Store, signal: AbortSignal, edited: () => boolean) {
  const confirm = asking(edited);
  const task = h("select", { class: "mw-select", "aria-label": "Task" });
  const n = h("input", {
    class: "mw-input mw-count",
    type: "number",
    min: 1,
    max: MOST_PAIRS,
    value: 16,
    "aria-label": "Number of pairs",
  });
  const load = button("Load task", () =>
    confirm.ask(() =>
      store.ask("task", { name: task.value, n: Number.parseInt(n.value, 10) || 0 }),
    ),
  );
  const undo = button("Prompts before", () => confirm.ask(() => store.ask("back")), {
    title: "Back to the prompts before; results are run anew",
  });
  const file = h("input", {
    class: "mw-hidden",
    type: "file",
    accept: ".csv,.jsonl",
    tabindex: -1,
    "aria-hidden": "true",
  });
  on(file, "change", async () => {
    const [chosen] = file.files ?? [];
    if (chosen) store.ask("file", { name: chosen.name, text: await chosen.text() });
    file.value = "";
  });
  const open = button("Load file…", () => confirm.ask(() => file.click()), {
    title: "CSV or JSON lines with clean, corrupt, answer, wrong",
  });
  const draw = () => {
    const from = store.parts.get(editor.part)?.fields;
    const names = from?.values<string>("tasks", "string") ?? [];
    undo.hidden = !from?.raw("undo");
    if (task.options.length !== names.length)
      task.replaceChildren(
        ...names.map((value) => h("option", { value, text: value.replaceAll("_", " ") })),
      );
    for (const control of [task, n, load, open, undo]) control.disabled = !store.live;
  };
  on(n, "keydown", (event) => event.stopPropagation());
  store.on(["part:editor", "status"], draw, signal);
  draw();
  const el = h(
    "div",
    { class: "mw-editrow" },
    h("span", { class: "mw-hint", text: "Or other prompts:" }),
    task,
    n,
    load,
    open,
    undo,
    confirm.el,
    file,
  );
  return { el, close: () => confirm.close() };
}
