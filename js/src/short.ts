// Short names for what is called often (build.mjs puts them in): their length counts in every view.
// Taken apart, because build.mjs would replace `Math.max` here as well.
export const {
  max: shortMax,
  min: shortMin,
  abs: shortAbs,
  floor: shortFloor,
  round: shortRound,
} = Math;
export const { isFinite: shortFinite } = Number;
export const { entries: shortEntries } = Object;
export const { document: shortDocument } = globalThis;
