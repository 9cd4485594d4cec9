/** A run's folder. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "../util/root";
import { modelFolder } from "./model-folder";
import type { Settings } from "./settings";

/** Where all runs are. */
export const runsFolder = (): string => path.join(repositoryRoot(), "data/runs");

/** Folder of a run, absolute. The name was checked by `loadSettings`. */
export function runFolder(settings: Pick<Settings, "run">): string {
  return path.join(runsFolder(), settings.run);
}

/** @throws Error where the directory is no checkpoint, with where one comes from */
export function checkModel(settings: Pick<Settings, "model">): void {
  const model = modelFolder(settings);
  if (existsSync(path.join(model, "config.json"))) return;
  const name = /Qwen2\.5-VL-\w+-Instruct/.exec(model)?.[0];
  const from = name ? `get ${name} from Hugging Face (Qwen/${name}) into that folder` : "name a checkpoint directory";
  throw new Error(`model ${model}: no config.json there; ${from}, or set model=DIR`);
}
