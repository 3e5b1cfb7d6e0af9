// What Python read in a draft of a pair (drafts.py), checked.
import { Reader, top } from "./decode.ts";
import type { TopToken } from "./protocol.ts";

export const FIELDS = ["clean", "corrupt", "answer", "wrong"] as const;
export type Field = (typeof FIELDS)[number];
export type Draft = Record<Field, string>;

export interface DraftReading {
  clean: string[];
  corrupt: string[];
  /** Positions side by side; null where one prompt has no partner for the other's token. */
  columns: [number | null, number | null][];
  problems: Partial<Record<Field, { message: string; value: string; fix: string }>>;
  notes: Partial<Record<Field, string>>;
  ok: boolean;
}

/** A draft from the part's trait. */
export function draftOf(from: Reader): Draft {
  const draft = from.at("draft");
  return Object.fromEntries(FIELDS.map((name) => [name, draft.text(name)])) as Draft;
}

/** The answer to the request "draft". Throws a ProtocolError where it does not fit. */
export function readingOf(data: unknown): DraftReading {
  const from = new Reader(data, "draft");
  const problems = from.at("problems");
  const notes = from.at("notes");
  const columns = from.raw("columns");
  const whole = (at: unknown) => at === null || Number.isInteger(at);
  if (!Array.isArray(columns) || !columns.every((c) => c?.length === 2 && c.every(whole)))
    from.fail("columns", "pairs of positions");
  const reading: DraftReading = {
    clean: from.values<string>("clean", "string"),
    corrupt: from.values<string>("corrupt", "string"),
    columns: columns as DraftReading["columns"],
    problems: {},
    notes: {},
    ok: from.flag("ok"),
  };
  for (const name of FIELDS) {
    if (notes.has(name)) reading.notes[name] = notes.text(name);
    if (!problems.has(name)) continue;
    const problem = problems.at(name);
    const [message, value, fix] = [
      problem.text("message"),
      problem.text("value"),
      problem.text("fix"),
    ];
    reading.problems[name] = { message, value, fix };
  }
  return reading;
}

/** The answer to the request "predict": the likeliest next tokens after either prompt. */
export function predictionsOf(data: unknown): { clean: TopToken[]; corrupt: TopToken[] } {
  const from = new Reader(data, "predictions");
  return { clean: top(from, "clean"), corrupt: top(from, "corrupt") };
}
