// SVG elements without templates, as dom.ts makes those of HTML.
import { type Child, type Props, setProps } from "./dom.ts";

const SVG = "http://www.w3.org/2000/svg";

/** Makes an SVG element; attributes and `text` come from `props`. */
export function s(tag: string, props: Props = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  setProps(element, props);
  for (const child of children) if (child) element.append(child);
  return element;
}
