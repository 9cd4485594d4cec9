/** Where a benchmark of drawings lives: the committed files, and the cache of rasterised drawings (ignored by git). */
import * as path from "node:path";
import { repositoryRoot } from "../../util/root";

/**
 * A set of concepts with roles for their drawings. `emoji-fgvr`: a designer has one role. `emoji-study`: the drawings
 * of each sub-category are dealt out over the roles, so that no designer is new.
 */
export type Edition = "emoji-fgvr" | "emoji-study";

/** Folder of the committed files (concepts.json, splits.json, visual-words.json). */
export function dataFolder(edition: Edition = "emoji-fgvr"): string {
  return path.join(repositoryRoot(), "data", edition);
}

/** Folder of the rasterised drawings, `<set>/<id>.png` below it. */
export function cacheFolder(edition: Edition = "emoji-fgvr"): string {
  return path.join(repositoryRoot(), "data", "cache", edition);
}
