// One question on the page: prompt, input, commit and hints, then what came of the guess.
import { button, div, h, setProps, setText, span } from "./dom.ts";
import { answer, paragraphs, tried } from "./question_answer.ts";
import {
  type Doing,
  type Draft,
  deed,
  type Input,
  numeral,
  options,
  sentence,
} from "./question_inputs.ts";
import type { QuestionLine } from "./question_line.ts";
import { cells } from "./question_pick.ts";
import { type Card, compared, guessed, type Lesson, lines } from "./question_state.ts";

const INPUTS: Record<Card["kind"], (card: Card, doing: Doing) => Input> = {
  choice: options,
  number: numeral,
  pick: cells,
  text: sentence,
  do: deed,
};
let prompts = 0;

export class QuestionCard {
  readonly id: string;
  readonly el: HTMLElement;
  #card: Card;
  #feedback = true;
  #input: Input;
  #tried = tried();
  #answer = answer();
  #commit = button("Commit", () => this.#send(), { class: "mw-button mw-qcommit" });
  #reveal = button("Reveal", () => this.#ask("reveal"), { class: "mw-button mw-qcommit" });
  #hint = button("Hint", () => this.#ask("hint"));
  #ring = h("i", { class: "mw-qring", "aria-hidden": "true", hidden: true });
  #said = span("mw-qsaid");
  #act = div("mw-qact", this.#commit, this.#reveal, this.#ring, this.#said, this.#hint);
  #rule = h("p", { class: "mw-hint mw-qrule" });
  #error = h("p", { class: "mw-qnotice", hidden: true });
  #prompt = h("div", { class: "mw-qprompt", id: `mw-qprompt${prompts++}` });
  #asked = "";
  #hints = h("ol", { class: "mw-qhints", hidden: true });

  constructor(
    card: Card,
    readonly line: QuestionLine,
    draft: Draft,
    /** Where those who hear the page are told of what changed. */
    readonly status: HTMLElement,
  ) {
    this.#card = card;
    this.id = card.id;
    const make = INPUTS[card.kind] ?? deed;
    this.#input = make(card, {
      draft,
      named: this.#prompt.id,
      changed: () => this.#draw(),
      commit: () => this.#send(),
    });
    if (card.kind === "do") setText(this.#commit, "Done");
    this.el = div(
      "mw-qcard",
      this.#prompt,
      div("mw-qdesk", this.#input.el, this.#tried.el),
      this.#input.below,
      this.#act,
      this.#rule,
      this.#error,
      this.#hints,
      this.#answer.el,
    );
    this.#drawPrompt();
    this.#drawHints(false);
    this.status.textContent = "";
  }

  resize(width: number): void {
    this.#input.resize?.(width);
  }

  /** Draws a state; what is new in it is told, and the focus goes on with it. */
  update(lesson: Lesson): void {
    const [before, now] = [this.#card, lesson.card as Card];
    this.#card = now;
    this.#feedback = lesson.feedback;
    const focused = this.el.contains(document.activeElement);
    this.#drawPrompt();
    this.#drawHints(focused);
    this.#tried.update(now.tried);
    this.#answer.update(now);
    this.#draw();
    if (before.status !== now.status) this.#changed(now, focused);
  }

  // --- what people do ------------------------------------------------------------------------------

  #send(): void {
    const guess = this.#input.guess();
    if (this.#card.status !== "open" || guess === null) {
      this.#draw();
      return;
    }
    this.line.send("commit", this.id, 0, { guess });
  }

  #ask(what: "hint" | "reveal"): void {
    this.line.send(what, this.id, this.#card.hints.length);
  }

  // --- drawing -------------------------------------------------------------------------------------

  #draw(): void {
    const { status, kind, error } = this.#card;
    const { still, sent, wait, gone, alone } = this.line;
    const [open, over] = [status === "open", status === "revealed"];
    const waiting = sent !== null && wait !== "long";
    this.#input.update(this.#card, waiting && sent?.deed === "commit");
    this.#commit.hidden = !open;
    setProps(this.#commit, {
      "aria-disabled": (still || this.#input.guess() === null) && "true",
    });
    this.#reveal.hidden = open || over || !this.#feedback;
    setText(this.#reveal, status === "failed" ? "Reveal again" : "Reveal");
    setProps(this.#reveal, { "aria-disabled": still && "true" });
    const { hintsLeft } = this.#card;
    this.#hint.hidden = over || hintsLeft === 0;
    setText(this.#hint, `Hint, ${hintsLeft} left`);
    setProps(this.#hint, { "aria-disabled": still && "true" });

    this.#ring.hidden = !waiting;
    const lost = gone || alone;
    setText(this.#said, waiting ? this.#running() : lost ? this.#lost() : this.#told());
    setProps(this.#said, { "data-lost": (lost || wait === "long") && !over && "true" });
    setText(this.#rule, open && !lost ? this.#kept() : "");
    this.#rule.hidden = this.#rule.textContent === "";
    setProps(this.#act, { "data-open": open && "true" });
    this.#act.hidden = over && this.#said.textContent === "";
    const wrong = kind === "number" && open && this.#input.el.querySelector("[aria-invalid]");
    setProps(this.#said, { "data-wrong": wrong && !waiting ? "true" : null });
    setText(this.#error, lines(error));
    this.#error.hidden = error === "";
  }

  #running(): string {
    const { sent, wait } = this.line;
    if (wait === "busy") return "The model is busy; this is queued.";
    const run = this.#card.kind === "pick" ? "running your guess…" : "keeping your guess…";
    return { commit: run, reveal: "running the model…", hint: "…", go: "…" }[sent?.deed ?? "go"];
  }

  /** What cannot be done without a kernel. */
  #lost(): string {
    const { status } = this.#card;
    if (status === "revealed") return "";
    const why = this.line.alone ? "This is a copy." : "The kernel is gone; what you typed stays.";
    const what = status === "open" ? "Committing" : "The answer";
    return `${why} ${what} needs the notebook${this.line.alone ? "" : " and its kernel"}.`;
  }

  /** What is missing or, after the guess, that it is kept. */
  #told(): string {
    const { status, kind, truth } = this.#card;
    if (this.line.wait === "long")
      return "The kernel has not answered. What you typed is still here: try again.";
    if (status === "open") return this.#input.told();
    if (kind === "do") return "Done.";
    if (status === "revealed") return truth?.right === null ? "Kept; a person judges it." : "";
    const value = kind === "number" ? ` ${guessed(this.#card)}` : "";
    const kept = kind === "text" ? "Your words are kept." : `Your guess${value} is kept.`;
    return this.#feedback ? kept : `${kept} Nothing is judged here yet.`;
  }

  #kept(): string {
    const { kind } = this.#card;
    if (kind === "do") return "";
    if (!this.#feedback) return "Your first answer is kept.";
    if (kind === "text") return "What you commit is kept; nobody but a person judges it.";
    return "Your first guess is kept. Guessing earns the credit, not being right.";
  }

  /** Its words may name what was found since. */
  #drawPrompt(): void {
    const now = this.#card.prompt.join("\n\n");
    if (now === this.#asked) return;
    this.#asked = now;
    this.#prompt.replaceChildren(...paragraphs(this.#card.prompt));
  }

  #drawHints(focused: boolean): void {
    const { hints, hintsLeft } = this.#card;
    const had = this.#hints.childElementCount;
    for (const words of hints.slice(had)) {
      const item = h("li", { tabindex: -1 }, ...paragraphs([words]));
      this.#hints.append(item);
      if (had === 0 && !focused) continue;
      setText(this.status, `Hint ${this.#hints.childElementCount}: ${lines(words)}`);
      // The button goes with the last hint.
      if (focused && hintsLeft === 0) item.focus();
    }
    this.#hints.hidden = hints.length === 0;
  }

  /** A guess was kept, or an answer came. */
  #changed(card: Card, focused: boolean): void {
    if (card.status === "revealed") {
      setText(this.status, compared(card) || "The answer is shown.");
      if (focused) this.#answer.focus();
      return;
    }
    setText(this.status, [this.#told(), card.tried ? lines(card.tried.sentence) : ""].join(" "));
    if (!focused) return;
    const next = this.#reveal.hidden ? this.#hint : this.#reveal;
    if (!next.hidden) next.focus();
  }
}
