// Requests to the kernel that wait for their answers: which are out, and for how long.

const BUSY_AFTER = 300;
/** Milliseconds after which it is looked again whether an answer can still come. */
const LOOK_AGAIN = 5000;

/** What to do with the data of an answer; null where there is none. */
export type Then = (data: unknown) => void;

interface Channel {
  send(content: unknown): void;
}

export class Requests {
  /** An answer has been out for longer than people take for "at once". */
  busy = false;
  #waiting = new Map<number, { timer: ReturnType<typeof setTimeout>; then: Then | undefined }>();
  #lastId = 0;

  constructor(
    readonly channel: Channel,
    /** Called when waiting has become worth saying. */
    readonly onBusy: () => void,
    /** Called when no answer will come: a server ends kernels without telling the page. */
    readonly onLost: () => void,
  ) {}

  /** Sends a request; its id, or null where nothing can be sent any more. */
  send(
    action: string,
    revision: number,
    payload: Record<string, unknown>,
    then?: Then,
  ): number | null {
    const id = ++this.#lastId;
    try {
      this.channel.send({ kind: "request", id, revision, action, ...payload });
    } catch {
      return null;
    }
    this.#look(id, BUSY_AFTER, then);
    return id;
  }

  /** A message that asks for nothing cannot be sent either where the kernel is gone. */
  #look(id: number, after: number, then?: Then): void {
    const timer = setTimeout(() => {
      try {
        if (this.busy) this.channel.send({});
      } catch {
        return this.onLost();
      }
      this.busy = true;
      this.#look(id, LOOK_AGAIN, then);
      this.onBusy();
    }, after);
    this.#waiting.set(id, { timer, then });
  }

  answered(id: number, data: unknown = null): void {
    const entry = this.#waiting.get(id);
    clearTimeout(entry?.timer);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.busy = false;
    entry?.then?.(data);
  }

  /** No answer will come. */
  forget(): void {
    for (const id of [...this.#waiting.keys()]) this.answered(id);
  }
}
