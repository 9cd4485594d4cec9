/** Sums that grow in place: what gradients of many parts are added up in, without a second copy. */
import { DT, nativeBackend } from "./native";
import { isNative, tf, type Tensor } from "./tensorflow";

/**
 * `total + x`, written over `total` on the native backend (TensorFlow's InplaceAdd). Only for a `total` that the caller
 * gives up with this call (`donate`), and whose memory is its own: made by `tf.fill` or by this function, not the
 * result of a compiled function, which may be a constant or share its memory with another result.
 * @param total float32 @param x of the same shape
 */
export function addInto(total: Tensor, x: Tensor): Tensor {
  if (!isNative) return tf.add(total, x);
  return tf.tidy(() => {
    const backend = nativeBackend();
    const type = { name: "T", type: backend.binding.TF_ATTR_TYPE, value: DT.float32 };
    const inputs = [tf.reshape(total, [1, -1]), tf.tensor1d([0], "int32"), tf.reshape(x, [1, -1])];
    return tf.reshape(backend.executeSingleOutput("InplaceAdd", [type], inputs), total.shape);
  });
}
