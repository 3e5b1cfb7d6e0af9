// A board's state in the page: what Python wrote, what was clicked and is on its way, what is shown.
import {
  type BoardEdge,
  type BoardNode,
  type Curve,
  decodeCurve,
  decodeEdge,
  decodeGraph,
  decodeLate,
  decodeNetwork,
  type Graph,
  type Late,
  type Network,
} from "./board_data.ts";
import { components } from "./board_layout.ts";
import { nameOf } from "./board_words.ts";
import { Reader } from "./decode.ts";
import type { Line } from "./line.ts";

type News = "graph" | "late" | "curve" | "selected" | "point";

export class Board {
  network: Network | null = null;
  graph: Graph | null = null;
  late: Late | null = null;
  curve: Curve | null = null;
  /** Labels of what is selected in linked views and not in the circuit. */
  selected: string[] = [];
  /** The node whose further edges are drawn too. */
  opened: string | null = null;
  /** What is under the pointer, and what was focused or clicked last. */
  over: string | null = null;
  kept: string | null = null;
  /** Clicks point, and change nothing. */
  inspecting = false;

  /** What was clicked, and is to be in the circuit or not: on its way, and waiting behind that. */
  #sent = new Map<string, boolean>();
  #wanted = new Map<string, boolean>();
  #listeners: { news: ReadonlySet<News>; run: () => void }[] = [];
  /** Edges that the circuit lacks: those of the opened node, and what was just taken out. */
  #absent: BoardEdge[] = [];
  #removed: BoardEdge[] = [];
  #question = "";

  constructor(readonly store: Line) {
    const { model } = store;
    const take = (name: string, news: News, read: (value: unknown) => void) => {
      const now = () =>
        store.guard(() => {
          const value = model.get(name) ?? {};
          // Before the first word of Python there is nothing to read; a slider may go again.
          if (news !== "curve" && Object.keys(value).length === 0) return;
          read(value);
          this.tell(news);
        });
      model.on(`change:${name}`, now);
      now();
    };
    take("network", "graph", (value) => {
      this.network = decodeNetwork(value);
    });
    take("graph", "graph", (value) => {
      this.graph = decodeGraph(value);
      if (this.kept !== null && !this.item(this.kept)) this.kept = null;
      if (!this.graph.nodes.some(({ id }) => id === this.opened)) this.opened = null;
      this.#ask();
    });
    take("late", "late", (value) => {
      this.late = decodeLate(value);
    });
    take("curve", "curve", (value) => {
      this.curve = decodeCurve(value);
    });
    take("selected", "selected", (value) => {
      this.selected = new Reader(value, "selected").values<string>("new", "string");
    });
  }

  on(news: readonly News[], run: () => void, signal: AbortSignal): void {
    const entry = { news: new Set(news), run };
    this.#listeners.push(entry);
    signal.addEventListener("abort", () => {
      this.#listeners = this.#listeners.filter((one) => one !== entry);
    });
  }

  tell(news: News): void {
    for (const { news: mine, run } of [...this.#listeners]) if (mine.has(news)) run();
  }

  // --- what is there ---------------------------------------------------------------------------

  get mode(): string {
    return this.graph?.mode ?? "edge";
  }

  /** The circuit's edges, and those that can be added to what is kept. */
  get edges(): BoardEdge[] {
    const mine = this.graph?.edges ?? [];
    const known = new Map([...this.#absent, ...this.#removed].map((edge) => [edge.id, edge]));
    for (const { id } of mine) known.delete(id);
    return [...mine, ...known.values()];
  }

  /** The largest size of a score of an edge that is drawn. */
  get strongest(): number {
    return Math.max(0, ...this.edges.map(({ score }) => Math.abs(score) || 0));
  }

  item(id: string): BoardNode | BoardEdge | undefined {
    const { graph, network } = this;
    if (!graph || !network) return undefined;
    return (
      graph.nodes.find((one) => one.id === id) ??
      this.edges.find((one) => one.id === id) ??
      components(network).find((one) => one.id === id)
    );
  }

  /** Whether it is in the circuit, or will be when the answer comes. */
  has(id: string): boolean {
    const wanted = this.#wanted.get(id) ?? this.#sent.get(id);
    if (wanted !== undefined) return wanted;
    const { graph } = this;
    return !!(
      graph?.nodes.some((one) => one.id === id) || graph?.edges.some((one) => one.id === id)
    );
  }

  waits(id: string): boolean {
    return this.#wanted.has(id) || this.#sent.has(id);
  }

  get waiting(): boolean {
    return this.#sent.size + this.#wanted.size > 0;
  }

  /** By how much faithfulness changes without it; NaN where that is not run. */
  change(id: string): number {
    return this.late?.seq === this.graph?.seq
      ? (this.late?.left.get(id) ?? Number.NaN)
      : Number.NaN;
  }

  get shown(): string | null {
    return this.over ?? this.kept;
  }

  name(id: string): string {
    return nameOf(this, id);
  }

  // --- what people do --------------------------------------------------------------------------

  point(id: string | null, keep: boolean): void {
    if (keep) {
      this.kept = id;
      // What lies under a resting pointer has no say over keys.
      this.over = null;
      this.#removed = this.#removed.filter((edge) => edge.id === id);
    } else if (id === this.over) return;
    else this.over = id;
    this.tell("point");
  }

  /**
   * Adds it or takes it out. On a busy kernel what is clicked next waits for the answer, and then
   * goes as one request: circuits in between are not run.
   */
  flip(id: string): void {
    const edge = this.edges.find((one) => one.id === id);
    if ((edge && this.mode === "node") || this.graph?.following || !this.store.live) return;
    const on = !this.has(id);
    this.#wanted.set(id, on);
    // An edge stays where it was, dashed, to be put back.
    if (edge && !on) this.#removed = [{ ...edge, within: false }];
    if (!this.#sent.size) this.#send();
    this.tell("point");
  }

  /** Anything else: what waits to be sent is let go. */
  ask(action: string, payload: Record<string, unknown> = {}, then = () => {}): void {
    this.#wanted.clear();
    this.store.ask(action, payload, () => {
      then();
      this.tell("point");
    });
  }

  #send(): void {
    this.#sent = this.#wanted;
    this.#wanted = new Map();
    const items = [...this.#sent].map(([id, on]) => ({ id, on }));
    const id = this.store.ask("set", { items }, () => {
      this.#sent = new Map();
      if (this.#wanted.size) this.#send();
      this.tell("point");
    });
    if (id === 0) this.#sent = new Map();
  }

  /** Shows the edges that a node could have besides its own, or no more of them. */
  open(id: string | null): void {
    this.opened = this.opened === id ? null : id;
    this.#ask();
    this.tell("point");
  }

  #ask(): void {
    const { graph, opened } = this;
    const question = `${opened} ${graph?.seq}`;
    if (question === this.#question) return;
    this.#question = question;
    if (opened === null || this.mode === "node" || graph?.following || !this.store.live) {
      if (this.#absent.length === 0) return;
      this.#absent = [];
      this.tell("graph");
      return;
    }
    this.store.ask("absent", { node: opened }, (data) => {
      if (this.#question !== question || !data) return;
      this.#absent = new Reader(data, "absent").list("edges", (item) => decodeEdge(item, false));
      this.tell("graph");
    });
  }
}
