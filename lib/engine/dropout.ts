/**
 * Dropout whose mask is a pure function of a seed that travels as an argument, so that a compiled step draws anew each
 * time.
 */
import { DT, nativeBackend } from "./native";
import { foldIn, random } from "../util/random";
import { isNative, tf, type Tensor } from "./tensorflow";

/**
 * Uniform numbers in [0, 1) of a shape: TensorFlow's counter-based generator (StatelessRandomUniform, Threefry or
 * Philox) on the native backend, `engine/random.ts` on the host elsewhere. The two differ.
 * @param seed int32 [2]
 */
function statelessUniform(shape: readonly number[], seed: Tensor): Tensor {
  if (!isNative) {
    const [first, second] = seed.dataSync();
    const draw = random(foldIn(first, second));
    return tf.tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw.uniform()),
      [...shape],
    );
  }
  const backend = nativeBackend();
  const { TF_ATTR_TYPE } = backend.binding;
  const types = [
    { name: "dtype", type: TF_ATTR_TYPE, value: DT.float32 },
    { name: "T", type: TF_ATTR_TYPE, value: DT.int32 },
    { name: "Tseed", type: TF_ATTR_TYPE, value: DT.int32 },
  ];
  return backend.executeSingleOutput("StatelessRandomUniform", types, [tf.tensor1d([...shape], "int32"), seed]);
}

/**
 * `x` with each value set to 0 with probability `rate`, the others divided by `1 - rate` (inverted dropout,
 * torch.nn.Dropout).
 * @param rate scalar in [0, 1)
 * @param seed int32 [2]; the same seed, name and shape give the same mask
 * @param name what the draw is for: other names, and other shapes, draw otherwise
 */
export function dropout(x: Tensor, rate: Tensor, seed: Tensor, name: string): Tensor {
  return tf.tidy(() => {
    const own = seed.add(tf.tensor1d([0, foldIn(0, name, ...x.shape) >>> 2], "int32")); // TensorFlow's int32 wraps around
    const keep = statelessUniform(x.shape, own).greaterEqual(rate).cast("float32");
    return x.mul(keep.div(tf.sub(1, rate)));
  });
}
