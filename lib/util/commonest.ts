/** The most common value, and how often it is there; of several the one that came first. Null of nothing. */
export function commonest<T>(values: readonly T[]): { value: T; count: number } | null {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let most: { value: T; count: number } | null = null;
  for (const [value, count] of counts) if (most === null || count > most.count) most = { value, count };
  return most;
}
