/** Few-shot training images: a seeded sample of the publisher's training portion, and the proof that no test image is one. */
import { foldIn, random } from "../../util/random";
import type { ImageSet, SetImage } from "./types";

/** Proves that two lists share no image. @throws Error naming the first that is in both */
export function assertDisjoint(shots: readonly SetImage[], tests: readonly SetImage[]): void {
  const tested = new Set(tests.map((image) => image.path));
  const leak = shots.find((image) => tested.has(image.path));
  if (leak) throw new Error(`${leak.path} is a training shot and a test image: one of the lists is wrong`);
}

/**
 * `count` training images of every seen sub-category, in the order of `seen`. Each sub-category draws from its own seed, so
 * that another one's images change nothing.
 * @throws Error where a sub-category has too few, or a shot is a test image
 */
export function fewShots(
  set: ImageSet,
  seen: readonly string[],
  options: { count?: number; seed?: number; allowFewer?: boolean } = {},
): SetImage[] {
  const { count = 4, seed = 0 } = options;
  const training = new Map<string, SetImage[]>();
  for (const image of set.images)
    if (image.portion === "train") training.set(image.name, [...(training.get(image.name) ?? []), image]);
  const shots = seen.flatMap((name) => {
    const own = [...(training.get(name) ?? [])].sort((a, b) => (a.path < b.path ? -1 : 1));
    if (own.length < count)
      throw new Error(`set ${set.name}: "${name}" has ${own.length} training images; ${count} needed`);
    return random(foldIn(seed, "shots", set.name, name)).sample(own, count);
  });
  assertDisjoint(
    shots,
    set.images.filter((image) => image.portion === "test"),
  );
  return shots;
}

export function devImages(set: ImageSet, shots: readonly SetImage[]): SetImage[] {
  const val = set.images.filter((i) => i.portion === "validation");
  return val.length > 0 ? val : set.images.filter((i) => i.portion === "train" && !shots.includes(i));
}
