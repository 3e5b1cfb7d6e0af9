// HeadGrid: attention heads, layer by head.
import "./styles.css";
import { widget } from "./frame.ts";

export default widget({ name: "Head grid", panels: ["head"] });
