// GatePlayground: predict what a gate puts out in each of the four runs, then read PIE, TIE, INT.
import "./styles.css";
import "./gates.css";
import { button, h, setProps, setText } from "./dom.ts";
import { estimands } from "./estimands.ts";
import { gatePicture } from "./gate_picture.ts";
import {
  CORNERS,
  type CornerName,
  choices,
  cornerOf,
  type Gate,
  type Guesses,
  isRight,
  plainNumber,
  score,
  signedNumber,
  switchesOf,
  verdict,
} from "./gates.ts";
import type { Model } from "./protocol.ts";
import { shell } from "./shell.ts";
import { plain } from "./text.ts";

const ORDER: readonly CornerName[] = ["y11", "y10", "y01", "y00"];

class Playground {
  readonly parts: HTMLElement[];
  #gates: Gate[];
  #mediator = true;
  #bypass = true;
  #choose = h("div", { class: "mw-segments", role: "group", "aria-label": "Gate" });
  #words = h("span", { class: "mw-hint" });
  #score = h("span", { class: "mw-score" });
  #picture = h("div", { class: "mw-gatebox" });
  #switches = h("div", { class: "mw-switches", role: "group", "aria-label": "Switches" });
  #ask = h("div", { class: "mw-ask", role: "group", "aria-label": "Prediction" });
  #said = h("p", { class: "mw-sentence", role: "status" });
  #runs = h("div", { class: "mw-gateruns", role: "group", "aria-label": "Runs" });
  #result = h("div", { class: "mw-gateresult", "aria-live": "polite" });

  constructor(
    readonly model: Model,
    signal: AbortSignal,
  ) {
    this.#gates = model.get("gates") as Gate[];
    this.#choose.append(...this.#gates.map((gate) => this.#gateButton(gate)));
    this.#switches.append(this.#switch("M"), this.#switch("bypass"));
    const again = button("Again", () => this.#again(), { title: "Forget this gate's answers" });
    this.parts = [
      h("div", { class: "mw-part mw-gatehead" }, this.#choose, this.#words, this.#score, again),
      h(
        "div",
        { class: "mw-part mw-gatebody2" },
        h("div", { class: "mw-gateleft" }, this.#picture, this.#switches),
        this.#runs,
      ),
      this.#ask,
      this.#said,
      this.#result,
    ];
    const draw = () => {
      if (!signal.aborted) this.#draw();
    };
    for (const name of ["gate", "guesses"]) model.on(`change:${name}`, draw);
    this.#draw();
  }

  get #gate(): Gate {
    const name = this.model.get("gate");
    return (this.#gates.find((gate) => gate.name === name) ?? this.#gates[0]) as Gate;
  }
  get #guesses(): Guesses {
    return (this.model.get("guesses") ?? {}) as Guesses;
  }
  get #corner(): CornerName {
    return cornerOf(this.#mediator, this.#bypass);
  }

  // --- what people do ------------------------------------------------------------------------

  #write(name: string, value: unknown): void {
    this.model.set(name, value);
    try {
      this.model.save_changes();
    } catch {
      // The kernel is gone; the page goes on by itself.
    }
    this.#draw();
  }

  #predict(guess: number): void {
    const { name } = this.#gate;
    const mine = this.#guesses[name] ?? {};
    if (mine[this.#corner] !== undefined) return;
    this.#write("guesses", { ...this.#guesses, [name]: { ...mine, [this.#corner]: guess } });
  }

  #again(): void {
    const { [this.#gate.name]: _, ...rest } = this.#guesses;
    this.#show("y11");
    this.#write("guesses", rest);
  }

  #show(corner: CornerName): void {
    ({ mediator: this.#mediator, bypass: this.#bypass } = switchesOf(corner));
    this.#draw();
  }

  // --- drawing -------------------------------------------------------------------------------

  #gateButton(gate: Gate): HTMLElement {
    const pick = () => {
      this.#show("y11");
      this.#write("gate", gate.name);
    };
    return button(plain(gate.name, 12), pick, { class: "mw-segment", "data-gate": gate.name });
  }

  #switch(name: "M" | "bypass"): HTMLElement {
    const flip = () => {
      if (name === "M") this.#mediator = !this.#mediator;
      else this.#bypass = !this.#bypass;
      this.#draw();
    };
    const el = button("", flip, { class: "mw-switch", role: "switch", "data-name": name });
    el.append(h("i"), h("span", { text: name }), h("span", { class: "mw-hint" }));
    return el;
  }

  #draw(): void {
    const gate = this.#gate;
    const guesses = this.#guesses[gate.name] ?? {};
    const corner = this.#corner;
    const guess = guesses[corner];
    const value = (one: CornerName) =>
      guesses[one] === undefined ? "?" : plainNumber(gate.corners[one]);
    for (const el of this.#choose.querySelectorAll<HTMLElement>("button"))
      setProps(el, { "aria-pressed": String(el.dataset.gate === gate.name) });
    setText(this.#words, plain(gate.words, 80));
    const { right, asked } = score(this.#gates, this.#guesses);
    setText(this.#score, asked ? `${right} of ${asked} right` : "");
    this.#picture.replaceChildren(
      gatePicture(plain(gate.name, 12), this.#mediator, this.#bypass, value(corner)),
    );
    this.#drawSwitches();
    this.#drawRuns(gate, guesses, corner);
    this.#drawQuestion(guess);
    setText(this.#said, this.#sentence(gate, corner, guess));
    const done = CORNERS.every((one) => guesses[one] !== undefined);
    this.#result.replaceChildren(...(done ? results(gate) : []));
  }

  #drawSwitches(): void {
    for (const el of this.#switches.querySelectorAll<HTMLElement>("button")) {
      const on = el.dataset.name === "M" ? this.#mediator : this.#bypass;
      const words = on ? "clean = 1" : "corrupt = 0";
      setProps(el, { "aria-checked": String(on), "aria-label": `${el.dataset.name}: ${words}` });
      setText(el.lastElementChild as Element, words);
    }
  }

  #drawRuns(gate: Gate, guesses: Guesses[string], now: CornerName): void {
    const cells = ORDER.map((corner) => {
      const guess = guesses[corner];
      const name = corner.toUpperCase();
      const { mediator, bypass } = switchesOf(corner);
      const words = `bypass ${bypass ? 1 : 0}, M ${mediator ? 1 : 0}`;
      const known = guess !== undefined;
      const ok = known && isRight(gate, corner, guess);
      const answer = known ? plainNumber(gate.corners[corner]) : "?";
      const mark = known ? (ok ? "✓" : `✗ you said ${plainNumber(guess)}`) : "not predicted yet";
      const el = this.#runs.querySelector<HTMLElement>(`[data-run=${corner}]`) ?? this.#run(corner);
      setProps(el, {
        "aria-pressed": String(corner === now),
        "aria-label": `${name}, ${words}: ${answer}, ${ok ? "right" : mark.replace("✗ ", "wrong, ")}`,
        "data-ok": known ? String(ok) : null,
      });
      const [title, value, told, judged] = el.children as unknown as HTMLElement[];
      if (title && value && told && judged) {
        setText(title, name);
        setText(value, answer);
        setText(told, words);
        setText(judged, mark);
      }
      return el;
    });
    if (this.#runs.childElementCount === 0) this.#runs.append(...cells);
  }

  #run(corner: CornerName): HTMLElement {
    const el = button("", () => this.#show(corner), { class: "mw-gaterun", "data-run": corner });
    for (const name of ["mw-y", "mw-gateanswer", "mw-gatesub", "mw-gatemark"])
      el.append(h("span", { class: name }));
    return el;
  }

  #drawQuestion(guess: number | undefined): void {
    if (this.#ask.childElementCount === 0) {
      const options = choices(this.#gates).map((number) =>
        button(plainNumber(number), () => this.#predict(number), {
          class: "mw-button mw-guess",
          "data-guess": number,
          "aria-label": `Predict ${plainNumber(number)}`,
        }),
      );
      const next = button("Next", () => this.#next(), { class: "mw-button mw-next2" });
      this.#ask.append(h("span", { class: "mw-question" }), ...options, next);
    }
    const known = guess !== undefined;
    const where = `Y(bypass ${this.#bypass ? 1 : 0}, M ${this.#mediator ? 1 : 0})`;
    setText(
      this.#ask.firstElementChild as Element,
      known ? `You predicted ${where}.` : `What is ${where}?`,
    );
    for (const el of this.#ask.querySelectorAll<HTMLElement>(".mw-guess"))
      setProps(el, {
        "aria-disabled": known ? "true" : null,
        "data-chosen": known && Number(el.dataset.guess) === guess ? "true" : null,
      });
    const next = this.#ask.querySelector<HTMLElement>(".mw-next2");
    if (next) next.hidden = !known || this.#open() === undefined;
  }

  /** A run of this gate that has not been predicted. */
  #open(): CornerName | undefined {
    const guesses = this.#guesses[this.#gate.name] ?? {};
    return CORNERS.find((corner) => guesses[corner] === undefined);
  }

  #next(): void {
    const open = this.#open();
    if (!open) return;
    this.#show(open);
    this.#ask.querySelector<HTMLElement>(".mw-guess")?.focus();
  }

  #sentence(gate: Gate, corner: CornerName, guess: number | undefined): string {
    const { mediator, bypass } = switchesOf(corner);
    const value = (on: boolean) => (on ? "clean" : "corrupt");
    const what =
      mediator === bypass
        ? `the ${value(bypass)} run as it is`
        : mediator
          ? "the corrupt run with M restored to its clean value"
          : "the clean run with M broken to its corrupt value";
    const name = `${corner.toUpperCase()} is ${what}.`;
    if (guess === undefined) return `${name} Predict its output before you see it.`;
    const answer = plainNumber(gate.corners[corner]);
    return isRight(gate, corner, guess)
      ? `${name} It gives ${answer}, as you said.`
      : `${name} It gives ${answer}, not ${plainNumber(guess)}: ${plain(gate.words, 80)}.`;
  }
}

/** PIE, TIE and INT with their formulas, and what they say. */
function results(gate: Gate): HTMLElement[] {
  const all = estimands(gate.corners);
  const formulas = [
    ["PIE", "restore", "Y01 − Y00"],
    ["TIE", "break", "Y11 − Y10"],
    ["INT", "difference", "TIE − PIE"],
    ["TE", "total", "Y11 − Y00"],
  ] as const;
  const list = h("div", { class: "mw-gatefacts" });
  for (const [name, verb, formula] of formulas)
    list.append(
      h(
        "div",
        {},
        h("div", { class: "mw-hint" }, h("b", { text: name }), ` ${verb}`),
        h("div", { class: "mw-gateanswer", "data-fact": name, text: signedNumber(all[name]) }),
        h("div", { class: "mw-hint", text: formula }),
      ),
    );
  return [list, h("p", { class: "mw-verdict", text: verdict(gate.corners) })];
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }) {
    const end = new AbortController();
    const playground = new Playground(model, end.signal);
    shell("Gate playground", model, el, end.signal, ...playground.parts);
    return () => end.abort();
  },
};
