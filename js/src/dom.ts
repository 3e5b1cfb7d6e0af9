// Elements without templates: text is always text, and every element that can take the focus keeps
// the notebook's shortcuts out (JupyterLab reads this attribute on the focused element only).

export const SUPPRESS = "data-lm-suppress-shortcuts";

export type Child = Node | string | null | undefined | false;
export type Props = Record<string, string | number | boolean | null | undefined>;

const FOCUSABLE = new Set(["button", "select", "input", "summary", "a", "textarea", "dialog"]);

/** Makes an element. `class`, `text` and attributes come from `props`; false and null leave one out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setProps(element, props);
  if (tag === "button") element.setAttribute("type", "button");
  if (FOCUSABLE.has(tag) || props.tabindex !== undefined) element.setAttribute(SUPPRESS, "true");
  for (const child of children) {
    if (child) element.append(child);
  }
  return element;
}

/** Sets attributes that changed; null and false remove them, `text` is the text content. */
export function setProps(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") setText(element, String(value ?? ""));
    else if (value === null || value === undefined || value === false) {
      if (element.hasAttribute(name)) element.removeAttribute(name);
    } else {
      const text = value === true ? "" : String(value);
      if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    }
  }
}

/** Writes text only where it changed, so that an unchanged line costs no layout. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Listens, in few letters: every view does it often. */
export function on<K extends keyof HTMLElementEventMap>(
  element: EventTarget,
  name: K,
  run: (event: HTMLElementEventMap[K]) => void,
): void {
  element.addEventListener(name, run as EventListener);
}

/** The view has done what the event asks for: neither the browser nor the notebook does more. */
export function taken(event: Event): void {
  event.preventDefault();
  event.stopPropagation();
}

/** A `div` and a `span` of a class. */
export const div = (name: string, ...children: Child[]) => h("div", { class: name }, ...children);
export const span = (name: string, ...children: Child[]) => h("span", { class: name }, ...children);

/** A button with words that are its accessible name, and optionally a drawn face. */
export function button(
  label: string,
  run: (event: MouseEvent) => void,
  props: Props = {},
): HTMLButtonElement {
  const element = h("button", { class: "mw-button", text: label, ...props });
  on(element, "click", run);
  return element;
}

/** A choice among options, named for those who hear the page; `run` gets each new value. */
export function choice(
  label: string,
  run: (value: string) => void,
  ...options: HTMLOptionElement[]
): HTMLSelectElement {
  const select = h("select", { class: "mw-select", "aria-label": label }, ...options);
  on(select, "change", () => run(select.value));
  return select;
}
