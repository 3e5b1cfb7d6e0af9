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
  let width = 700;
  const line = readLine("Point at a neuron to read it; click it, or press Enter, to run it.");
  const tell = () => line.say(words(store));
  const [chosen, row] = [chooser(store), cellRow(store)];
  const show = () => row.show(chosen.layer(), width);
  const read = (fields: Reader) => {
    chosen.read(fields);
    show();
    tell();
  };
  const part = partView(store, KEY, signal, read, chosen.el, line.el, row.el);
  followWidth(part, signal, (value) => {
    width = value;
    show();
  });
  store.on(["scale", "view"], () => row.cells?.paint(), signal);
  store.on(["result"], () => row.cells?.result(), signal);
  store.on(["pending"], () => row.cells?.marks(), signal);
  store.on(["status"], () => chosen.rest(store.sweeping || !store.live), signal);
  store.on(["hover", "result", "scale"], tell, signal);
  return part;
}

/** What is pointed at in words, else what was run last. */
function words(store: Store): string | null {
  const { hover } = store;
  const cell = hover?.panel === KEY ? hover : store.selection.find(({ panel }) => panel === KEY);
  const reading = cell ? store.cellReading(cell) : null;
  if (!reading) return null;
  const label = plain(reading.label, 60);
  if (!shown(reading.status)) return `${label} was not run.`;
  return `${label}: ${effectWords(store, reading)}`;
}

/** Which layer, a neuron by its number, all of them to be run. */
function chooser(store: Store) {
  let layer = 0;
  const note = h("span", { class: "mw-hint" });
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
  const field = h("label", { class: "mw-field" }, h("span", { text: "Neuron" }), search);
  return {
    el: h("div", { class: "mw-lookhead" }, layers.el, field, button("Show", find), run, note),
    layer: () => layer,
    rest: (disabled: boolean) => setProps(run, { disabled }),
    read: (fields: Reader) => {
      layer = fields.count("layer");
      layers.set(fields.count("n_layers"), layer);
      setProps(search, { max: fields.count("n_units") - 1 });
      setText(note, `In order of the ${plain(fields.text("by"), 120)}.`);
      setText(run, `Run these ${store.panel(KEY)?.cols ?? 0}`);
    },
  };
}

/** The cells themselves, in one row. */
function cellRow(store: Store) {
  let drawn = "";
  const row = {
    el: h("div", { class: "mw-scroll mw-neurons" }),
    cells: null as Grid | null,
    show: (layer: number, width: number) => {
      const panel = store.panel(KEY);
      if (!panel) return;
      const room = Math.floor((width - SIDE) / panel.cols) - GAP;
      const size = Math.max(NARROWEST, Math.min(WIDEST, room));
      const units = panel.axes[1] ?? [];
      // New elements would take the focus away, so only for other neurons or another width.
      const asked = `${panel.labels.join()} ${size}`;
      if (row.cells && asked === drawn) return row.cells.paint();
      drawn = asked;
      const options = {
        width: size,
        height: HEIGHT,
        fine: true,
        title: `Neurons of layer ${layer}`,
        corner: [h("span", { class: "mw-hidden", text: "layer" })],
        rowHead: () => [h("span", { text: `L${layer}` })],
        colHead: (col: number) => h("span", { class: "mw-up", text: units[col] ?? "" }),
      };
      row.cells = grid(store, options, panel);
      row.el.replaceChildren(row.cells.matrix.el);
    },
  };
  return row;
}
