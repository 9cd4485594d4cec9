/** Access to parameters by name; the one place through which every linear layer of the model goes. */
import { dropout } from "../engine/dropout";
import { usesKernels } from "../engine/kernels";
import { linear } from "../engine/linear";
import { isBf16 } from "../engine/native";
import { swiglu } from "../engine/ops";
import { recomputed } from "../engine/recompute";
import { swigluMlp, type LinearLayer } from "../engine/swiglu-mlp";
import { tf, type Params, type Tensor } from "../engine/tensorflow";

/**
 * A step's seed of LoRA's dropout among its parameters: int32 [2]. Without it nothing is dropped: scoring, sampling,
 * evaluation.
 */
export const LORA_SEED = "lora_seed";

/** The parameter `name`. @throws Error when it is missing */
export function param(params: Params, name: string): Tensor {
  const tensor = params[name];
  if (!tensor) throw new Error(`parameter ${name} is missing; the record has ${Object.keys(params).length} tensors`);
  return tensor;
}

const layerNamed = (params: Params, name: string): LinearLayer => ({
  weight: param(params, `${name}.weight`),
  bias: params[`${name}.bias`] ?? null,
});

/**
 * The linear layer `name`: `${name}.weight` [out, in], `${name}.bias` [out] where there is one, and where the record
 * holds an adapter of it (lora.ts) `+ scaling · B · A · x`. Where the record holds a seed of the step (`lora_seed`) and
 * the layer's `lora_dropout`, values of that x are dropped.
 */
export function project(params: Params, name: string, x: Tensor): Tensor {
  const { weight, bias } = layerNamed(params, name);
  const y = linear(x, weight, bias);
  const a = params[`${name}.lora_A.weight`];
  if (!a) return y;
  return tf.tidy(() => {
    const rate = params[`${name}.lora_dropout`];
    const seen = rate && params[LORA_SEED] ? dropout(x, rate, params[LORA_SEED], name) : x;
    return y.add(
      linear(linear(seen, a), param(params, `${name}.lora_B.weight`)).mul(param(params, `${name}.lora_scaling`)),
    );
  });
}

/**
 * The linear layer `name`, its output in `parts` equal parts. Parts of the weight are multiplied one by one where that
 * costs nothing: they lie as they are, while parts of the output, and of its gradient, would be copied.
 */
export function projectInParts(params: Params, name: string, x: Tensor, parts: number): Tensor[] {
  const { weight, bias } = layerNamed(params, name);
  if (!usesKernels() || params[`${name}.lora_A.weight`] || isBf16(weight))
    return tf.split(project(params, name, x), parts, x.rank - 1);
  return tf.tidy(() => {
    const biases = bias ? tf.split(bias, parts) : null;
    return tf.split(weight, parts).map((part, i) => linear(x, part, biases ? biases[i] : null));
  });
}

/** The SwiGLU feed-forward layer `name`, whose three linear layers may have adapters. */
export function mlp(params: Params, name: string, x: Tensor): Tensor {
  const names = ["gate_proj", "up_proj", "down_proj"].map((layer) => `${name}.${layer}`);
  const [gate, up, down] = names;
  if (names.some((layer) => params[`${layer}.lora_A.weight`]))
    return project(params, down, swiglu(project(params, gate, x), project(params, up, x)));
  return swigluMlp(x, layerNamed(params, gate), layerNamed(params, up), layerNamed(params, down));
}

/**
 * A layer whose parameters have names that begin with `prefix`, and whose other inputs that need gradients are
 * `inputs`. With `recompute` it keeps those alone and is computed again in the backward pass, with the same values
 * dropped.
 */
export function layerOf(
  params: Params,
  prefix: string,
  inputs: Tensor[],
  run: (params: Params, inputs: Tensor[]) => Tensor,
  recompute: boolean,
): Tensor {
  if (!recompute) return run(params, inputs);
  const names = Object.keys(params).filter((name) => name.startsWith(prefix));
  const seed = params[LORA_SEED] ? [params[LORA_SEED]] : [];
  const layer = (all: Tensor[], [again]: Tensor[]): Tensor => {
    const own = Object.fromEntries(names.map((name, i) => [name, all[inputs.length + i]]));
    return run(again ? { ...own, [LORA_SEED]: again } : own, all.slice(0, inputs.length));
  };
  return recomputed([...inputs, ...names.map((name) => params[name])], layer, seed);
}

/**
 * `layerOf` for a layer of several results, of the given shapes: what is computed again has one, in which they lie end
 * to end.
 */
export function layerWithParts(
  params: Params,
  prefix: string,
  inputs: Tensor[],
  run: (params: Params, inputs: Tensor[]) => Tensor[],
  shapes: readonly number[][],
  recompute: boolean,
): Tensor[] {
  if (!recompute) return run(params, inputs);
  const whole = layerOf(
    params,
    prefix,
    inputs,
    (own, given) =>
      tf.concat(
        run(own, given).map((x) => x.flatten()),
        0,
      ),
    true,
  );
  return tf
    .split(
      whole,
      shapes.map((shape) => shape.reduce((a, b) => a * b, 1)),
    )
    .map((part, i) => part.reshape(shapes[i]));
}
