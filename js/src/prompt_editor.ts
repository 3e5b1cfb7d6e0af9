// PromptEditor: the prompts of a study as fields.
import "./styles.css";
import { editor } from "./editor.ts";
import { errorLine } from "./notices.ts";
import { partWidget } from "./part_frame.ts";
import { kernel } from "./status_bar.ts";

export default partWidget("Prompt editor", editor, {
  above: (store, signal) => [kernel(store, signal), errorLine(store, signal)],
});
