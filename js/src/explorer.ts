// Explorer: prompts, rail, heads, MLPs and tokens on shared layer rows, corners and checks.
import "./styles.css";
import { attention } from "./attention.ts";
import { corners } from "./corners.ts";
import { drawers } from "./drawers.ts";
import { widget } from "./frame.ts";
import { keysOverlay } from "./keys_list.ts";
import { lasso } from "./lasso.ts";
import { lens } from "./lens.ts";
import { pairStrip } from "./pair_strip.ts";
import { readers } from "./parts.ts";
import { prompts } from "./prompts.ts";
import { statusBar } from "./status_bar.ts";

const CLOSER = [attention, lens, pairStrip];

export default widget({
  name: "Explorer",
  panels: ["head", "mlp_out", "tokens"],
  above: (store, help, signal) => [statusBar(store, help, signal), prompts(store, signal)],
  dress: lasso,
  keys: keysOverlay,
  parts: readers(CLOSER.map(({ part }) => part)),
  below: (store, signal) => [drawers(store, signal, CLOSER), corners(store, signal)],
});
