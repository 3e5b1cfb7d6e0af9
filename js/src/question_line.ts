// The line to the kernel: one message at a time, and what is known of its answer.
import type { Model } from "./protocol.ts";
import { type Lesson, lessonOf } from "./question_state.ts";

export type Deed = "commit" | "hint" | "reveal" | "go";
export interface Sent {
  deed: Deed;
  id: string;
  seq: number;
  /** How many hints were shown, or which question is wanted. */
  from: number;
}
/** Milliseconds until the kernel is said to be busy, and until one may ask again. */
const [BUSY, LONG] = [2500, 20_000];

export class QuestionLine {
  lesson: Lesson;
  sent: Sent | null = null;
  /** Of what was sent: just now, for a while, for so long that it may be sent again. */
  wait: "none" | "short" | "busy" | "long" = "none";
  gone = false;
  #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(
    readonly model: Model,
    readonly tell: () => void,
    signal: AbortSignal,
  ) {
    this.lesson = lessonOf(model.get("state"));
    model.on("change:state", () => {
      if (!signal.aborted) this.#arrived();
    });
    for (const event of ["comm_live_update", "comm:close", "destroy"])
      model.on(event, () => this.#lost());
    signal.addEventListener("abort", () => this.#end());
  }

  /** On a page that was exported there is nobody to ask. */
  get alone(): boolean {
    return "mediawidgetViews" in globalThis;
  }
  /** Whether nothing can be sent now. */
  get still(): boolean {
    return this.gone || this.alone || (this.sent !== null && this.wait !== "long");
  }

  send(deed: Deed, id: string, from: number, more: Record<string, unknown> = {}): void {
    if (this.still) return;
    this.#end();
    try {
      this.model.send({ do: deed, ...(deed === "go" ? {} : { id }), ...more });
    } catch {
      this.#lost();
      return;
    }
    this.sent = { deed, id, seq: this.lesson.seq, from };
    this.#after("short", 0);
    this.#after("busy", BUSY);
    this.#after("long", LONG);
    this.tell();
  }

  #after(wait: QuestionLine["wait"], time: number): void {
    const now = () => {
      this.wait = wait;
      if (time) this.tell();
    };
    if (time) this.#timers.push(setTimeout(now, time));
    else now();
  }

  #arrived(): void {
    this.lesson = lessonOf(this.model.get("state"));
    if (this.sent && answers(this.sent, this.lesson)) this.#end();
    this.tell();
  }

  #end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.sent = null;
    this.wait = "none";
  }

  #lost(): void {
    this.#end();
    this.gone = true;
    this.tell();
  }
}

/** Whether a state is the answer to what was sent, and not other news of the lesson. */
export function answers({ deed, id, seq, from }: Sent, { card, at, ...now }: Lesson): boolean {
  if (now.seq <= seq) return false;
  if (!card || card.error) return true;
  if (deed === "go") return at === from;
  if (card.id !== id) return true;
  if (deed === "hint") return card.hints.length > from || card.hintsLeft === 0;
  if (deed === "reveal") return card.status !== "committed";
  // A cell's run comes after the guess was kept.
  return card.status !== "open" && (card.kind !== "pick" || card.tried !== null);
}
