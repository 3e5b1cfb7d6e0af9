// The strongest neurons of a layer as cells: estimated ones are dotted until they are run.
import type { Reader } from "./decode.ts";
import { button, h, setProps, setText } from "./dom.ts";
import type { Drawer } from "./drawers.ts";
import { type Grid, grid } from "./grid.ts";
import { effectWords, numbers, partView, readLine } from "./part_view.ts";
import { shown } from "./scale.ts";
import { followWidth } from "./shell.ts";
import type { Store } from "./store.ts";
import { plain } from "./text.ts";

const KEY = "neurons";
const [NARROWEST, WIDEST, HEIGHT, GAP, SIDE] = [14, 36, 30, 2, 40];

export const neuronCells: Drawer = { part: KEY, title: "Neurons", draw };

function draw(store: Store, signal: AbortSignal): HTMLElement {
  let cells: Grid | null = null;
  let drawn = "";
  let width = 700;
  let layer = 0;
  const line = readLine("Point at a neuron to read it; click it, or press Enter, to run it.");
  const note = h("span", { class: "mw-hint" });
  const place = h("div", { class: "mw-scroll mw-neurons" });
  const layers = numbers("Layer", "Layer", (value) => store.ask(KEY, { layer: value }));
  const search = h("input", { class: "mw-number", type: "number", min: 0, "aria-label": "Neuron" });
  const find = () => {
    const unit = Number(search.value);
    if (search.value !== "" && Number.isInteger(unit)) store.ask(KEY, { layer, unit });
  };
  search.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") find();
  });
  const run = button("", () => store.ask("neurons_run"));
  const show = () => {
    const panel = store.panel(KEY);
    if (!panel) return;
    const room = Math.floor((width - SIDE) / panel.cols) - GAP;
    const size = Math.max(NARROWEST, Math.min(WIDEST, room));
    const units = panel.axes[1] ?? [];
    // New elements would take the focus away, so only for other neurons or another width.
    const asked = `${panel.labels.join()} ${size}`;
    if (cells && asked === drawn) {
      cells.paint();
      return;
    }
    drawn = asked;
    cells = grid(
      store,
      {
        width: size,
        height: HEIGHT,
        fine: true,
        title: `Neurons of layer ${layer}`,
        corner: [h("span", { class: "mw-hidden", text: "layer" })],
        rowHead: () => [h("span", { text: `L${layer}` })],
        colHead: (col) => h("span", { class: "mw-up", text: units[col] ?? "" }),
      },
      panel,
    );
    place.replaceChildren(cells.matrix.el);
  };
  const read = (fields: Reader) => {
    layer = fields.count("layer");
    layers.set(fields.count("n_layers"), layer);
    setProps(search, { max: fields.count("n_units") - 1 });
    setText(note, `In order of the ${plain(fields.text("by"), 120)}.`);
    const n = store.panel(KEY)?.cols ?? 0;
    setText(run, `Run these ${n}`);
    show();
    tell();
  };
  const tell = () => {
    const { hover } = store;
    // What is pointed at, else what was run last.
    const cell = hover?.panel === KEY ? hover : store.selection.find(({ panel }) => panel === KEY);
    const reading = cell ? store.cellReading(cell) : null;
    if (!reading) return line.say(null);
    const label = plain(reading.label, 60);
    line.say(
      shown(reading.status) ? `${label}: ${effectWords(store, reading)}` : `${label} was not run.`,
    );
  };
  const part = partView(
    store,
    KEY,
    signal,
    read,
    h(
      "div",
      { class: "mw-lookhead" },
      layers.el,
      h("label", { class: "mw-field" }, h("span", { text: "Neuron" }), search),
      button("Show", find),
      run,
      note,
    ),
    line.el,
    place,
  );
  followWidth(part, signal, (value) => {
    width = value;
    show();
  });
  store.on(["scale", "view"], () => cells?.paint(), signal);
  store.on(["result"], () => cells?.result(), signal);
  store.on(["pending"], () => cells?.marks(), signal);
  store.on(["status"], () => setProps(run, { disabled: store.sweeping || !store.live }), signal);
  store.on(["hover", "result", "scale"], tell, signal);
  return part;
}
