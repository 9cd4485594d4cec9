/** Small questions about text. */

/** Sorts text by code unit, the same on every machine. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** How often `part` is in `text`, without overlaps. */
export const occurrences = (text: string, part: string): number => text.split(part).length - 1;
