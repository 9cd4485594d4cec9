/** Sub-categories by what somebody remembers of their names. */
import { nameSimilarity } from "../util/spelling";
import type { Benchmark, Subcategory } from "./types";

/** How many near names an error gives. */
const NEAR = 5;

/** Letters and digits in lower case, without accents; everything else is a space. */
const plain = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/[\p{M}'’]+/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();

/**
 * Sub-categories that have `part` in their name, those whose whole name it is first, then in the benchmark's order.
 * Accents, case and punctuation do not count.
 * @throws Error where there are none, with the nearest names
 */
export function findSubcategories(
  benchmark: Pick<Benchmark, "title" | "subcategories">,
  part: string,
): readonly Subcategory[] {
  const wanted = plain(part);
  if (wanted === "") throw new Error("findSubcategories: give a part of a name");
  const all = benchmark.subcategories();
  const found = all.filter(({ name }) => plain(name).includes(wanted));
  if (found.length > 0)
    return [...found].sort((a, b) => Number(plain(b.name) === wanted) - Number(plain(a.name) === wanted));
  const near = [...all]
    .sort((a, b) => nameSimilarity(b.name, part) - nameSimilarity(a.name, part))
    .slice(0, NEAR)
    .map(({ name, domain }) => `${name} (${domain})`);
  throw new Error(
    `${benchmark.title} has no sub-category with ${JSON.stringify(part)} in its name; nearest: ${near.join(", ")}`,
  );
}
