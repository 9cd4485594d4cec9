/** A run's folder. */
import * as path from "node:path";
import { repositoryRoot } from "../util/root";
import type { Settings } from "./settings";

/** Where all runs are. */
export const runsFolder = (): string => path.join(repositoryRoot(), "data/runs");

/** Folder of a run, absolute. The name was checked by `loadSettings`. */
export function runFolder(settings: Pick<Settings, "run">): string {
  return path.join(runsFolder(), settings.run);
}

/** Directory of the base model, absolute; a relative path counts from the repository. */
export function modelFolder(settings: Pick<Settings, "model">): string {
  return path.resolve(repositoryRoot(), settings.model);
}
