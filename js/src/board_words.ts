// What is said of a board: the names of its nodes and edges, and what they do.
import { type BoardEdge, type BoardNode, share } from "./board_data.ts";
import type { Board } from "./board_state.ts";
import { count, raw } from "./numbers.ts";
import { plain } from "./text.ts";

/** The accessible name: the label, and all that is known of it. */
export function nameOf(board: Board, id: string): string {
  const item = board.item(id);
  if (!item) return plain(id, 80);
  const does = board.has(id) ? " Enter removes it." : " Enter adds it.";
  const can = !("from" in item) || board.mode === "edge";
  return `${plain(id, 80)}: ${factsOf(board, item).join(", ")}.${can ? does : ""}`;
}

/** What is known of a node or an edge, in short sentences. */
export function factsOf(board: Board, item: BoardNode | BoardEdge): string[] {
  const facts = [board.has(item.id) ? "in the circuit" : "not in the circuit"];
  const unit = plain(board.network?.unit ?? "", 24);
  if ("group" in item) {
    const known = board.network?.known.get(item.id.split(" @ ")[0] ?? "");
    const group = item.group || known;
    if (group) facts.push(plain(group, 40));
    if (known !== undefined && !item.group)
      facts.push(`in ${plain(board.network?.overlay ?? "", 40)}`);
  }
  if (Number.isFinite(item.score)) facts.push(`score ${raw(item.score)} ${unit}`);
  if (item.within) facts.push(withoutWords(board, item.id));
  return facts;
}

function withoutWords(board: Board, id: string): string {
  const change = board.change(id);
  const numbers = board.graph?.numbers;
  if (!Number.isFinite(change) || !numbers) return "leaving it out was not run";
  if (numbers.refused) return `without it m(C) changes by ${raw(change)}`;
  const f = share(numbers, numbers.kept);
  return `without it faithfulness ${two(f)} becomes ${two(f + change)} (${signedTwo(change)})`;
}

/** What a committed result comes to, for those who hear the page. */
export function resultWords(board: Board): string {
  const numbers = board.graph?.numbers;
  if (!numbers) return "";
  const what = Number.isFinite(numbers.edges) ? `, ${count(numbers.edges, "edge")}` : "";
  const f = numbers.refused ? `m(C) ${raw(numbers.kept)}` : `Faithfulness ${two(numbers.f)}`;
  return `${f}. ${count(numbers.nodes, "node")}${what}.`;
}

export const two = (value: number) =>
  Number.isFinite(value)
    ? value
        .toFixed(2)
        .replace("-", "\u2212")
        .replace(/^\u2212(0\.00)$/, "$1")
    : "\u2013";

const signedTwo = (value: number) => (value > 0 ? "+" : "") + two(value);
