/** Sums and means of numbers, added in their order. */

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** NaN of nothing. */
export const average = (values: readonly number[]): number => sum(values) / values.length;
