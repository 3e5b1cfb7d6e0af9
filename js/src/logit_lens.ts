// LogitLens: the lens part as a view of its own.
import "./styles.css";
import { lens } from "./lens.ts";
import { partWidget, READING } from "./part_frame.ts";

export default partWidget("Logit lens", lens, READING);
