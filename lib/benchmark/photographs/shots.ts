/**
 * Few-shot and development images: seeded samples of the publisher's portions, and the proof that no test image is one.
 */
import { foldIn, random } from "../../util/random";
import type { ImageSet, Portion, SetImage } from "./types";

/** Proves that two lists share no image. @throws Error naming the first that is in both */
export function assertDisjoint(shots: readonly SetImage[], tests: readonly SetImage[]): void {
  const tested = new Set(tests.map((image) => image.path));
  const leak = shots.find((image) => tested.has(image.path));
  if (leak) throw new Error(`${leak.path} is a training shot and a test image: one of the lists is wrong`);
}

/** A portion's images of each sub-category, in the order of their paths: the set's own order decides no draw. */
function byName(set: ImageSet, portion: Portion): Map<string, SetImage[]> {
  const of = new Map<string, SetImage[]>();
  for (const image of set.images) {
    if (image.portion !== portion) continue;
    const own = of.get(image.name);
    if (own) own.push(image);
    else of.set(image.name, [image]);
  }
  for (const own of of.values()) own.sort((a, b) => (a.path < b.path ? -1 : 1));
  return of;
}

/**
 * `count` training images of every seen sub-category, in the order of `seen`. Each sub-category draws from its own
 * seed, so that another one's images change nothing.
 * @param options.allowFewer takes what a sub-category has where that is less, be it nothing
 * @throws Error where a sub-category has too few, or a shot is a test image
 */
export function fewShots(
  set: ImageSet,
  seen: readonly string[],
  options: { count?: number; seed?: number; allowFewer?: boolean } = {},
): SetImage[] {
  const { count = 4, seed = 0, allowFewer = false } = options;
  const training = byName(set, "train");
  const shots = seen.flatMap((name) => {
    const own = training.get(name) ?? [];
    if (own.length < count && !allowFewer)
      throw new Error(`set ${set.name}: "${name}" has ${own.length} training images; ${count} needed`);
    return random(foldIn(seed, "shots", set.name, name)).sample(own, Math.min(count, own.length));
  });
  assertDisjoint(
    shots,
    set.images.filter((image) => image.portion === "test"),
  );
  return shots;
}

/**
 * Images for choices (a checkpoint, a prompt), sub-category by sub-category in the order of the set's names: of its
 * validation portion; where it has none, training images that are no shots. The same whatever the shots' seed is, where
 * there is a validation portion.
 * @param perClass at most so many of a sub-category, drawn by a seed of its own
 */
export function devImages(set: ImageSet, shots: readonly SetImage[], perClass = 4): SetImage[] {
  const validation = byName(set, "validation");
  const training = byName(set, "train");
  const taken = new Set(shots.map((shot) => shot.path));
  return set.names.flatMap((name) => {
    const own = validation.get(name) ?? (training.get(name) ?? []).filter((image) => !taken.has(image.path));
    return random(foldIn(0, "dev", set.name, name)).sample(own, Math.min(perClass, own.length));
  });
}
