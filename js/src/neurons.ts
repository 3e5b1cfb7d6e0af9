// Neurons: the strongest units of one layer as a view of their own.
import "./styles.css";
import { neuronCells } from "./neuron_cells.ts";
import { partWidget, READING } from "./part_frame.ts";

export default partWidget("Neurons", neuronCells, READING);
