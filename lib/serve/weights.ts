/** Weights that are put in place while a server runs: an adapter for its model, or all of a model's. */
import { existsSync, realpathSync } from "node:fs";
import * as path from "node:path";
import type { Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { loadAdapter } from "../model/adapter";
import { loadModel } from "../model/checkpoint";
import type { ModelConfig } from "../model/config";
import type { ReadOptions } from "../model/safetensors";
import type { Weights } from "./completions";

/** Whether two models have tensors of the same names and shapes. */
const isAlike = (a: Params, b: Params): boolean =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([name, { shape }]) => b[name]?.shape.join() === shape.join());

/**
 * Loads `name` of `folder`.
 * @param base the model's own parameters, which an adapter is put beside
 * @throws Error where there is no such folder below it, links included, or it holds neither an adapter nor this model
 */
export function loadWeights(
  folder: string,
  name: string,
  config: ModelConfig,
  base: Params,
  options: ReadOptions,
): Weights {
  const whole = path.join(folder, name);
  if (!existsSync(whole)) throw new Error(`there is no ${name} in the folder of weights`);
  if (path.dirname(realpathSync(whole)) !== realpathSync(folder))
    throw new Error(`${name} is a link out of the folder of weights`);
  if (existsSync(path.join(whole, "adapter_config.json"))) {
    const { params } = loadAdapter(whole, config, options);
    return { params: { ...base, ...params }, release: () => disposeTree(params) };
  }
  const { params } = loadModel(whole, options);
  if (!isAlike(params, base)) {
    disposeTree(params);
    throw new Error(`${name} is another model than the one that is served: its tensors have other names or shapes`);
  }
  return { params, release: () => disposeTree(params) };
}
