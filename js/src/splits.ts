// The ways to take a total effect apart, and which runs enter which difference.
import { type Corners, constantEffects, estimands } from "./estimands.ts";

export type CornerKey = keyof Corners;
export type Quantity = "TE" | "PDE" | "TDE" | "PIE" | "TIE" | "INT";
export type ConstantQuantity = "TE" | "On clean" | "On corrupt" | "CDE";

/** A difference of runs: its terms with their signs. */
export type Formula = readonly (readonly [1 | -1, CornerKey])[];

export const FORMULAS: Record<Quantity, Formula> = {
  TE: difference("y11", "y00"),
  PDE: difference("y10", "y00"),
  TDE: difference("y11", "y01"),
  PIE: difference("y01", "y00"),
  TIE: difference("y11", "y10"),
  INT: [
    [1, "y11"],
    [-1, "y10"],
    [-1, "y01"],
    [1, "y00"],
  ],
};

/** The same for edits that set one value on both prompts: y10 and y01 are the edited runs. */
export const CONSTANT_FORMULAS: Record<ConstantQuantity, Formula> = {
  TE: difference("y11", "y00"),
  "On clean": difference("y11", "y10"),
  "On corrupt": difference("y00", "y01"),
  CDE: difference("y10", "y01"),
};

function difference(plus: CornerKey, minus: CornerKey): Formula {
  return [
    [1, plus],
    [-1, minus],
  ];
}

/** Names of the quantities that a run enters. */
export function enters(corner: CornerKey, patch: boolean): string[] {
  const formulas: Record<string, Formula> = patch ? FORMULAS : CONSTANT_FORMULAS;
  return Object.entries(formulas).flatMap(([name, formula]) =>
    formula.some(([, key]) => key === corner) ? [name] : [],
  );
}

/** Every quantity of a patch, or of an edit to a constant, by its name. */
export function quantities(c: Corners, patch: boolean): Record<string, number> {
  if (patch) return { ...estimands(c) };
  const { clean, corrupt } = constantEffects(c);
  return { TE: c.y11 - c.y00, "On clean": clean, "On corrupt": corrupt, CDE: c.y10 - c.y01 };
}

export interface Part {
  name: string;
  from: number;
  to: number;
}

export interface Split {
  id: "three" | "restore" | "break";
  /** The sum as it is written: "PDE + PIE + INT". */
  sum: string;
  /** What stands along the bypass and through the mediator. */
  bypass: Quantity;
  through: Quantity;
  words: string;
}

/** TE = PDE + PIE + INT, or in two parts, where the interaction goes to one of the paths. */
export const SPLITS: readonly Split[] = [
  {
    id: "three",
    sum: "PDE + PIE + INT",
    bypass: "PDE",
    through: "PIE",
    words: "each path alone, and what they do only together",
  },
  {
    id: "restore",
    sum: "PIE + TDE",
    bypass: "TDE",
    through: "PIE",
    words: "the mediator first, into the corrupt run; the interaction goes to the bypass",
  },
  {
    id: "break",
    sum: "PDE + TIE",
    bypass: "PDE",
    through: "TIE",
    words: "the mediator last, into the clean run; the interaction goes to the mediator",
  },
];

/** A split's bars end to end, from the corrupt run to the clean run. */
export function waterfall(split: Split, c: Corners): Part[] {
  const value = estimands(c);
  const order: Quantity[] = split.id === "restore" ? ["PIE", "TDE"] : [split.bypass, split.through];
  if (split.id === "three") order.push("INT");
  let at = c.y00;
  return order.map((name) => {
    const from = at;
    at += value[name];
    return { name, from, to: at };
  });
}

/** What edits to a constant do, each from the run it starts at. TE = CDE + On clean − On corrupt. */
export function constantBars(c: Corners): Part[] {
  return [
    { name: "On clean", from: c.y10, to: c.y11 },
    { name: "On corrupt", from: c.y01, to: c.y00 },
    { name: "CDE", from: c.y01, to: c.y10 },
  ];
}
