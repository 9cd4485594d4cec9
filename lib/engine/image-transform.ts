/**
 * Batched projective image transform: the tfjs op where its kernel exists, TensorFlow's own kernel on the native
 * backend.
 */
import { DT, nativeBackend } from "./native";
import { isNative, tf, type Tensor } from "./tensorflow";

/**
 * @param images `[N,H,W,C]`
 * @param transforms `[N,8]`, output to input coordinates (tf.raw_ops.ImageProjectiveTransformV3)
 * @param fillValue value outside the input
 * @returns `[N,H,W,C]`, bilinear
 */
export function imageTransform(images: Tensor, transforms: Tensor, fillValue: number): Tensor {
  const [count, height, width] = images.shape;
  if (!isNative) {
    // one by one: the CPU kernel of tfjs 4.22 returns after the first image of a batch, the others stay `fillValue`
    const one = (image: Tensor, i: number): Tensor =>
      tf.image.transform(
        image as tf.Tensor4D,
        tf.slice(transforms as tf.Tensor2D, [i, 0], [1, 8]),
        "bilinear",
        "constant",
        fillValue,
        [height, width],
      );
    return tf.tidy(() => tf.concat(tf.split(images, count).map(one)));
  }
  const backend = nativeBackend();
  const { TF_ATTR_TYPE, TF_ATTR_STRING } = backend.binding;
  return tf.tidy(() =>
    backend.executeSingleOutput(
      "ImageProjectiveTransformV3",
      [
        { name: "dtype", type: TF_ATTR_TYPE, value: DT.float32 },
        { name: "interpolation", type: TF_ATTR_STRING, value: "BILINEAR" },
        { name: "fill_mode", type: TF_ATTR_STRING, value: "CONSTANT" },
      ],
      [images, transforms, tf.tensor1d([height, width], "int32"), tf.scalar(fillValue)],
    ),
  );
}
