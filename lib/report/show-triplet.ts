/** A triplet in a notebook: anchor, positive and negative side by side. */
import type { Triplet } from "../benchmark/triplets";
import { showImages } from "./notebook";

/** Shows the three images with their names and, where it is known, who made them. */
export async function showTriplet({ anchor, positive, negative }: Triplet): Promise<void> {
  const by = (source: string | undefined): string => (source === undefined ? "" : ` (${source})`);
  const captions = [
    `anchor: ${anchor.subcategory.name}${by(anchor.source)}`,
    `positive${by(positive.source)}`,
    `negative: ${negative.subcategory.name}${by(negative.source)}`,
  ];
  const files = [anchor, positive, negative].flatMap(({ file }) => (file === null ? [] : [file]));
  await showImages(files, { captions });
}
