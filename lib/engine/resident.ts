/**
 * Tensors whose values TensorFlow holds in bfloat16. tfjs has no such data type: to JavaScript they are float32
 * tensors, and only `compile` reads them, widening each where a kernel uses it (or not at all, in its bfloat16 matrix
 * products). An eager kernel that is handed one fails with TensorFlow's error on the type.
 */
import type { OpAttribute } from "./binding";
import { DT, isBf16, nativeBackend, tensorOf } from "./native";
import type { Tensor } from "./tensorflow";

const typeAttribute = (name: string, value: number): OpAttribute => ({
  name,
  type: nativeBackend().binding.TF_ATTR_TYPE,
  value,
});

/** Storage types of weights that are read into TensorFlow. */
export type HalfType = "F16" | "BF16";

/**
 * A tensor made from stored bytes without widening them in JavaScript. The bytes are copied: `staged` may be used
 * again.
 * @param staged of `F32` and `I32` a Float32Array or Int32Array; of halves their bytes
 * @param type how they are stored
 * @param resident keep BF16 as it is; otherwise halves become float32
 */
export function tensorFromStored(
  staged: Float32Array | Int32Array | Uint8Array,
  shape: number[],
  type: HalfType | "F32" | "I32",
  resident = false,
): Tensor {
  const backend = nativeBackend();
  const { binding } = backend;
  const temporary: number[] = [];
  const run = (op: string, attributes: OpAttribute[], id: number): { id: number; shape: number[]; dtype: number } =>
    binding.executeOp(op, attributes, [id], 1)[0];
  try {
    const isHalf = type === "F16" || type === "BF16";
    const dtype = type === "F32" ? DT.float32 : type === "I32" ? DT.int32 : type === "F16" ? DT.float16 : DT.bfloat16;
    // TensorFlow takes over JavaScript's memory where its alignment allows: the last kernel must make a copy
    let id = binding.createTensor(isHalf ? [...shape, 2] : shape, isHalf ? DT.uint8 : dtype, staged);
    temporary.push(id);
    if (isHalf)
      temporary.push((id = run("Bitcast", [typeAttribute("T", DT.uint8), typeAttribute("type", dtype)], id).id));
    const widen = isHalf && !resident;
    const handle = widen
      ? run("Cast", [typeAttribute("SrcT", dtype), typeAttribute("DstT", DT.float32)], id)
      : run("DeepCopy", [typeAttribute("T", dtype)], id);
    return tensorOf(handle);
  } finally {
    temporary.forEach((id) => binding.deleteTensor(id));
  }
}

function castTo(tensor: Tensor, from: number, to: number): Tensor {
  const backend = nativeBackend();
  return tensorOf(
    backend.binding.executeOp(
      "Cast",
      [typeAttribute("SrcT", from), typeAttribute("DstT", to)],
      backend.getInputTensorIds([tensor]),
      1,
    )[0],
  );
}

/** The same values held in float32; a new handle. Other tensors are cloned. */
export const widened = (tensor: Tensor): Tensor =>
  isBf16(tensor) ? castTo(tensor, DT.bfloat16, DT.float32) : tensor.clone();

/** A float32 tensor's values rounded to bfloat16 (ties to even) and held so; a new handle. */
export const narrowed = (tensor: Tensor): Tensor =>
  isBf16(tensor) ? tensor.clone() : castTo(tensor, DT.float32, DT.bfloat16);
