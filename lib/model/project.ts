/** Access to parameters by name; the one place through which every linear layer of the model goes. */
import { linear } from "../engine/ops";
import type { Params, Tensor } from "../engine/tensorflow";

/** The parameter `name`. @throws Error when it is missing */
export function param(params: Params, name: string): Tensor {
  const tensor = params[name];
  if (!tensor) throw new Error(`parameter ${name} is missing; the record has ${Object.keys(params).length} tensors`);
  return tensor;
}

/** The linear layer `name`: `${name}.weight` [out, in] and, where there is one, `${name}.bias` [out]. */
export function project(params: Params, name: string, x: Tensor): Tensor {
  return linear(x, param(params, `${name}.weight`), params[`${name}.bias`] ?? null);
}
