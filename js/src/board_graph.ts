// A board's picture: nodes and edges as elements that can be focused, one tab stop for each kind.
import type { BoardEdge, BoardNode } from "./board_data.ts";
import { type Layout, layout, type Spot, type Wire } from "./board_layout.ts";
import type { Board } from "./board_state.ts";
import { h, on, SUPPRESS, setProps, taken } from "./dom.ts";
import { s } from "./svg.ts";
import { plain } from "./text.ts";

const [THIN, THICK] = [1.25, 6];
/** The thickest ring: leaving the node out takes all faithfulness. */
const RING = 5;

export class Picture {
  readonly el = h("div", { class: "mw-boardbox" });
  /** Calls back with what is under the pointer or focus; null where they left. */
  readonly #point: (id: string | null, keep: boolean) => void;
  #width = 0;
  #layout: Layout | null = null;
  #marks = new Map<string, SVGElement>();
  /** The tab stops: of the nodes and of the edges. */
  #stops: Record<"node" | "edge", string> = { node: "", edge: "" };

  constructor(
    readonly board: Board,
    point: (id: string | null, keep: boolean) => void,
  ) {
    this.#point = point;
    on(this.el, "pointermove", (event) => this.#point(idOf(event), false));
    on(this.el, "pointerleave", () => this.#point(null, false));
    on(this.el, "focusin", (event) => {
      const id = idOf(event);
      if (id === null) return;
      this.#rove(id);
      this.#point(id, true);
    });
    on(this.el, "click", (event) => {
      const id = idOf(event);
      if (id === null) return;
      this.focus(id);
      this.#point(id, true);
      if (!board.inspecting) board.flip(id);
    });
    on(this.el, "keydown", (event) => this.#key(event));
  }

  resize(width: number): void {
    this.#width = width;
    this.draw();
  }

  /** Everything anew; the focus stays on what it was on. */
  draw(): void {
    const { board } = this;
    if (!board.network || !board.graph || !this.#width) return;
    const focused = idOf({ target: document.activeElement });
    const inside = this.el.contains(document.activeElement);
    const place = layout(board.network, board.graph, board.edges, this.#width);
    this.#layout = place;
    this.#marks.clear();
    const nodes = place.nodes.map((node) => this.#node(node));
    const wires = place.wires.map((edge) => this.#wire(edge));
    const svg = s("svg", {
      class: "mw-board",
      width: place.width,
      height: place.height,
      viewBox: `0 0 ${place.width} ${place.height}`,
    });
    const names = board.mode === "edge" ? "Enter adds or removes" : "Enter adds or removes a node";
    svg.append(
      axes(place),
      s("g", { role: "group", "aria-label": `Edges: arrows move, ${names}` }, ...wires),
      s("g", { role: "group", "aria-label": `Nodes by layer: arrows move, ${names}` }, ...nodes),
      marks(place),
    );
    this.el.replaceChildren(svg);
    this.#settle("node", place.nodes);
    this.#settle("edge", place.wires);
    this.mark();
    if (inside && focused !== null) this.#marks.get(focused)?.focus({ preventScroll: true });
  }

  /** What is pointed at, what waits, and how thick the rings are. */
  mark(): void {
    const { board } = this;
    const near = board.shown;
    for (const [id, el] of this.#marks) {
      const left = board.change(id);
      setProps(el, {
        "data-pending": board.waits(id),
        "data-shown": id === near,
        "data-ring": Number.isFinite(left) ? (left < 0 ? "helps" : "hurts") : null,
        "aria-label": board.name(id),
        "aria-pressed": String(board.has(id)),
      });
      const width = Number.isFinite(left) ? Math.min(RING, 1 + RING * Math.abs(left)) : 0;
      el.style.setProperty("--ring", `${width.toFixed(1)}px`);
    }
    for (const wire of this.#layout?.wires ?? [])
      setProps(this.#marks.get(wire.id) as Element, {
        "data-near": near !== null && (wire.from === near || wire.to === near),
      });
    setProps(this.el, { "data-pointing": near !== null });
  }

  focus(id: string): void {
    this.#marks.get(id)?.focus({ preventScroll: true });
  }

  /** The first edge of a node, or any. */
  focusEdge(node: string | null): void {
    const wires = this.#layout?.wires ?? [];
    const mine = wires.find(({ from, to }) => from === node || to === node) ?? wires[0];
    if (mine) this.focus(mine.id);
  }

  // --- elements --------------------------------------------------------------------------------

  #node(node: Spot): SVGElement {
    const { x, y, w, h: tall, room } = node;
    const known = this.board.network?.known.has(node.id.split(" @ ")[0] ?? "");
    const box = (grow: number, name: string) =>
      s("rect", {
        class: name,
        x: x - w / 2 - grow,
        y: y - tall / 2 - grow,
        width: w + 2 * grow,
        height: tall + 2 * grow,
        rx: 5 + grow,
      });
    const el = this.#item(node, "mw-bnode");
    setProps(el, { "data-kind": node.head < 0 ? "mlp" : "head" });
    // Fingers need more than what is drawn.
    el.append(s("rect", { class: "mw-bhit", x: x - room / 2, y: y - 18, width: room, height: 36 }));
    if (node.within) el.append(box(3.5, "mw-bring"));
    if (known) el.append(box(node.within ? 7.5 : 3.5, "mw-bknown"));
    el.append(box(0, "mw-bbox"));
    const low = node.within && this.board.mode === "edge" && node.head >= 0 ? 10 : 4;
    el.append(s("text", { class: "mw-btext", x, y: y + low, text: node.text }));
    return el;
  }

  #wire(edge: Wire): SVGElement {
    const el = this.#item(edge, "mw-wire");
    const max = this.board.strongest;
    const size = max > 0 && Number.isFinite(edge.score) ? Math.abs(edge.score) / max : 0;
    const sign = !Number.isFinite(edge.score) ? "none" : edge.score < 0 ? "away" : "toward";
    setProps(el, { "data-sign": sign });
    el.style.setProperty("--wire", `${(THIN + (THICK - THIN) * size).toFixed(2)}px`);
    el.append(s("path", { class: "mw-wirehit", d: edge.d }));
    el.append(s("path", { class: "mw-wireline", d: edge.d }));
    return el;
  }

  #item(one: BoardNode | BoardEdge, name: string): SVGElement {
    const el = s("g", { class: name, role: "button", tabindex: -1, [SUPPRESS]: "true" });
    setProps(el, { "data-id": one.id, "data-in": one.within });
    this.#marks.set(one.id, el);
    return el;
  }

  // --- keys ------------------------------------------------------------------------------------

  #settle(kind: "node" | "edge", items: readonly { id: string; within: boolean }[]): void {
    const here = items.find(({ id }) => id === this.#stops[kind]);
    const stop = here ?? items.find(({ within }) => within) ?? items[0];
    this.#stops[kind] = stop?.id ?? "";
    if (stop) setProps(this.#marks.get(stop.id) as Element, { tabindex: 0 });
  }

  #rove(id: string): void {
    const kind = this.#layout?.nodes.some((node) => node.id === id) ? "node" : "edge";
    const before = this.#marks.get(this.#stops[kind]);
    if (before) setProps(before, { tabindex: -1 });
    this.#stops[kind] = id;
    setProps(this.#marks.get(id) as Element, { tabindex: 0 });
  }

  #key(event: KeyboardEvent): void {
    const id = idOf(event);
    if (id === null || event.altKey || event.ctrlKey || event.metaKey) return;
    const { board } = this;
    if (event.key === "Enter" || event.key === " ") board.flip(id);
    else if (event.key === "e") this.focusEdge(id);
    else {
      const to = this.#next(id, event.key);
      if (to === null) return;
      this.focus(to);
    }
    taken(event);
  }

  /** Where an arrow leads: along the row, or to the nearest node of the next; edges in their order. */
  #next(id: string, key: string): string | null {
    const { nodes = [], wires = [] } = this.#layout ?? {};
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
    if (step === undefined) return null;
    const here = nodes.find((node) => node.id === id);
    if (!here) {
      const at = wires.findIndex((edge) => edge.id === id);
      return wires[(at + step + wires.length) % wires.length]?.id ?? null;
    }
    const across = /Left|Right/.test(key);
    const there = nodes.filter((node) =>
      across
        ? node.layer === here.layer && (node.x - here.x) * step > 0
        : (node.layer - here.layer) * step > 0,
    );
    const rows = Math.min(...there.map(({ layer }) => Math.abs(layer - here.layer)));
    const far = (node: Spot) => Math.abs(node.x - here.x);
    const near = there.filter(({ layer }) => Math.abs(layer - here.layer) === rows);
    return near.sort((a, b) => far(a) - far(b))[0]?.id ?? id;
  }
}

/** The element of the board that an event came from. */
function idOf({ target }: { target: EventTarget | null }): string | null {
  const el = target instanceof Element ? target.closest("[data-id]") : null;
  return el?.getAttribute("data-id") ?? null;
}

/** Layer labels, the numbers of heads, and the two ends of the network. */
function axes(place: Layout): SVGElement {
  const text = (x: number, y: number, words: string, anchor = "middle", name = "mw-baxis") =>
    s("text", { class: name, x, y, "text-anchor": anchor, text: words });
  const bar = (y: number, words: string) =>
    s(
      "g",
      {},
      s("rect", { class: "mw-bend", x: 30, y, width: place.width - 30, height: 22, rx: 5 }),
      text(40, y + 15, words, "start"),
    );
  return s(
    "g",
    { "aria-hidden": "true" },
    ...place.rows.map(({ y }) => s("path", { class: "mw-brow", d: `M30 ${y}H${place.width}` })),
    ...place.rows.map(({ y, text: words }) => text(0, y + 4, words, "start")),
    ...place.heads.map(({ x, text: words }) => text(x, place.top - 28, words)),
    ...place.places.map(({ x, text: words }) =>
      text(x, 11, plain(words, 16), "middle", "mw-bplace"),
    ),
    bar(place.top - 22, "embedding"),
    bar(place.bottom, "logits"),
  );
}

/** By which input edges enter a head. */
function marks({ wires, nodes }: Layout): SVGElement {
  const tops = new Map(nodes.map(({ id, y, h: tall }) => [id, y - tall / 2]));
  const found = new Map<string, SVGElement>();
  for (const { to, port, x, within } of wires)
    if (port && within)
      found.set(
        `${to} ${port}`,
        s("text", { class: "mw-bport", x, y: (tops.get(to) ?? 0) + 10, text: port }),
      );
  return s("g", { "aria-hidden": "true", class: "mw-bports" }, ...found.values());
}
