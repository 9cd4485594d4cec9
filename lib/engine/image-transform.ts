/** Batched projective image transform: the tfjs op where its kernel exists, TensorFlow's own kernel on the native backend. */
import { DT, nativeBackend } from "./native";
import { isNative, tf, type Tensor } from "./tensorflow";

/**
 * @param images `[N,H,W,C]`
 * @param transforms `[N,8]`, output to input coordinates (tf.raw_ops.ImageProjectiveTransformV3)
 * @param fillValue value outside the input
 * @returns `[N,H,W,C]`, bilinear
 */
export function imageTransform(images: Tensor, transforms: Tensor, fillValue: number): Tensor {
  const [, height, width] = images.shape;
  if (!isNative) return tf.image.transform(images as tf.Tensor4D, transforms as tf.Tensor2D, "bilinear", "constant", fillValue, [height, width]);
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
