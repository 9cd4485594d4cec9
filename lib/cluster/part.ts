/**
 * Parts of a list of rows: which rows a task takes. Parts consist of whole batches, so that every batch is the same as
 * on one machine and its answers round the same way.
 */

/** The `part`-th of `of` parts, counted from 1. */
export interface Part {
  part: number;
  of: number;
}

/** Rows from `from` up to and without `to`. */
export interface Slice {
  from: number;
  to: number;
}

/** As it stands on a command line: `2/4`. */
export const partText = ({ part, of }: Part): string => `${part}/${of}`;

/** The part that a text names; null where it names none. */
export function parsePart(text: string): Part | null {
  const [, part, of] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  return part >= 1 && part <= of ? { part, of } : null;
}

/** The rows of a part. Parts follow one another, cover all rows, and differ by one batch at most. */
export function sliceOf(rows: number, batchSize: number, { part, of }: Part): Slice {
  const batches = Math.ceil(rows / batchSize);
  const edge = (n: number): number => Math.min(rows, Math.floor((n * batches) / of) * batchSize);
  return { from: edge(part - 1), to: edge(part) };
}

/** So many parts, or as many as there are batches where those are fewer. */
export function partsOf(rows: number, batchSize: number, wanted: number): Part[] {
  const of = Math.min(wanted, Math.ceil(rows / batchSize));
  return Array.from({ length: of }, (_, i) => ({ part: i + 1, of }));
}
