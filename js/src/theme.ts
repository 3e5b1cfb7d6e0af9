// Light or dark, read from the page behind the view: hosts name their themes differently, but all
// paint a background.

type Rgb = [number, number, number];

/** The numbers of a computed colour; null where it is transparent. */
function parseColor(color: string): Rgb | null {
  const [r, g, b, alpha = 1] = (color.match(/[\d.]+/g) ?? []).map(Number);
  if (!color.startsWith("rgb") || r === undefined || g === undefined || b === undefined)
    return null;
  return alpha < 0.5 ? null : [r, g, b];
}

const darkDevice = () => matchMedia("(prefers-color-scheme: dark)");

/** The first background that is painted, from the element outward. */
function behind(el: Element): Rgb {
  let node: Element | null | undefined = el;
  for (; node; node = node.parentElement ?? (node.getRootNode() as Partial<ShadowRoot>).host) {
    const color = parseColor(getComputedStyle(node).backgroundColor);
    if (color) return color;
  }
  return darkDevice().matches ? [17, 17, 17] : [255, 255, 255];
}

function isDark([r, g, b]: Rgb): boolean {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 110;
}

export type Palette = "rdbu" | "puor";
const [PALETTE, LOOK] = ["mw-palette", "mw-look"];

/** The colours of every view on the page: whoever needs other ones needs them everywhere. */
export function palette(): Palette {
  return document.body.dataset.mwPalette === "puor" ? "puor" : "rdbu";
}

export function setPalette(to: Palette): void {
  document.body.dataset.mwPalette = to;
  document.dispatchEvent(new Event(PALETTE));
}

/** Calls `run` whenever theme or palette were read anew, as long as `el` is in the page. */
export function onLook(run: () => void, el: Element): void {
  let seen = false;
  const look = () => {
    if (el.isConnected) seen = true;
    else if (seen) return document.removeEventListener(LOOK, look);
    run();
  };
  document.addEventListener(LOOK, look);
}

/** Calls `run` after every change of palette, until the signal ends it. */
export function onPalette(run: () => void, signal: AbortSignal): void {
  document.addEventListener(PALETTE, run, { signal });
}

/** Keeps `root`'s data-theme, data-palette and surface in step with the page, until the signal ends it. */
export function followTheme(root: HTMLElement, signal: AbortSignal): void {
  const read = () => {
    const color = behind(root.parentElement ?? root);
    root.dataset.theme = isDark(color) ? "dark" : "light";
    root.dataset.palette = palette();
    document.dispatchEvent(new Event(LOOK));
    root.style.setProperty("--mw-surface", `rgb(${color.join(" ")})`);
  };
  let later: ReturnType<typeof setTimeout> | undefined;
  const soon = () => {
    read();
    // Style sheets of a theme arrive after its name.
    clearTimeout(later);
    later = setTimeout(read, 400);
  };
  const observer = new MutationObserver(soon);
  for (const node of [document.documentElement, document.body])
    observer.observe(node, { attributes: true });
  darkDevice().addEventListener("change", soon, { signal });
  signal.addEventListener("abort", () => {
    clearTimeout(later);
    observer.disconnect();
  });
  onPalette(read, signal);
  soon();
}
