/**
 * Images made worse on purpose, as the model takes them: Gaussian noise (NoisyRollout) or blackened patches (PAPO). It
 * is done after normalisation, in what stands for pixels there; all frames of a temporal patch, which hold one still
 * image, change alike.
 */
import { random } from "../util/random";
import { noiseScales } from "./noise-schedule";

/** What is done to an image. Equal ones do the same. */
export type Corruption =
  /** @param step of the diffusion model's forward process (`noiseScales`) */
  | { kind: "noise"; step: number; seed: number }
  /** @param ratio share of the patches that become black, to the nearest whole patch */
  | { kind: "mask"; ratio: number; seed: number };

/** How pixels became the model's input. */
export interface PatchFormat {
  patchSize: number;
  temporalPatchSize: number;
  imageMean: readonly number[];
  imageStd: readonly number[];
}

const CHANNELS = 3;

/** Which of `count` patches are masked: `round(ratio * count)` of them, all sets of them equally likely. */
export function maskedPatches(count: number, ratio: number, seed: number): number[] {
  const patches = Array.from({ length: count }, (_, i) => i);
  return random(seed).sample(patches, Math.round(ratio * count));
}

/**
 * The patches of one image, corrupted; `values` stay as they are.
 * @param values `[patches, 3 * temporalPatchSize * patchSize²]`, normalised
 * @throws Error where they are no whole patches
 */
export function corruptPatches(values: Float32Array, corruption: Corruption, format: PatchFormat): Float32Array {
  const { patchSize, temporalPatchSize: frames, imageMean, imageStd } = format;
  const ofFrame = patchSize ** 2;
  const ofPatch = CHANNELS * frames * ofFrame;
  if (values.length % ofPatch !== 0)
    throw new Error(`corruptPatches: ${values.length} values are no whole patches of ${ofPatch}`);
  const count = values.length / ofPatch;
  const black = imageMean.map((mean, c) => -mean / imageStd[c]);
  const white = imageMean.map((mean, c) => (1 - mean) / imageStd[c]);
  const changed = values.slice();
  if (corruption.kind === "mask") {
    for (const patch of maskedPatches(count, corruption.ratio, corruption.seed))
      for (let c = 0; c < CHANNELS; c++) {
        const start = patch * ofPatch + c * frames * ofFrame;
        changed.fill(black[c], start, start + frames * ofFrame);
      }
    return changed;
  }
  const { signal, noise } = noiseScales(corruption.step);
  const draw = random(corruption.seed);
  for (let patch = 0; patch < count; patch++)
    for (let c = 0; c < CHANNELS; c++) {
      const start = patch * ofPatch + c * frames * ofFrame;
      for (let i = 0; i < ofFrame; i++) {
        // signal * pixel + noise * normal, where pixel = std * value + mean
        const offset = ((signal - 1) * imageMean[c] + noise * draw.normal()) / imageStd[c];
        for (let frame = 0; frame < frames; frame++) {
          const at = start + frame * ofFrame + i;
          changed[at] = Math.min(white[c], Math.max(black[c], signal * values[at] + offset));
        }
      }
    }
  return changed;
}

/**
 * The patches of several images one after another, each corrupted or left as it is; `values` stay as they are.
 * @param counts patches of each image
 * @param corruptions one for each image, null for none
 * @throws Error where there are not as many corruptions as images
 */
export function corruptImages(
  values: Float32Array,
  counts: readonly number[],
  corruptions: readonly (Corruption | null)[],
  format: PatchFormat,
): Float32Array {
  if (corruptions.length !== counts.length)
    throw new Error(`corruptImages: ${corruptions.length} corruptions for ${counts.length} images`);
  const ofPatch = CHANNELS * format.temporalPatchSize * format.patchSize ** 2;
  const changed = values.slice();
  let start = 0;
  counts.forEach((count, i) => {
    const end = start + count * ofPatch;
    const corruption = corruptions[i];
    if (corruption) changed.set(corruptPatches(values.subarray(start, end), corruption, format), start);
    start = end;
  });
  return changed;
}
