/** A triplet in a notebook: anchor, positive and negative side by side. */
import type { BenchmarkImage } from "../benchmark/types";
import type { Triplet } from "../benchmark/triplets";
import { showImages } from "./notebook";

/** The three images with what each is and, where it is known, who made it. */
export function describeTriplet({ anchor, positive, negative }: Triplet): { name: string; file: string | null }[] {
  const by = ({ source }: BenchmarkImage): string => (source === undefined ? "" : ` (${source})`);
  return [
    { name: `anchor: ${anchor.subcategory.name}${by(anchor)}`, file: anchor.file },
    { name: `positive${by(positive)}`, file: positive.file },
    { name: `negative: ${negative.subcategory.name}${by(negative)}`, file: negative.file },
  ];
}

/** Shows the three images. */
export async function showTriplet(triplet: Triplet): Promise<void> {
  const shown = describeTriplet(triplet).filter(({ file }) => file !== null);
  await showImages(
    shown.map(({ file }) => file!),
    { captions: shown.map(({ name }) => name) },
  );
}
