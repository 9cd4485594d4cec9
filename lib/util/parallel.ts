/** Many small tasks, some at once. */

/**
 * Runs `task` on every item in order of start, at most `atOnce` under way. After the first failure no other starts;
 * those under way are waited for, then the failure is thrown.
 */
export async function forEachAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  task: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) {
      try {
        await task(items[i], i);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
