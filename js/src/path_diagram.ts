// Input -> mediator -> metric, and the bypass, as a drawing: widths and colours are the numbers'.
import { towardClean } from "./estimands.ts";
import { amount, known, mediator, pictureWords, type Scene, shownName } from "./mediation_words.ts";
import { type CornerKey, quantities, type Split } from "./splits.ts";
import { s } from "./svg.ts";
import { plain } from "./text.ts";

const [WIDTH, HEIGHT] = [360, 204];
const [THIN, THICK] = [2, 14];
const LONGEST = 17;
/** A smaller share of the whole is drawn as none. */
const NOTHING = 0.005;

type Point = readonly [number, number];
const X: Point = [48, 152];
const M: Point = [158, 30];
const Y: Point = [323, 152];
const JOINT: Point = [158, 96];
const LOW = 160;

/** A path with its number: ends, the number's name and place, and where the text is anchored. */
interface Path {
  name: string;
  ends: readonly [Point, Point];
  at: Point;
  anchor: "start" | "middle" | "end";
}
const THROUGH: Omit<Path, "name"> = {
  ends: [
    [222, 46],
    [300, 123],
  ],
  at: [272, 64],
  anchor: "start",
};
const BYPASS: Omit<Path, "name"> = {
  ends: [
    [95, LOW],
    [283, LOW],
  ],
  at: [190, LOW + 24],
  anchor: "middle",
};
const TOGETHER: Omit<Path, "name"> = {
  ends: [
    [169, 99],
    [285, 138],
  ],
  at: [142, 94],
  anchor: "end",
};

/** The drawing. `corner`: a run to show in it, else both prompts' values stand beside each node. */
export function pathDiagram(scene: Scene, split: Split, corner: CornerKey | null): SVGElement {
  const paths = pathsOf(scene, split);
  const svg = s("svg", {
    class: "mw-paths",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    width: WIDTH,
    height: HEIGHT,
    role: "img",
    "aria-label": pictureWords(scene, known(scene) ? ["TE", ...paths.map((p) => p.name)] : ["TE"]),
  });
  const set = known(scene) && !scene.edit.corners;
  svg.append(line([42, 130], [92, 52], set ? "mw-edge mw-cut" : "mw-edge"));
  if (set) svg.append(s("path", { class: "mw-scissors", d: "M60 85 l14 12 M74 85 l-14 12" }));
  if (!known(scene)) {
    svg.append(line(...THROUGH.ends, "mw-edge mw-unknown"));
    svg.append(line(...BYPASS.ends, "mw-edge mw-unknown"));
  }
  const whole = wholeOf(scene, paths);
  for (const path of paths) svg.append(...drawn(path, scene, whole));
  svg.append(...nodes(scene, corner));
  return svg;
}

function pathsOf(scene: Scene, split: Split): Path[] {
  if (!known(scene)) return [];
  if (!scene.edit.corners)
    return [
      { name: "On clean", ...THROUGH },
      { name: "CDE", ...BYPASS },
    ];
  const two: Path[] = [
    { name: split.through, ...THROUGH },
    { name: split.bypass, ...BYPASS },
  ];
  return split.id === "three" ? [...two, { name: "INT", ...TOGETHER }] : two;
}

/** What a path of full width carries: the total effect, or where there is none the largest path. */
function wholeOf(scene: Scene, paths: Path[]): number {
  const { y11, y00 } = scene.corners;
  if (scene.shares) return Math.abs(y11 - y00);
  const all = quantities(scene.corners, scene.edit.corners);
  return Math.max(...paths.map(({ name }) => Math.abs(all[name] ?? 0)));
}

function drawn(path: Path, scene: Scene, whole: number): SVGElement[] {
  const value = quantities(scene.corners, scene.edit.corners)[path.name] ?? Number.NaN;
  const share = whole > 0 ? Math.min(1, Math.abs(value) / whole) : 0;
  const sign = value * towardClean(scene.corners.y11, scene.corners.y00) < 0 ? "away" : "toward";
  const none = !(share >= NOTHING);
  const out: SVGElement[] = [];
  if (path.name === "INT")
    out.push(
      line([M[0], 50], [M[0], JOINT[1] - 12], "mw-edge mw-meet"),
      line([M[0], LOW], [M[0], JOINT[1] + 12], "mw-edge mw-meet"),
    );
  const edge = line(...path.ends, "mw-edge mw-flow");
  edge.setAttribute("data-sign", none ? "none" : sign);
  edge.style.strokeWidth = `${none ? THIN : THIN + (THICK - THIN) * share}px`;
  out.push(edge, head(path.ends, none ? "none" : sign));
  if (path.name === "INT") {
    const [x, y] = JOINT;
    out.push(
      s("path", { class: "mw-joint", d: `M${x} ${y - 12} l12 12 l-12 12 l-12 -12 z` }),
      s("path", { class: "mw-cross", d: `M${x - 4} ${y - 4} l8 8 M${x + 4} ${y - 4} l-8 8` }),
    );
  }
  return [...out, ...label(path, scene, value)];
}

function label(path: Path, scene: Scene, value: number): SVGElement[] {
  const [x, y] = path.at;
  const told = amount(value, scene);
  const text = (dy: number, name: string, words: string) =>
    s("text", { class: name, x, y: y + dy, "text-anchor": path.anchor, text: words });
  const name = shownName(path.name, scene);
  // A long name has a line of its own: beside the last path there is room for nine letters.
  const long = name.length > 4;
  return [
    text(0, "mw-flowname", long ? name : `${name} ${told.value}`),
    text(
      16,
      "mw-flowshare",
      long ? [told.value, told.share].filter(Boolean).join(" · ") : told.share,
    ),
  ];
}

function line(from: Point, to: Point, name: string): SVGElement {
  return s("line", { class: name, x1: from[0], y1: from[1], x2: to[0], y2: to[1] });
}

/** A head of one size: a marker would grow with the width of its line. */
function head([[x0, y0], [x1, y1]]: readonly [Point, Point], sign: string): SVGElement {
  const turn = (Math.atan2(y1 - y0, x1 - x0) * 180) / Math.PI;
  return s("path", {
    class: "mw-arrow",
    "data-sign": sign,
    d: "M-2 -11 L14 0 L-2 11 z",
    transform: `translate(${x1} ${y1}) rotate(${turn.toFixed(1)}) translate(-6 0)`,
  });
}

function nodes(scene: Scene, corner: CornerKey | null): SVGElement[] {
  const patch = scene.edit.corners;
  const input = corner ? (corner === "y11" || corner === "y10" ? "clean" : "corrupt") : "";
  const whole = plain(scene.label, 200);
  const name = whole.length > LONGEST ? `${whole.slice(0, LONGEST - 1)}…` : whole;
  const own = corner === "y11" || corner === "y00";
  const value = patch && corner ? mediator(corner) : corner && !own ? "set" : "its own value";
  return [
    node(X, 92, "input", input || "corrupt → clean", input),
    node(
      M,
      140,
      name || "mediator?",
      scene.label ? (corner ? value : "the mediator") : "click a head",
      patch && corner ? value : "",
      scene.label ? "" : " mw-empty",
    ),
    node(Y, 70, "metric", corner ? "this run" : scene.unit, ""),
  ];
}

function node(
  [x, y]: Point,
  width: number,
  title: string,
  words: string,
  from: string,
  more = "",
): SVGElement {
  const text = (dy: number, name: string, told: string) =>
    s("text", { class: name, x, y: y + dy, "text-anchor": "middle", text: told });
  const half = width / 2;
  return s(
    "g",
    { class: `mw-node${more}`, "data-from": from || null },
    s("rect", { x: x - half, y: y - 20, width: 2 * half, height: 40, rx: 6 }),
    text(-3, "mw-nodename", title),
    text(12, "mw-nodewords", plain(words, 24)),
  );
}
