/** A linear layer, and the matrix products of it and of its gradient. */
import { callKernel, usesKernels } from "./kernels";
import type { OpAttribute } from "./binding";
import { DT, nativeBackend } from "./native";
import { withGradient } from "./ops";
import { isNative, tf, type Tensor } from "./tensorflow";

/**
 * `x · weightᵀ + bias` as one 2-D product.
 * @param x [..., in]
 * @param weight [out, in], as Hugging Face stores a linear layer
 * @param bias [out] or null
 * @returns [..., out]
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [outSize, inSize] = weight.shape;
  if (weight.rank !== 2 || x.shape[x.rank - 1] !== inSize) {
    throw new Error(
      `linear: input [${x.shape.join(", ")}] against weight [${weight.shape.join(", ")}]; expected [..., in] and [out, in]`,
    );
  }
  return tf.tidy(() => {
    const flat = x.rank === 2 ? x : x.reshape([-1, inSize]);
    const y = usesKernels() ? fused(flat, weight, bias) : composed(flat, weight, bias);
    return x.rank === 2 ? y : y.reshape([...x.shape.slice(0, -1), outSize]);
  });
}

/** Which of a product's matrices are read as their transposes. */
interface Transposed {
  a?: boolean;
  b?: boolean;
}

/**
 * Product and bias as one kernel (`native/kernels/products.inc`). In a function that is compiled with `bf16` it rounds
 * both matrices where it reads them (`Recorder`).
 */
function fused(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const product = (
    a: Tensor,
    b: Tensor,
    added: Tensor,
    { a: transposeA = false, b: transposeB = false }: Transposed,
  ): Tensor =>
    callKernel("MatMul", [a, b, added], 1, { transpose_a: transposeA, transpose_b: transposeB, rounds: false })[0];
  return withGradient(
    bias ? [x, weight, bias] : [x, weight],
    (save) => {
      const none = tf.zeros([0]);
      save([x, weight, none]);
      return product(x, weight, bias ?? none, { b: true });
    },
    (dy, [input, w, none]) => [
      product(dy, w, none, {}),
      product(dy, input, none, { a: true }),
      ...(bias ? callKernel("ColumnSums", [dy], 1) : []),
    ],
  );
}

function composed(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const product = isNative ? plainProduct(x, weight) : tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D, false, true);
  return bias ? addBias(product, bias) : product;
}

function callNative(op: string, inputs: Tensor[], attributes: OpAttribute[]): Tensor {
  const backend = nativeBackend();
  return backend.executeSingleOutput(
    op,
    [...attributes, { name: "T", type: backend.binding.TF_ATTR_TYPE, value: DT.float32 }],
    inputs,
  );
}

/**
 * `x · weightᵀ` as TensorFlow's MatMul. tfjs calls BatchMatMul for every product, with two reshapes around it: half the
 * time of a product of few rows, as in a decoding step. The gradient's products are tfjs's own.
 */
function plainProduct(x: Tensor, weight: Tensor): Tensor {
  return withGradient(
    [x, weight],
    (save) => {
      save([x, weight]);
      const type = nativeBackend().binding.TF_ATTR_BOOL;
      return callNative(
        "MatMul",
        [x, weight],
        [
          { name: "transpose_a", type, value: false },
          { name: "transpose_b", type, value: true },
        ],
      );
    },
    (dy, [input, w]) => [
      tf.matMul(dy as tf.Tensor2D, w as tf.Tensor2D),
      tf.matMul(dy as tf.Tensor2D, input as tf.Tensor2D, true, false),
    ],
  );
}

/** A bias added by BiasAdd, which TensorFlow computes together with the product before it. */
function addBias(x: Tensor, bias: Tensor): Tensor {
  if (!isNative) return x.add(bias);
  return withGradient(
    [x, bias],
    () => callNative("BiasAdd", [x, bias], []),
    (dy) => [dy, tf.sum(dy, 0)],
  );
}
