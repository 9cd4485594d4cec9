/** tfjs-node's addon as its backend calls it, typed. */

/** Metadata of a tensor held by TensorFlow. */
export interface TensorHandle {
  id: number;
  shape: number[];
  dtype: number;
}

/** One attribute of a kernel call, as tfjs-node passes it. */
export interface OpAttribute {
  name: string;
  type: number;
  value: unknown;
}

/** The addon. `addFunctionDef` and those after it come from this project's patch (`tools/`). */
export interface Binding {
  TF_FLOAT: number;
  TF_INT32: number;
  TF_BOOL: number;
  TF_ATTR_STRING: number;
  TF_ATTR_INT: number;
  TF_ATTR_FLOAT: number;
  TF_ATTR_BOOL: number;
  TF_ATTR_TYPE: number;
  TF_ATTR_SHAPE: number;
  createTensor(shape: number[], dtype: number, values: unknown): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  executeOp(name: string, attributes: OpAttribute[], inputIds: number[], outputCount: number): TensorHandle[];
  addFunctionDef?(bytes: Uint8Array): void;
  callFunction?(name: string, inputIds: Int32Array, outputCount: number): number;
  removeFunction?(name: string): void;
  getOpList?(): Uint8Array;
  inferShapes?(graph: Uint8Array, node: string): { shape: number[] | null; dtype: number }[];
  setTensorFloat32?(allowed: boolean): void;
}
