/** Drawings in memory: every image a run uses, once, as one tensor; batches pick rows inside the compiled function. */
import { tf, type Tensor } from "../engine/tensorflow";

/** Images by path. */
export interface ImageBank {
  /** `[M,S,S,3]`, values 0-255 */
  images: Tensor;
  /** @throws Error where the path was not loaded */
  indexOf(path: string): number;
  size: number;
  dispose(): void;
}

/** Loads each path once. `load` returns RGB bytes of an image of `size` x `size`. */
export async function loadImageBank(paths: readonly string[], size: number, load: (path: string) => Promise<{ data: Uint8Array; width: number; height: number }>): Promise<ImageBank> {
  const unique = [...new Set(paths)];
  const index = new Map(unique.map((path, i) => [path, i]));
  const values = new Float32Array(unique.length * size * size * 3);
  for (const [i, path] of unique.entries()) {
    const image = await load(path);
    if (image.width !== size || image.height !== size) throw new Error(`${path}: ${image.width} x ${image.height} pixels; this image bank holds ${size} x ${size}`);
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
