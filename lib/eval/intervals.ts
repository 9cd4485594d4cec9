/** Confidence intervals of proportions and of means. */
import { average } from "../util/sums";

/** The 97.5 % point of the standard normal distribution. */
export const Z95 = 1.959963984540054;

export interface Interval {
  low: number;
  high: number;
}

/**
 * Wilson's score interval of a proportion, 95 % by default. With no trials: [0, 1].
 * E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference".
 * @throws {Error} unless 0 <= correct <= n, both integers
 */
export function wilson(correct: number, n: number, z = Z95): Interval {
  if (!Number.isInteger(correct) || !Number.isInteger(n) || correct < 0 || correct > n) {
    throw new Error(`wilson: ${correct} of ${n}; integers with 0 <= correct <= n expected`);
  }
  if (n === 0) return { low: 0, high: 1 };
  const p = correct / n;
  const centre = p + (z * z) / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return {
    low: correct === 0 ? 0 : (centre - half) / scale,
    high: correct === n ? 1 : (centre + half) / scale,
  };
}

/** Mean and unbiased standard deviation; the deviation of one value is 0. */
export function meanAndDeviation(values: readonly number[]): { mean: number; deviation: number } {
  if (values.length === 0) throw new Error("meanAndDeviation: no values");
  const mean = average(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

/** The `q` quantile of values in ascending order, linear between neighbours (R's type 7, numpy's default). */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) throw new Error("quantile: no values");
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}
