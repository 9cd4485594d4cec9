/** The directory of a run's model, and what models that were trained here say of themselves. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readJsonObject } from "../util/files";
import { repositoryRoot } from "../util/root";

/** Directory of the base model, absolute; a relative path counts from the repository. */
export function modelFolder(settings: { model: string }): string {
  return path.resolve(repositoryRoot(), settings.model);
}

/** In the directory of a model that was trained here: `{"prompts": …}`, the words that it was trained on. */
export const TRAINED_FILE = "fine_r1.json";

/**
 * The prompts that a model directory was trained on here; null where it is from elsewhere.
 * @throws Error on a bad file
 */
export function trainedPrompts(settings: { model: string }): "paper" | "tiny" | null {
  const file = path.join(modelFolder(settings), TRAINED_FILE);
  if (!existsSync(file)) return null;
  const { prompts } = readJsonObject(file);
  if (prompts !== "paper" && prompts !== "tiny") throw new Error(`${file}: prompts: expected "paper" or "tiny"`);
  return prompts;
}
