/** Speeds from measured times: times that are sums of amounts of work, each at a speed of its own. */

/** A measured time, and how much of each kind of work it took. */
export interface Sample {
  name: string;
  seconds: number;
  /** Amounts, in one order for all samples: operations, layers of a step. */
  work: readonly number[];
}

/** Seconds a unit of each kind of work. */
export type Costs = readonly number[];

export const predict = (costs: Costs, work: readonly number[]): number =>
  work.reduce((sum, amount, i) => sum + amount * costs[i], 0);

/** Least squares of Ax = 1 for at most two columns. */
function solve(rows: readonly (readonly number[])[]): number[] {
  const dot = (i: number, j: number): number => rows.reduce((sum, row) => sum + row[i] * row[j], 0);
  const ones = (i: number): number => rows.reduce((sum, row) => sum + row[i], 0);
  if (rows[0].length === 1) return [ones(0) / dot(0, 0)];
  const determinant = dot(0, 0) * dot(1, 1) - dot(0, 1) ** 2;
  if (determinant <= 1e-12 * dot(0, 0) * dot(1, 1)) return [NaN, NaN];
  return [
    (ones(0) * dot(1, 1) - ones(1) * dot(0, 1)) / determinant,
    (ones(1) * dot(0, 0) - ones(0) * dot(0, 1)) / determinant,
  ];
}

const squares = (rows: readonly (readonly number[])[], costs: Costs): number =>
  rows.reduce((sum, row) => sum + (predict(costs, row) - 1) ** 2, 0);

/**
 * Costs of one or two kinds of work by least squares of relative errors, none below 0: minimises the sum over samples
 * of (predicted / measured - 1)². Where the free solution has a negative cost, the better of the two with that kind
 * alone.
 * @throws Error where there are fewer samples than kinds of work
 */
export function fitCosts(samples: readonly Sample[]): Costs {
  const kinds = samples.length === 0 ? 1 : samples[0].work.length;
  if (samples.length < kinds || kinds > 2)
    throw new Error(
      `a fit of ${kinds} costs needs as many measurements, at most two costs; there are ${samples.length}`,
    );
  const rows = samples.map(({ work, seconds }) => work.map((amount) => amount / seconds));
  const free = solve(rows);
  if (free.every((cost) => cost >= 0)) return free;
  const alone = [0, 1].map((kind) => {
    const [cost] = solve(rows.map((row) => [row[kind]]));
    return kind === 0 ? [cost, 0] : [0, cost];
  });
  return squares(rows, alone[0]) <= squares(rows, alone[1]) ? alone[0] : alone[1];
}

/** A time that a fit did not see, beside what it says. */
export interface HeldOut {
  name: string;
  measured: number;
  predicted: number;
  /** Predicted over measured, less 1. */
  error: number;
}

export const heldOut = (costs: Costs, { name, seconds, work }: Sample): HeldOut => {
  const predicted = predict(costs, work);
  return { name, measured: seconds, predicted, error: predicted / seconds - 1 };
};

/** Each sample by a fit of all others; empty where that leaves too few. */
export function leaveOneOut(samples: readonly Sample[]): HeldOut[] {
  const kinds = samples.length === 0 ? 1 : samples[0].work.length;
  if (samples.length <= kinds) return [];
  return samples.map((sample, i) => heldOut(fitCosts(samples.filter((_, j) => j !== i)), sample));
}

/** The largest factor between predicted and measured, either way; 1 of none. */
export const worstFactor = (errors: readonly { error: number }[]): number =>
  Math.max(1, ...errors.map(({ error }) => Math.max(1 + error, 1 / (1 + error))));

/** The mean of the errors' sizes; null of none. */
export const meanError = (errors: readonly { error: number }[]): number | null =>
  errors.length === 0 ? null : errors.reduce((sum, { error }) => sum + Math.abs(error), 0) / errors.length;
