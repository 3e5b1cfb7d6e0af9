// The line to the kernel by itself: requests, what went wrong, how far a job is. Views that show
// other things than cells have it in the place of a store.
import { decodeMessage, ProtocolError } from "./decode.ts";
import type { Model, Progress, RequestError } from "./protocol.ts";
import { Requests, type Then } from "./requests.ts";
import type { Change, Store } from "./store.ts";

/** What the error line, the kernel's state, exports and code need of a store. */
export type Asking = Pick<
  Store,
  "on" | "ask" | "live" | "busy" | "said" | "error" | "dismissError" | "unit"
>;

export class Line implements Asking {
  error: RequestError | null = null;
  progress: Progress | null = null;
  said = "";
  live = true;
  readonly unit = "raw";
  #listeners = new Set<() => void>();
  #requests: Requests;

  constructor(readonly model: Model) {
    const tell = () => this.#tell();
    const lost = () => this.#lost();
    this.#requests = new Requests(model, tell, lost);
    model.on("msg:custom", ((message: unknown) =>
      this.guard(() => {
        const found = decodeMessage(message);
        if (found?.kind === "waiting") this.said = found.said;
        if (found?.kind === "progress") this.progress = found;
        if (found?.kind === "reply") {
          if (found.error) this.error = found.error;
          this.#requests.answered(found.id, found.data);
        }
        tell();
      })) as never);
    for (const event of ["comm_live_update", "comm:close", "destroy"]) model.on(event, lost);
  }

  /** Calls `run` after each change, until the signal ends it. */
  on(_changes: readonly Change[], run: () => void, signal?: AbortSignal): void {
    this.#listeners.add(run);
    signal?.addEventListener("abort", () => this.#listeners.delete(run));
  }

  get busy(): boolean {
    return this.#requests.busy;
  }

  get sweeping(): boolean {
    return this.progress?.state === "running";
  }

  /** Sends a request; its id, 0 where the kernel is gone. `then` gets the data of its answer. */
  ask(action: string, payload: Record<string, unknown> = {}, then?: Then): number {
    this.error = null;
    const id = this.#requests.send(action, 0, payload, then);
    if (id === null) this.#lost();
    else this.#tell();
    return id ?? 0;
  }

  dismissError(): void {
    this.error = null;
    this.#tell();
  }

  /** A message that cannot be read changes nothing and is said. */
  guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const message = `The kernel sent what this view cannot read: ${error.message}.`;
      this.error = { message, value: "", expected: "", fix: "Run the cell again." };
      this.#tell();
    }
  }

  #lost(): void {
    this.live = false;
    this.#requests.forget();
    this.#tell();
  }

  #tell(): void {
    for (const run of [...this.#listeners]) run();
  }
}
