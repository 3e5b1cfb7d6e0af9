// CircuitBoard: a circuit as a graph by layer, changed by clicks and tested at each of them.
import "./styles.css";
import "./circuit_board.css";
import type { BoardNode } from "./board_data.ts";
import { figures } from "./board_figures.ts";
import { Picture } from "./board_graph.ts";
import { sizesPanel } from "./board_sizes.ts";
import { Board } from "./board_state.ts";
import { factsOf, resultWords } from "./board_words.ts";
import { code } from "./code.ts";
import { button, choice, div, h, on, setProps, setText, span, taken } from "./dom.ts";
import { exportMenu } from "./export.ts";
import { Line } from "./line.ts";
import { errorLine } from "./notices.ts";
import { seconds } from "./numbers.ts";
import type { Model } from "./protocol.ts";
import { followWidth, shell } from "./shell.ts";
import { kernel } from "./status_bar.ts";
import { plain } from "./text.ts";

/** The view's padding and border. */
const PADDING = 26;

/** The first line: what it is of, undo and redo, the mode, files and code. */
function bar(board: Board, keys: ReturnType<typeof code>, signal: AbortSignal): HTMLElement {
  const { store } = board;
  const name = span("mw-contrast");
  const modes = ["edge", "node"].map((mode) =>
    button(mode === "edge" ? "Edges" : "Nodes", () => board.ask("mode", { mode }), {
      class: "mw-segment",
      "data-mode": mode,
      title:
        mode === "edge" ? "Single edges are kept or ablated" : "Whole nodes are kept or ablated",
    }),
  );
  const segments = h(
    "span",
    { class: "mw-segments", role: "group", "aria-label": "What is kept or ablated" },
    ...modes,
  );
  const undo = button("↶", () => board.ask("undo"), { "aria-label": "Undo", title: "Undo (U)" });
  const redo = button("↷", () => board.ask("redo"), {
    "aria-label": "Redo",
    title: "Redo (Shift+U)",
  });
  const draw = () => {
    const { graph, network } = board;
    if (!graph || !network) return;
    setText(name, plain(network.task || network.model, 40));
    setProps(name, { title: network.model });
    const still = !store.live || graph.following;
    undo.disabled = still || !graph.undo;
    redo.disabled = still || !graph.redo;
    for (const one of modes)
      setProps(one, { "aria-pressed": String(one.dataset.mode === graph.mode), disabled: still });
  };
  board.on(["graph"], draw, signal);
  store.on(["status"], draw, signal);
  draw();
  return div(
    "mw-part mw-bar1",
    name,
    segments,
    kernel(store, signal),
    span("mw-tools", undo, redo, keys.el, exportMenu(store, signal)),
  );
}

/** What puts more on the board: the selection of linked views, and names that are typed. */
function adding(board: Board, signal: AbortSignal): { el: HTMLElement; add: () => void } {
  const add = () => board.ask("add_selection");
  const selection = button("Add selection", add, {
    title: "Add what is selected in linked views (A)",
  });
  const typed = h("input", {
    class: "mw-btyped",
    type: "text",
    placeholder: "L3H1 mlp2",
    "aria-label": "Nodes to add, by name",
    spellcheck: "false",
  });
  const place = choice("Where a typed node is", () => {});
  const put = () => {
    const names = typed.value.split(/[\s,;+]+/).filter(Boolean);
    if (names.length === 0) return;
    const at = place.value ? `@${place.value}` : "";
    board.ask("add", { text: names.map((one) => (one.includes("@") ? one : one + at)).join(" ") });
    typed.value = "";
  };
  on(typed, "keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") put();
  });
  const inspect = button(
    "Inspect",
    () => {
      board.inspecting = !board.inspecting;
      setProps(inspect, { "aria-pressed": String(board.inspecting) });
    },
    { "aria-pressed": "false", title: "Clicks point, and change nothing (I)" },
  );
  const draw = () => {
    const { selected, network, graph } = board;
    const still = !board.store.live || !!graph?.following;
    selection.disabled = still || selected.length === 0;
    const names = plain(selected.slice(0, 3).join(" + "), 40) + (selected.length > 3 ? " …" : "");
    setText(selection, selected.length > 0 ? `Add ${names}` : "Add selection");
    typed.disabled = still;
    const places = ["", ...(network?.places ?? [])];
    setProps(place, { hidden: places.length === 1 });
    if (place.options.length !== places.length)
      place.replaceChildren(
        ...places.map((one) =>
          h("option", { value: one, text: one ? `@ ${plain(one, 16)}` : "everywhere" }),
        ),
      );
  };
  board.on(["selected", "graph"], draw, signal);
  board.store.on(["status"], draw, signal);
  draw();
  const row = div("mw-badd", selection, typed, place, button("Add", put), inspect);
  setProps(row, { role: "group", "aria-label": "Add to the circuit" });
  return { el: row, add };
}

/** What is pointed at, in words, and what can be done with it. */
function pointed(board: Board, signal: AbortSignal): HTMLElement {
  const [label, facts] = [h("bdi", { class: "mw-bname" }), span("mw-bfacts")];
  const flip = button("", () => board.kept && board.flip(board.kept));
  const show = button(
    "Show in views",
    () => board.kept && board.ask("show", { node: board.kept }),
    {
      title: "Select this node in linked views (S)",
    },
  );
  const edges = button("Its edges", () => board.open(board.kept), {
    title: "Draw the edges that this node could have, dashed: click one to add it",
  });
  const draw = () => {
    const id = board.shown;
    const item = id === null ? undefined : board.item(id);
    setText(label, item ? plain(item.id, 80) : "");
    setText(
      facts,
      item
        ? factsOf(board, item).join(" · ")
        : "Click a node to add it or take it out; after Inspect a click only points.",
    );
    const { kept } = board;
    const mine = kept === null ? undefined : board.item(kept);
    const node = mine !== undefined && !("from" in mine);
    const still = !mine || !board.store.live || !!board.graph?.following;
    setText(
      flip,
      `${kept !== null && board.has(kept) ? "Remove" : "Add"} ${plain(kept ?? "", 30)}`,
    );
    flip.disabled = still || (!node && board.mode === "node");
    show.disabled = still || !node;
    edges.disabled = still || !node || board.mode === "node" || !(mine as BoardNode).within;
    setProps(edges, { "aria-pressed": String(kept !== null && board.opened === kept) });
  };
  const tools = span("mw-btools", flip, show, edges);
  board.on(["point", "graph", "late"], draw, signal);
  draw();
  return div("mw-part mw-bpoint", div("mw-bsaid", label, facts), tools);
}

/** A search that streams onto the board, or the curve that is run: how far, and the way to stop. */
function progress(board: Board, signal: AbortSignal): HTMLElement {
  const { store } = board;
  const meter = h("progress", { class: "mw-progress", "aria-label": "Progress" });
  const words = span("mw-hint");
  const el = div(
    "mw-running mw-brunning",
    meter,
    words,
    button("Cancel", () => store.ask("cancel")),
  );
  const draw = () => {
    const now = store.progress;
    el.hidden = !store.sweeping;
    if (!now) return;
    setProps(meter, { max: Math.max(1, now.total), value: now.done });
    const left = now.secondsLeft === null ? "" : `, ${seconds(now.secondsLeft)} left`;
    const what = now.panels[0] === "search" ? "Searching: " : "";
    setText(words, `${what}${now.done} of ${now.total}${left}`);
  };
  store.on(["status"], draw, signal);
  draw();
  return el;
}

function key(board: Board, signal: AbortSignal): HTMLElement {
  const item = (name: string, text: string) =>
    span("mw-keyitem", h("i", { class: `mw-bkey ${name}`, "aria-hidden": "true" }), span("", text));
  const known = item("mw-bkknown", "");
  const draw = () => {
    const overlay = board.network?.overlay ?? "";
    known.hidden = !overlay;
    setText(known.lastElementChild as Element, plain(overlay, 40));
  };
  board.on(["graph"], draw, signal);
  draw();
  return div(
    "mw-key mw-part",
    item("mw-bkin", "in the circuit"),
    item("mw-bkout", "not in it"),
    item("mw-bkhelps", "removing it hurts"),
    item("mw-bkhurts", "removing it helps"),
    item("mw-bktoward", "for the answer"),
    item("mw-bkaway", "against it"),
    known,
  );
}

/** Says committed results, and only those. */
function said(board: Board, signal: AbortSignal): HTMLElement {
  const el = h("div", { class: "mw-hidden", "aria-live": "polite" });
  const ids = () =>
    new Set([...(board.graph?.nodes ?? []), ...(board.graph?.edges ?? [])].map(({ id }) => id));
  let before = ids();
  board.on(
    ["graph"],
    () => {
      const { graph } = board;
      if (!graph?.numbers) return;
      const now = ids();
      const more = [...now].filter((id) => !before.has(id));
      const less = [...before].filter((id) => !now.has(id));
      const one = (ids: string[], does: string) =>
        ids.length === 1 ? `${plain(ids[0] as string, 60)} ${does}. ` : "";
      const nodes = (ids: string[]) => ids.filter((id) => !id.includes("→"));
      const told =
        one(nodes(more), "added") ||
        one(nodes(less), "removed") ||
        one(more, "added") ||
        one(less, "removed");
      before = now;
      setText(el, told + resultWords(board));
    },
    signal,
  );
  return el;
}

function mount(board: Board, model: Model, el: HTMLElement, signal: AbortSignal): void {
  const picture = new Picture(board, (id, keep) => board.point(id, keep));
  const text = code(board.store);
  const more = adding(board, signal);
  const sizes = sizesPanel(board, signal);
  const root = shell(
    "Circuit board",
    model,
    el,
    signal,
    bar(board, text, signal),
    errorLine(board.store, signal),
    figures(board, signal),
    more.el,
    progress(board, signal),
    picture.el,
    pointed(board, signal),
    key(board, signal),
    sizes.el,
    said(board, signal),
  );
  board.on(["graph"], () => picture.draw(), signal);
  board.on(["point", "late"], () => picture.mark(), signal);
  const commands: Record<string, () => unknown> = {
    u: () => board.ask("undo"),
    U: () => board.ask("redo"),
    a: more.add,
    A: more.add,
    s: () => show(board),
    S: () => show(board),
    i: () => root.querySelector<HTMLElement>(".mw-badd [aria-pressed]")?.click(),
    ...(text.keys as Record<string, () => unknown>),
    Escape: () => (board.store.sweeping ? board.store.ask("cancel") : board.point(null, true)),
  };
  on(root, "keydown", (event) => {
    const run = commands[event.key];
    const typing = (event.target as HTMLElement).closest("input, select");
    if (!run || typing || event.altKey || event.ctrlKey || event.metaKey) return;
    run();
    taken(event);
  });
  followWidth(root, signal, (width) => {
    picture.resize(width - PADDING);
    sizes.resize(width - PADDING);
  });
}

/** Selects what is pointed at in the study's other views. */
function show(board: Board): void {
  const item = board.shown === null ? undefined : board.item(board.shown);
  if (item && !("from" in item)) board.ask("show", { node: (item as BoardNode).id });
}

export default () => {
  let board: Board | null = null;
  return {
    initialize({ model }: { model: Model }) {
      board = new Board(new Line(model));
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      board ??= new Board(new Line(model));
      const end = new AbortController();
      mount(board, model, el, end.signal);
      return () => end.abort();
    },
  };
};
