// TokenHeatmap: one kind of site at every layer and token.
import "./styles.css";
import { widget } from "./frame.ts";

export default widget({ name: "Token heatmap", panels: ["tokens"] });
