// A press that moves chooses the rectangle of cells between its ends. A finger scrolls instead.
import { div } from "./dom.ts";
import type { Matrix } from "./matrix.ts";

/** Pixels that a pointer moves before a press is a drag. */
const DRAG = 5;

export function lasso(matrix: Matrix): void {
  const { el } = matrix;
  let start: { at: number; x: number; y: number } | null = null;
  let band: HTMLElement | null = null;
  let end: number | null = null;
  let dragged = false;

  /** Ends the press, whatever it was. */
  const stop = () => {
    start = null;
    band?.remove();
    band = null;
    removeEventListener("pointerup", drop);
    removeEventListener("pointercancel", stop);
  };

  const pull = (event: PointerEvent) => {
    if (!start) return;
    // The button was let go where nothing tells of it.
    if (!(event.buttons & 1)) return stop();
    const { clientX, clientY } = event;
    const { x, y } = start;
    if (!band && Math.hypot(clientX - x, clientY - y) < DRAG) return;
    band ??= div("mw-band");
    end = matrix.of(event) ?? end;
    const box = el.getBoundingClientRect();
    Object.assign(band.style, {
      left: `${Math.min(x, clientX) - box.left}px`,
      top: `${Math.min(y, clientY) - box.top}px`,
      width: `${Math.abs(clientX - x)}px`,
      height: `${Math.abs(clientY - y)}px`,
    });
    el.append(band);
  };

  const drop = (event: PointerEvent) => {
    const from = start?.at;
    const drawn = band !== null;
    stop();
    if (!drawn || from === undefined || !el.isConnected) return;
    dragged = true;
    // Wherever the button is let go, the cell that was reached last is the other corner.
    matrix.rectangle(from, end ?? from, event.shiftKey);
  };

  el.addEventListener("pointerdown", (event) => {
    dragged = false;
    const at = matrix.of(event);
    if (at === null || event.button !== 0 || event.pointerType === "touch") return;
    start = { at, x: event.clientX, y: event.clientY };
    end = at;
    addEventListener("pointerup", drop);
    addEventListener("pointercancel", stop);
  });
  el.addEventListener("pointermove", pull);
  // The click that follows a drag is its end, and no click.
  el.addEventListener(
    "click",
    (event) => {
      if (dragged) event.stopImmediatePropagation();
      dragged = false;
    },
    { capture: true },
  );
}
