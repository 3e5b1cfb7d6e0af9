// AttentionPattern: the attention part as a view of its own.
import "./styles.css";
import { attention } from "./attention.ts";
import { partWidget, READING } from "./part_frame.ts";

export default partWidget("Attention pattern", attention, READING);
