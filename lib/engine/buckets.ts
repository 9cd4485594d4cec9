/** Sizes rounded up, so that batches of many sizes have few shapes: every shape is a trace. */

/**
 * `n` rounded up to a multiple of `step`, or of an eighth of the power of two at or below `n` where that is larger: at
 * most an eighth more.
 */
export function roundedUp(n: number, step: number): number {
  const eighth = 2 ** (Math.floor(Math.log2(Math.max(n, 1))) - 3);
  const unit = Math.max(step, step * Math.floor(eighth / step));
  return Math.max(unit, Math.ceil(n / unit) * unit);
}
