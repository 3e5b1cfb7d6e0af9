// Short names for what is called often (build.mjs puts them in): their length counts in every view.
export const shortMax = Math.max;
export const shortMin = Math.min;
export const shortAbs = Math.abs;
export const shortFloor = Math.floor;
export const shortRound = Math.round;
export const shortFinite = Number.isFinite;
