/** Whether a number grows while something runs. */

/** Least-squares slope of values at equal distances, a step; 0 of fewer than two. */
export function slopeOf(values: readonly number[]): number {
  const n = values.length;
  if (n < 2) return 0;
  const [meanX, meanY] = [(n - 1) / 2, values.reduce((a, b) => a + b, 0) / n];
  const covariance = values.reduce((sum, y, x) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / ((n * (n * n - 1)) / 12);
}

/** The later half, when caches are filled and functions compiled. */
export const laterHalf = <T>(values: readonly T[]): T[] => values.slice(Math.floor(values.length / 2));
