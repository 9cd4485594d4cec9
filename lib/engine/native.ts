/** The few private parts of tfjs-node's backend that tracing needs, typed in one place. */
import type { Binding, OpAttribute, TensorHandle } from "./binding";
import { isNative, tf, type Tensor } from "./tensorflow";

/** tfjs-node's backend with the members that are private in its types. */
export interface NativeBackend {
  binding: Binding;
  isUsingGpuDevice: boolean;
  /** What TensorFlow knows of a tensor's data. */
  tensorMap: { get(dataId: object): { dtype: number } };
  getInputTensorIds(tensors: readonly Tensor[]): number[];
  createOutputTensor(handle: TensorHandle): Tensor;
  executeSingleOutput(name: string, attributes: OpAttribute[], inputs: Tensor[]): Tensor;
  executeMultipleOutputs(name: string, attributes: OpAttribute[], inputs: Tensor[], outputCount: number): Tensor[];
}

/** The native backend; throws where it is not loaded. */
export function nativeBackend(): NativeBackend {
  if (!isNative) throw new Error("the native engine is not loaded: run `npm run -s fine-r1 -- doctor` to see why");
  return tf.backend() as unknown as NativeBackend;
}

/** Whether the native backend computes on a GPU. */
export const isOnGpu = (): boolean => isNative && nativeBackend().isUsingGpuDevice;

/** Whether functions can be registered: the addon is there and carries the patch. */
export function canCompile(): boolean {
  if (!isNative) return false;
  const { addFunctionDef, callFunction, getOpList, inferShapes } = nativeBackend().binding;
  return [addFunctionDef, callFunction, getOpList, inferShapes].every((added) => typeof added === "function");
}

/** TensorFlow's numbers of the data types used here (tensorflow/core/framework/types.proto). */
export const DT = { float32: 1, int32: 3, uint8: 4, bool: 10, bfloat16: 14, float16: 19 } as const;

/** TensorFlow's number of a tfjs data type. */
export function dataTypeNumber(dtype: string): number {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return DT[dtype];
  throw new Error(`data type ${dtype} can't enter a compiled function; use float32, int32 or bool`);
}

/**
 * The tfjs tensor of a handle. tfjs has no bfloat16: it takes such a tensor for float32, and TensorFlow's type stays
 * noted beside it.
 */
export function tensorOf(handle: TensorHandle): Tensor {
  const backend = nativeBackend();
  if (handle.dtype !== DT.bfloat16) return backend.createOutputTensor(handle);
  const tensor = backend.createOutputTensor({ ...handle, dtype: DT.float32 });
  backend.tensorMap.get(tensor.dataId).dtype = DT.bfloat16;
  return tensor;
}

/** TensorFlow's number of the type in which it holds a tensor. */
export function typeNumber(tensor: Tensor): number {
  return isBf16(tensor) ? DT.bfloat16 : dataTypeNumber(tensor.dtype);
}

/** Whether TensorFlow holds a tensor in bfloat16. */
export function isBf16(tensor: Tensor): boolean {
  return isNative && tensor.dtype === "float32" && nativeBackend().tensorMap.get(tensor.dataId)?.dtype === DT.bfloat16;
}
