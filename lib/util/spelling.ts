/** How alike two names are spelled. */

const trigrams = (name: string): Set<string> => {
  const text = `  ${name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim()} `;
  return new Set(Array.from({ length: text.length - 2 }, (_, i) => text.slice(i, i + 3)));
};

/**
 * How alike two names are spelled: shared letter trigrams over all of theirs, in [0, 1]. Needs no image and no model.
 */
export function nameSimilarity(a: string, b: string): number {
  const [x, y] = [trigrams(a), trigrams(b)];
  const both = [...x].filter((part) => y.has(part)).length;
  return both / (x.size + y.size - both);
}
