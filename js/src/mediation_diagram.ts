// MediationDiagram: the paths through and past what is selected, the four runs behind them, and the
// total effect taken apart.
import "./styles.css";
import "./mediation.css";
import { cornerSquare } from "./corner_square.ts";
import { button, h, setProps, setText, taken } from "./dom.ts";
import { estimands, normalizable } from "./estimands.ts";
import {
  isNothing,
  known,
  NOTHING,
  noCorners,
  runSentence,
  type Scene,
} from "./mediation_words.ts";
import { errorLine } from "./notices.ts";
import { size } from "./numbers.ts";
import { pathDiagram } from "./path_diagram.ts";
import { type Model, Status } from "./protocol.ts";
import { shown } from "./scale.ts";
import { sentence } from "./sentences.ts";
import { shell } from "./shell.ts";
import { type CornerKey, SPLITS, type Split } from "./splits.ts";
import { kernel } from "./status_bar.ts";
import { Store } from "./store.ts";
import { plain } from "./text.ts";
import { waterfallChart } from "./waterfall.ts";

/** What is drawn of the committed result; nothing but the total effect where there is none. */
function sceneOf(store: Store): Scene | null {
  const { view } = store;
  if (!view) return null;
  const result = store.resultReading;
  const none = { ...view.base, y10: Number.NaN, y01: Number.NaN };
  const raw = store.model.get("result") as { constant?: unknown } | undefined;
  return {
    metric: view.metric.label,
    unit: view.metric.unit,
    label: result?.label ?? "",
    edit: result?.edit ?? view.edit,
    constant: raw?.constant === true,
    corners: result && shown(result.status) ? result.corners : none,
    shares: normalizable(view.base.y11, view.base.y00),
  };
}

class Diagram {
  readonly parts: HTMLElement[];
  #split: Split = SPLITS[0] as Split;
  #corner: CornerKey | null = null;
  #label = h("bdi", { class: "mw-selected" });
  #held = h("span", { class: "mw-hint" });
  #metric = h("span", { class: "mw-of" });
  #switch = h("div", {
    class: "mw-segments",
    role: "group",
    "aria-label": "How the total is split",
  });
  #splitWords = h("span", { class: "mw-hint" });
  #picture = h("div", { class: "mw-picture" });
  #square = h("div", { class: "mw-runs" });
  #words = h("p", { class: "mw-sentence", role: "status" });
  #falls = h("div", { class: "mw-fallbox" });

  constructor(
    readonly store: Store,
    signal: AbortSignal,
  ) {
    this.#switch.append(...SPLITS.map((split) => this.#splitButton(split)));
    const title = h(
      "span",
      {},
      h("span", { class: "mw-hint", text: "mediator " }),
      this.#label,
      this.#held,
    );
    this.parts = [
      h("div", { class: "mw-part mw-medhead" }, title, this.#metric, kernel(store, signal)),
      errorLine(store, signal),
      h("div", { class: "mw-part mw-medbody" }, this.#picture, this.#square),
      this.#words,
      h(
        "div",
        { class: "mw-part mw-splits" },
        h("span", { text: "TE =" }),
        this.#switch,
        this.#splitWords,
      ),
      this.#falls,
    ];
    store.on(["view", "result"], () => this.#draw(), signal);
    this.#draw();
  }

  #splitButton(split: Split): HTMLElement {
    return button(
      split.sum,
      () => {
        this.#split = split;
        this.#draw();
      },
      { class: "mw-segment", title: split.words, "data-split": split.id },
    );
  }

  #draw(): void {
    const scene = sceneOf(this.store);
    if (!scene) return;
    // A run that there is none of any more is not pointed at.
    if (!known(scene) && (this.#corner === "y10" || this.#corner === "y01")) this.#corner = null;
    setText(this.#label, scene.label ? plain(scene.label, 120) : "none selected");
    const held = (this.store.model.get("result") as { held?: unknown } | undefined)?.held;
    setText(this.#held, held ? `, ${plain(String(held), 120)} held as in the base run` : "");
    const total = size(scene.corners.y11 - scene.corners.y00);
    setText(this.#metric, `${plain(scene.metric, 120)}, total effect ${total} ${scene.unit}`);
    const focused = this.#focusedRun();
    this.#picture.replaceChildren(pathDiagram(scene, this.#split, this.#corner));
    const choose = (key: CornerKey) => this.#choose(key);
    this.#square.replaceChildren(cornerSquare(scene, this.#corner, choose));
    if (focused) this.#runButton(focused)?.focus({ preventScroll: true });
    setText(this.#words, this.#sentence(scene));
    const splits = known(scene) && scene.edit.corners;
    setProps(this.#switch.parentElement as HTMLElement, { hidden: !splits });
    for (const one of this.#switch.querySelectorAll<HTMLElement>("button"))
      setProps(one, { "aria-pressed": String(one.dataset.split === this.#split.id) });
    setText(this.#splitWords, this.#split.words);
    this.#falls.replaceChildren(waterfallChart(scene, this.#split, this.#corner));
  }

  #choose(key: CornerKey): void {
    this.#corner = this.#corner === key ? null : key;
    this.#draw();
  }

  #runButton(key: string): HTMLElement | null {
    return this.#square.querySelector<HTMLElement>(`[data-run=${key}]`);
  }

  #focusedRun(): string | null {
    const el = document.activeElement;
    return el instanceof HTMLElement && this.#square.contains(el) ? (el.dataset.run ?? null) : null;
  }

  #sentence(scene: Scene): string {
    if (this.#corner) return runSentence(this.#corner, scene);
    const { view, resultReading } = this.store;
    if (!view || !resultReading) return NOTHING;
    if (resultReading.status === Status.Failed)
      return `${plain(resultReading.label, 120)} failed a check, so it has no numbers.`;
    if (!known(scene)) return NOTHING;
    if (!scene.edit.corners) return noCorners(scene);
    const label = plain(resultReading.label, 120);
    const { PIE, TIE } = estimands(scene.corners);
    if (isNothing(PIE, scene) && isNothing(TIE, scene))
      return `${label}: neither restoring nor breaking it changes anything. All goes past it.`;
    const words = sentence(view, "difference", resultReading);
    const said = words.startsWith(label) ? words : `${label}: ${words}`;
    return `${said} Click a run to see what it was.`;
  }

  /** Escape lets go of the run that is pointed at. True if there was one. */
  escape(): boolean {
    if (!this.#corner) return false;
    this.#choose(this.#corner);
    return true;
  }
}

export default () => {
  let store: Store | null = null;
  return {
    initialize({ model }: { model: Model }) {
      store = new Store(model);
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      const end = new AbortController();
      store ??= new Store(model);
      const diagram = new Diagram(store, end.signal);
      const root = shell("Mediation diagram", model, el, end.signal, ...diagram.parts);
      root.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || !diagram.escape()) return;
        taken(event);
      });
      return () => end.abort();
    },
  };
};
