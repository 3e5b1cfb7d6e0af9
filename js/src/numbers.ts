// Numbers as they stand on screen: a real minus, always signed, digits by size.

const MINUS = "\u2212";

function sign(value: number, digits: string): string {
  if (Number(digits) === 0) return digits.replace("-", "");
  return value < 0 ? MINUS + digits.replace("-", "") : `+${digits}`;
}

function places(value: number): number {
  const size = Math.abs(value);
  return size !== 0 && size < 0.1 ? 3 : size < 1 ? 2 : size < 100 ? 1 : 0;
}

/** A value in the metric's unit: +11.0, −5.2, +0.43. */
export function raw(value: number): string {
  return Number.isFinite(value) ? sign(value, value.toFixed(places(value))) : "–";
}

/** The same without a plus sign, for sizes. */
export function size(value: number): string {
  return raw(value).replace("+", "");
}

/** Percent points: signed, whole; one decimal below 1. */
export function percentText(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = value !== 0 && Math.abs(value) < 0.95 ? 1 : 0;
  return sign(value, value.toFixed(digits));
}

/** Percent without a plus sign. */
export function percentSize(value: number): string {
  return percentText(value).replace("+", "");
}

/** At most three digits, for a cell: +16, −5.2, 0. */
export function short(value: number): string {
  const tenths = Number(value.toFixed(1));
  return sign(tenths, tenths.toFixed(Math.abs(tenths) >= 10 || tenths === 0 ? 0 : 1));
}

/** One decimal, signed: numbers that are compared by subtraction. */
export function fixed(value: number): string {
  return sign(value, value.toFixed(1));
}

/** A probability as percent: 93%, 0.4%, <0.1%. */
export function probability(p: number): string {
  const value = 100 * p;
  if (!Number.isFinite(value)) return "–";
  if (value > 0 && value < 0.1) return "<0.1%";
  return `${value.toFixed(value < 1 ? 1 : 0)}%`;
}

/** Seconds as people say them; number and unit stay on one line. */
export function seconds(value: number): string {
  if (value < 0.1) return "<\u00a00.1\u00a0s";
  if (value < 90) return `~${value.toFixed(value < 10 ? 1 : 0)}\u00a0s`;
  return `~${(value / 60).toFixed(0)}\u00a0min`;
}

export function count(n: number, noun: string): string {
  const plural = noun.endsWith("s") ? `${noun}es` : `${noun}s`;
  return `${n} ${n === 1 ? noun : plural}`;
}
