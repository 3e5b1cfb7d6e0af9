// Token texts as people can read them: spaces and line ends visible, nothing that turns the line.
import { h } from "./dom.ts";

const LONGEST = 48;
// Control characters, and the marks that change the direction of the text around them.
const HIDDEN = /[\p{Cc}\p{Cf}]/gu;

/** Invisible and direction-changing characters spelled out, long texts cut. */
export function plain(text: string, longest = LONGEST): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut
    .replace(/\r?\n/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

/** A token in <bdi>; each leading or trailing space is a small visible mark that copies as a space. */
export function token(text: string): HTMLElement {
  const shown = plain(text);
  const body = shown.trim();
  const start = body ? shown.indexOf(body) : shown.length;
  const bdi = h("bdi", { class: "mw-token" });
  for (const c of shown.slice(0, start)) bdi.append(h("span", { class: "mw-space", text: c }));
  if (body) bdi.append(body);
  if (body)
    for (const c of shown.slice(start + body.length))
      bdi.append(h("span", { class: "mw-space", text: c }));
  return bdi;
}

/** A token's text for labels and names: trimmed unless nothing would be left. */
export function word(text: string): string {
  const shown = plain(text);
  return shown.trim() || (shown ? `'${shown}'` : "''");
}
