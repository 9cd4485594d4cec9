/**
 * Stage-2 triplets of photographs: the positive is another training image of the anchor's sub-category, the negative an image
 * of the most similar other sub-category, both at the anchor's size (`stage2Row`). What "similar" means is one argument: the
 * cosine of mean image embeddings by any function from image to vector, or any other `Similarity`.
 */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { foldIn, random } from "../../util/random";
import type { OnBadRow } from "../../util/lines";
import { stage2Row, type Stage2Row } from "../../formats/stage2";
import { resolveImage } from "./paths";
import { rankNames, type Similarity } from "./questions";
import type { ImageSet, SetImage } from "./types";

/** Images to vectors of one length, in order; files are absolute paths. CLIP, SigLIP, or a model's own vision tower. */
export type Embedder = (
  files: readonly string[],
  onProgress?: (done: number, total: number) => void,
) => Promise<readonly ArrayLike<number>[]>;

/** Three images of a set. */
export interface PhotoTriplet {
  anchor: SetImage;
  positive: SetImage;
  negative: SetImage;
}

/** An image that cannot be used, and why. */
export interface SkippedImage {
  path: string;
  reason: string;
}

/** A vector scaled to length 1. @throws Error where it has none */
function unit(vector: ArrayLike<number>, of: string): Float64Array {
  const values = Float64Array.from(vector);
  const length = Math.hypot(...values);
  if (!(length > 0 && Number.isFinite(length))) throw new Error(`${of}: its embedding has length ${length}`);
  return values.map((x) => x / length);
}

/**
 * Cosine between sub-categories, each the mean of its images' unit vectors, in [-1, 1].
 * @param vectors one an image, in the order of `images`
 * @throws Error where vectors and images don't match, or a name has no image
 */
export function embeddingSimilarity(images: readonly SetImage[], vectors: readonly ArrayLike<number>[]): Similarity {
  if (vectors.length !== images.length)
    throw new Error(`embeddings: ${vectors.length} vectors for ${images.length} images`);
  const sums = new Map<string, Float64Array>();
  images.forEach((image, i) => {
    const vector = unit(vectors[i], image.path);
    const sum = sums.get(image.name) ?? new Float64Array(vector.length);
    if (sum.length !== vector.length)
      throw new Error(`embeddings: ${image.path} has ${vector.length} values, others ${sum.length}`);
    sums.set(
      image.name,
      sum.map((x, d) => x + vector[d]),
    );
  });
  const means = new Map([...sums].map(([name, sum]) => [name, unit(sum, name)]));
  const mean = (name: string): Float64Array => {
    const found = means.get(name);
    if (!found) throw new Error(`embeddings: no image of "${name}"`);
    return found;
  };
  return (a, b) => {
    const [x, y] = [mean(a), mean(b)];
    return x.reduce((total, value, d) => total + value * y[d], 0);
  };
}

/**
 * One triplet for every shot as anchor, in the order of the shots, which changes no triplet; each anchor draws from its own seed.
 * @throws Error where a sub-category has one image alone, or there is one sub-category alone
 */
export function photoTriplets(shots: readonly SetImage[], similarity: Similarity, seed: number): PhotoTriplet[] {
  const of = new Map<string, SetImage[]>();
  for (const shot of [...shots].sort((a, b) => (a.path < b.path ? -1 : 1)))
    of.set(shot.name, [...(of.get(shot.name) ?? []), shot]);
  const nearest = rankNames([...of.keys()], similarity);
  return shots.map((anchor) => {
    const stream = random(foldIn(seed, "triplet", anchor.path));
    const kin = of.get(anchor.name)!.filter((other) => other.path !== anchor.path);
    if (kin.length === 0)
      throw new Error(
        `triplets: "${anchor.name}" has one image alone, so it has no positive; two shots or more are needed`,
      );
    const [other] = nearest.get(anchor.name)!;
    if (other === undefined)
      throw new Error(`triplets: "${anchor.name}" is the one sub-category, so there is no negative`);
    return { anchor, positive: stream.choice(kin), negative: stream.choice(of.get(other)!) };
  });
}

/**
 * Triplets as Stage-2 rows: bytes read, positive and negative resized to the anchor's size, paths `<set>/<path>`.
 * @param problem the question; its `<image>` marker is put before it
 * @param onBadRow `stop` (default) throws at the first image that is missing or cannot be decoded; `skip` leaves the triplet out and says why
 */
export async function tripletRows(
  set: ImageSet,
  triplets: readonly PhotoTriplet[],
  problem: string,
  onBadRow: OnBadRow = "stop",
): Promise<{ rows: Stage2Row[]; skipped: SkippedImage[] }> {
  const rows: Stage2Row[] = [];
  const skipped: SkippedImage[] = [];
  const read = (image: SetImage): Stage2Row["anchor"] => {
    const file = resolveImage(set.root, image.path);
    if (file === null) throw new Error(`${path.join(set.root, image.path)}: the image is missing`);
    return { bytes: new Uint8Array(readFileSync(file)), path: `${set.name}/${image.path}` };
  };
  for (const { anchor, positive, negative } of triplets) {
    try {
      rows.push(
        await stage2Row({
          problem: `<image>${problem}`,
          answer: anchor.name,
          anchor: read(anchor),
          positive: read(positive),
          negative: read(negative),
        }),
      );
    } catch (error) {
      const reason = (error as Error).message.split("\n")[0];
      if (onBadRow === "stop")
        throw new Error(
          `triplet of ${anchor.path} (positive ${positive.path}, negative ${negative.path}): ${reason}; see data check, or skip bad rows`,
        );
      skipped.push({ path: anchor.path, reason });
    }
  }
  return { rows, skipped };
}
