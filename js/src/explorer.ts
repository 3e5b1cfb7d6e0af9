// Explorer: prompts, rail, heads, MLPs and tokens on shared layer rows, corners and checks.
import "./styles.css";
import { corners } from "./corners.ts";
import { widget } from "./frame.ts";
import { prompts } from "./prompts.ts";
import { statusBar } from "./status_bar.ts";

export default widget({
  name: "Explorer",
  panels: ["head", "mlp_out", "tokens"],
  above: (store, help, signal) => [statusBar(store, help, signal), prompts(store, signal)],
  below: (store, signal) => [corners(store, signal)],
});
