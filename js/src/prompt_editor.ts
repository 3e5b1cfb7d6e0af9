// PromptEditor: the prompts of a study as fields.
import "./styles.css";
import { editor } from "./editor.ts";
import { partWidget } from "./part_frame.ts";

export default partWidget("Prompt editor", editor, false);
