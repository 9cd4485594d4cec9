/** Several benchmarks as one: `aircraft+pet`. */
import { createHash } from "node:crypto";
import type { Benchmark, Subcategory } from "./types";

/**
 * The benchmarks side by side; sub-categories, images and questions in their order.
 * @throws Error where one is of equal squares (which share one tensor), or two have a domain in common
 */
export function mixture(parts: readonly Benchmark[]): Benchmark {
  if (parts.length === 1) return parts[0];
  const squares = parts.find((part) => part.squares);
  if (squares) throw new Error(`${squares.name} is of equal squares and stands alone; mix image sets of photographs`);
  const owners = new Map<string, Benchmark>();
  for (const part of parts) {
    for (const domain of part.domains) {
      const other = owners.get(domain);
      if (other) throw new Error(`${other.name} and ${part.name} both have the domain ${JSON.stringify(domain)}`);
      owners.set(domain, part);
    }
  }
  const owner = (domain: string): Benchmark => {
    const found = owners.get(domain);
    if (!found) throw new Error(`no domain ${JSON.stringify(domain)}: there are ${[...owners.keys()].join(", ")}`);
    return found;
  };
  const fingerprint = createHash("sha256").update(JSON.stringify(parts.map((part) => [part.name, part.fingerprint])));
  return {
    name: parts.map((part) => part.name).join("+"),
    title: parts.map((part) => part.title).join(" + "),
    domains: parts.flatMap((part) => part.domains),
    fingerprint: fingerprint.digest("hex"),
    splitSource: parts.map((part) => `${part.name}: ${part.splitSource}`).join("; "),
    subcategories: (only = {}) =>
      only.domain === undefined
        ? parts.flatMap((part) => part.subcategories(only))
        : owner(only.domain).subcategories(only),
    images: (role, of?: Subcategory) =>
      of ? owner(of.domain).images(role, of) : parts.flatMap((part) => part.images(role)),
    question: (domain) => owner(domain).question(domain),
    kind: (domain) => owner(domain).kind(domain),
    neighbours: () => null,
    kin: (of) => owner(of.domain).kin?.(of),
    parts,
  };
}
