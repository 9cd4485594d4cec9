/**
 * The images of a run: equal squares in one tensor, which may be augmented, or photographs of any size, read as they
 * are needed.
 */
import { compile } from "../engine/compile";
import { tf, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { Grid } from "../model/vision-plan";
import { disposeImage, type ProcessedImage } from "../processor/image-processor";
import { augment, drawAugmentation, toPatches, type Augmentation, type PixelFormat } from "./augment";
import { corruptImages, type Corruption, type PatchFormat } from "./corrupt";

/** How images of a batch are changed: one seed per image. */
export interface AugmentBy {
  seeds: readonly number[];
  /** 0 to 1. */
  strength: number;
  /** What is done to the patches of each image after that, null for nothing; default nothing to any. */
  corruptions?: readonly (Corruption | null)[];
}

/** Where the images of a run come from. They are named by path, or by whatever a run calls them. */
export interface RunImages {
  /** Whether all have one grid. */
  readonly uniform: boolean;
  /** In patches. @throws Error where the image is none of the run's */
  grid(path: string): Grid;
  /** Brings these into memory; others may leave it. */
  load(paths: readonly string[]): Promise<void>;
  /**
   * Their patches one after another, `[sum of t*h*w, values of a patch]`, before any corruption (`changedPatches`); the
   * caller disposes them.
   * @param augmentBy null changes nothing
   * @throws Error where an image is not loaded, or these images can't be changed
   */
  patches(paths: readonly string[], augmentBy: AugmentBy | null): Tensor;
  dispose(): void;
}

/** Drawings in memory: every image a run uses, once, as one tensor; batches pick rows inside the compiled function. */
export interface ImageBank {
  /** `[M,S,S,3]`, values 0-255 */
  images: Tensor;
  /** @throws Error where the path was not loaded */
  indexOf(path: string): number;
  size: number;
  dispose(): void;
}

/** Loads each path once. `load` returns RGB bytes of an image of `size` x `size`. */
export async function loadImageBank(
  paths: readonly string[],
  size: number,
  load: (path: string) => Promise<{ data: Uint8Array; width: number; height: number }>,
): Promise<ImageBank> {
  const unique = [...new Set(paths)];
  const index = new Map(unique.map((path, i) => [path, i]));
  const values = new Float32Array(unique.length * size * size * 3);
  for (const [i, path] of unique.entries()) {
    const image = await load(path);
    if (image.width !== size || image.height !== size)
      throw new Error(`${path}: ${image.width} x ${image.height} pixels; this image bank holds ${size} x ${size}`);
    values.set(image.data, i * size * size * 3);
  }
  const images = tf.tensor4d(values, [unique.length, size, size, 3]);
  return {
    images,
    size,
    indexOf: (path) => {
      const found = index.get(path);
      if (found === undefined) throw new Error(`image bank: ${path} was not loaded`);
      return found;
    },
    dispose: () => images.dispose(),
  };
}

/** The squares of a bank, which the result owns; all are in memory from the start. */
export function squareImages(bank: ImageBank, format: PixelFormat): RunImages {
  const side = bank.size / format.patchSize;
  const grid: Grid = [1, side, side];
  const cut = compile(
    (images: Tensor, ids: Tensor, augmentation: Augmentation | null) => {
      const chosen = tf.gather(images, ids as tf.Tensor1D);
      return toPatches(augmentation ? augment(chosen, augmentation) : chosen, format);
    },
    { name: "images.patches" },
  );
  return {
    uniform: true,
    grid: (path) => {
      bank.indexOf(path);
      return grid;
    },
    load: () => Promise.resolve(),
    patches: (paths, augmentBy) => {
      const ids = tf.tensor1d(
        paths.map((path) => bank.indexOf(path)),
        "int32",
      );
      const augmentation =
        augmentBy &&
        drawAugmentation(
          augmentBy.seeds,
          bank.size,
          augmentBy.strength,
          paths.map(() => false),
        );
      const cutOut = cut(bank.images, ids, augmentation);
      disposeTree([ids, augmentation]);
      return cutOut;
    },
    dispose: () => bank.dispose(),
  };
}

/**
 * Photographs of any size. Only those that were loaded last are in memory, as patches.
 * @param grids of every image that the run may use
 * @param read an image by its name, as its grid says; it is disposed of here
 * @param atOnce images that are read at the same time
 */
export function photographs(
  grids: ReadonlyMap<string, Grid>,
  read: (path: string) => Promise<ProcessedImage>,
  atOnce = 4,
): RunImages {
  let loaded = new Map<string, ProcessedImage>();
  const gridOf = (path: string): Grid => {
    const grid = grids.get(path);
    if (!grid) throw new Error(`${path}: is no image of this run`);
    return grid;
  };
  return {
    uniform: false,
    grid: gridOf,
    load: async (paths) => {
      const wanted = new Map(
        [...new Set(paths)].flatMap((path) => (loaded.has(path) ? [[path, loaded.get(path)!] as const] : [])),
      );
      const missing = [...new Set(paths)].filter((path) => !wanted.has(path));
      missing.forEach(gridOf);
      for (let start = 0; start < missing.length; start += atOnce) {
        const batch = missing.slice(start, start + atOnce);
        const images = await Promise.all(batch.map(read));
        batch.forEach((path, i) => {
          const [own, announced] = [images[i].grid.join(" x "), gridOf(path).join(" x ")];
          if (own !== announced) throw new Error(`${path}: has ${own} patches; ${announced} when the run began`);
          wanted.set(path, images[i]);
        });
      }
      for (const [path, image] of loaded) if (!wanted.has(path)) disposeImage(image);
      loaded = wanted;
    },
    patches: (paths, augmentBy) => {
      if (augmentBy && augmentBy.strength > 0)
        throw new Error(
          "augmentation is made for square drawings; set sft.augmentation=0 and rl.augmentation=0 for photographs",
        );
      const images = paths.map((path) => {
        const image = loaded.get(path);
        if (!image) throw new Error(`${path} was not loaded`);
        return image;
      });
      const values = new Float32Array(images.reduce((n, { pixelValues }) => n + pixelValues.length, 0));
      let at = 0;
      let patches = 0;
      for (const { pixelValues, grid } of images) {
        values.set(pixelValues, at);
        at += pixelValues.length;
        patches += grid[0] * grid[1] * grid[2];
      }
      return tf.tensor2d(values, [patches, values.length / Math.max(patches, 1)]);
    },
    dispose: () => {
      loaded.forEach((image) => disposeImage(image));
      loaded = new Map();
    },
  };
}

/** The patches of images with all that `augmentBy` does to them; the images must be loaded, the caller disposes it. */
export function changedPatches(
  images: RunImages,
  paths: readonly string[],
  augmentBy: AugmentBy | null,
  format: PatchFormat,
): Tensor {
  const patches = images.patches(paths, augmentBy);
  const corruptions = augmentBy?.corruptions;
  if (!corruptions?.some((one) => one !== null)) return patches;
  const counts = paths.map((path) => images.grid(path).reduce((n, side) => n * side, 1));
  const values = corruptImages(patches.dataSync() as Float32Array, counts, corruptions, format);
  const corrupted = tf.tensor2d(values, patches.shape as [number, number]);
  patches.dispose();
  return corrupted;
}

/** No images: the bench of a run before its images are known. */
export const noImages: RunImages = {
  uniform: false,
  grid: (path) => {
    throw new Error(`${path}: is no image of this run`);
  },
  load: () => Promise.resolve(),
  patches: () => tf.zeros([0, 0]),
  dispose: () => undefined,
};
