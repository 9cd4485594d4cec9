/** Linear probes on frozen features. */
import { SPLITS, type BenchmarkImage, type Subcategory } from "../../benchmark/types";
import { bestClass, chooseL2, fitProbe, probeScores } from "../../eval/logistic";
import { probeRow, type ImageProbe, type ProbeRow } from "../../eval/probes";
import type { ProbeReport } from "./samples";

/** Penalties among which each probe's is chosen, on training rows alone. */
export const L2_CANDIDATES = [0.001, 0.01, 0.1] as const;

/** Groups that cross-validation leaves out: sources, or the n-th image of each sub-category where there are none. */
function foldsOf(images: readonly BenchmarkImage[]): string[] {
  const seen = new Map<string, number>();
  return images.map(({ subcategory, source }) => {
    const n = seen.get(subcategory.id) ?? 0;
    seen.set(subcategory.id, n + 1);
    return source ?? `image ${n}`;
  });
}

/** Images with their features. */
export interface ProbedImages {
  images: readonly BenchmarkImage[];
  features: readonly ImageProbe[];
}

/** Linear probes of one model on both kinds of features, the answer limited to the names of the image's domain. */
export function linearProbes(
  method: string,
  { train, test, concepts }: { train: ProbedImages; test: ProbedImages; concepts: readonly Subcategory[] },
): Pick<ProbeReport, "rows" | "fits"> {
  const label = new Map(concepts.map((c, i) => [c.id, i]));
  const ofDomain = (domain: string): number[] => concepts.flatMap((c, i) => (c.domain === domain ? [i] : []));
  const rows: ProbeRow[] = [];
  const fits: ProbeReport["fits"] = [];
  for (const kind of ["visual", "hidden"] as const) {
    const data = {
      features: train.features.map((f) => f[kind]),
      labels: train.images.map(({ subcategory }) => label.get(subcategory.id)!),
    };
    const l2 = chooseL2(data, concepts.length, foldsOf(train.images), L2_CANDIDATES);
    const probe = fitProbe(data, concepts.length, l2);
    const scores = probeScores(
      probe,
      test.features.map((f) => f[kind]),
    );
    const right = test.images.map(
      ({ subcategory }, i) => bestClass(scores[i], ofDomain(subcategory.domain)) === label.get(subcategory.id),
    );
    const name = kind === "visual" ? "linear: visual features" : "linear: last hidden state";
    fits.push({ method, probe: name, trained: train.images.length, l2, gradient: probe.gradient });
    for (const split of SPLITS) {
      const mine = test.images.flatMap(({ subcategory }, i) => (subcategory.split === split ? [i] : []));
      if (mine.length === 0) continue;
      rows.push(
        probeRow(
          method,
          name,
          split,
          mine.map((i) => right[i]),
          mine.reduce((sum, i) => sum + 1 / ofDomain(test.images[i].subcategory.domain).length, 0) / mine.length,
        ),
      );
    }
  }
  return { rows, fits };
}
