// A gate with its two wires, lit where they carry the clean value.
import { s } from "./svg.ts";

const [WIDTH, HEIGHT] = [300, 132];

/** The drawing: `output` is what stands at Y, "?" as long as it has not been predicted. */
export function gatePicture(
  name: string,
  mediator: boolean,
  bypass: boolean,
  output: string,
): SVGElement {
  const on = (lit: boolean) => (lit ? "clean" : "corrupt");
  const words = `Gate ${name}: M ${on(mediator)}, bypass ${on(bypass)}, output ${output}`;
  const text = (x: number, y: number, style: string, told: string) =>
    s("text", { class: style, x, y, "text-anchor": "middle", text: told });
  return s(
    "svg",
    {
      class: "mw-gatepicture",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      width: WIDTH,
      height: HEIGHT,
      role: "img",
      "aria-label": words,
    },
    wire("M78 34 H112 V52 H136", mediator),
    wire("M78 98 H112 V80 H136", bypass),
    wire("M206 66 H236", false, true),
    node(44, 34, "M", mediator),
    node(44, 98, "bypass", bypass),
    s("rect", { class: "mw-gatebody", x: 136, y: 40, width: 70, height: 52, rx: 10 }),
    text(171, 71, "mw-gatename", name.length > 7 ? `${name.slice(0, 6)}…` : name),
    s("rect", { class: "mw-gateout", x: 236, y: 46, width: 56, height: 40, rx: 6 }),
    text(264, 62, "mw-gatesmall", "Y"),
    text(264, 79, "mw-gatevalue", output),
  );
}

function wire(d: string, lit: boolean, out = false): SVGElement {
  return s("path", {
    class: "mw-wire",
    "data-lit": lit ? "true" : null,
    "data-out": out || null,
    d,
  });
}

function node(x: number, y: number, name: string, lit: boolean): SVGElement {
  const text = (dy: number, style: string, told: string) =>
    s("text", { class: style, x, y: y + dy, "text-anchor": "middle", text: told });
  return s(
    "g",
    { class: "mw-gatein", "data-lit": lit ? "true" : null },
    s("rect", { x: x - 40, y: y - 19, width: 80, height: 38, rx: 6 }),
    text(-2, "mw-gatename", name),
    text(13, "mw-gatesmall", lit ? "clean = 1" : "corrupt = 0"),
  );
}
