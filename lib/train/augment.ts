/**
 * Image augmentation inside the compiled step: a random affine map and colour changes of what is drawn, on white.
 * Colours change in "ink" (1 - value), so that the white ground stays white.
 */
import { random } from "../util/random";
import { imageTransform } from "../engine/image-transform";
import { tf, type Tensor } from "../engine/tensorflow";

/** Tensors that describe one random change per image. */
export interface Augmentation {
  /** `[N,8]` projective transforms, output to input (tf.image.transform). */
  transforms: Tensor;
  /** `[N,1,1,3]` factor on the ink of each channel. */
  gain: Tensor;
  /** `[N,1,1,1]` 1 keeps the saturation, 0 makes grey. */
  saturation: Tensor;
  /** `[N,4]` top, left, bottom, right of a rectangle painted white, pixels; empty where bottom <= top. */
  cutout: Tensor;
}

/**
 * Draws augmentations.
 * @param seeds one per image
 * @param size side of the square images, pixels
 * @param strength 0 changes nothing, 1 is for pre-training
 * @param mirror per image whether it may be mirrored (flags may not)
 */
export function drawAugmentation(
  seeds: readonly number[],
  size: number,
  strength: number,
  mirror: readonly boolean[],
): Augmentation {
  const count = seeds.length;
  const transforms = new Float32Array(count * 8);
  const gain = new Float32Array(count * 3);
  const saturation = new Float32Array(count);
  const cutout = new Float32Array(count * 4);
  for (let i = 0; i < count; i++) {
    const r = random(seeds[i]);
    const between = (low: number, high: number): number => low + (high - low) * r.uniform();
    const angle = between(-0.3, 0.3) * strength;
    const scale = 1 + between(-0.12, 0.35) * strength;
    const aspect = 1 + between(-0.12, 0.12) * strength;
    const shear = between(-0.12, 0.12) * strength;
    const flip = mirror[i] && strength > 0 && r.uniform() < 0.5 ? -1 : 1;
    const center = (size - 1) / 2;
    const a = Math.cos(angle) * scale * aspect * flip;
    const b = (-Math.sin(angle) + shear) * scale;
    const c = Math.sin(angle) * scale * flip;
    const d = Math.cos(angle) * scale;
    const shiftX = between(-0.1, 0.1) * strength * size;
    const shiftY = between(-0.1, 0.1) * strength * size;
    transforms.set(
      [a, b, center - a * center - b * center + shiftX, c, d, center - c * center - d * center + shiftY, 0, 0],
      i * 8,
    );
    const brightness = 1 + between(-0.2, 0.2) * strength;
    for (let channel = 0; channel < 3; channel++)
      gain[i * 3 + channel] = brightness * (1 + between(-0.15, 0.15) * strength);
    saturation[i] = strength > 0 && r.uniform() < 0.06 * strength ? 0 : 1 + between(-0.5, 0.3) * strength;
    if (r.uniform() < 0.4 * strength) {
      const side = between(6, 16);
      const top = between(0, size - side);
      const left = between(0, size - side);
      cutout.set([top, left, top + side, left + side], i * 4);
    }
  }
  return {
    transforms: tf.tensor2d(transforms, [count, 8]),
    gain: tf.tensor4d(gain, [count, 1, 1, 3]),
    saturation: tf.tensor4d(saturation, [count, 1, 1, 1]),
    cutout: tf.tensor2d(cutout, [count, 4]),
  };
}

/** Applies `augmentation` to images `[N,S,S,3]` with values 0-255. */
export function augment(images: Tensor, augmentation: Augmentation): Tensor {
  return tf.tidy(() => {
    const [count, height, width] = images.shape;
    const moved = imageTransform(images, augmentation.transforms, 255);
    const ink = tf.sub(1, tf.div(moved, 255));
    const grey = tf.sum(tf.mul(ink, tf.tensor1d([0.299, 0.587, 0.114])), 3, true);
    const colored = tf.mul(tf.add(grey, tf.mul(tf.sub(ink, grey), augmentation.saturation)), augmentation.gain);
    const [top, left, bottom, right] = tf.split(tf.reshape(augmentation.cutout, [count, 1, 1, 4]), 4, 3);
    const y = tf.reshape(tf.range(0, height), [1, height, 1, 1]);
    const x = tf.reshape(tf.range(0, width), [1, 1, width, 1]);
    const rows = tf.logicalAnd(tf.greaterEqual(y, top), tf.less(y, bottom));
    const columns = tf.logicalAnd(tf.greaterEqual(x, left), tf.less(x, right));
    const keep = tf.sub(1, tf.cast(tf.logicalAnd(rows, columns), "float32"));
    return tf.mul(tf.sub(1, tf.mul(tf.clipByValue(colored, 0, 1), keep)), 255);
  });
}

/** How pixels become the model's input; from `preprocessor_config.json`. */
export interface PixelFormat {
  patchSize: number;
  temporalPatchSize: number;
  mergeSize: number;
  imageMean: readonly number[];
  imageStd: readonly number[];
}

/**
 * Images `[N,S,S,3]` (0-255) to `pixelValues [N*(S/p)^2, 3*tp*p*p]`, in the patch order of Qwen2-VL's image processor:
 * merge groups of 2x2 patches side by side, a still image repeated over the temporal patch.
 */
export function toPatches(images: Tensor, format: PixelFormat): Tensor {
  return tf.tidy(() => {
    const { patchSize: p, temporalPatchSize: tp, mergeSize: m } = format;
    const [count, height, width] = images.shape;
    const [rows, columns] = [height / p, width / p];
    const normalised = tf.div(
      tf.sub(tf.div(images, 255), tf.tensor1d([...format.imageMean])),
      tf.tensor1d([...format.imageStd]),
    );
    const split = tf.reshape(normalised, [count, rows / m, m, p, columns / m, m, p, 3] as never);
    const ordered = tf.transpose(split, [0, 1, 4, 2, 5, 7, 3, 6]);
    const single = tf.reshape(ordered, [count * rows * columns, 3, 1, p * p]);
    return tf.reshape(tf.tile(single, [1, 1, tp, 1]), [count * rows * columns, 3 * tp * p * p]);
  });
}
