/** Where Emoji-FGVR lives: the committed files, and the cache of rasterised drawings (ignored by git). */
import * as path from "node:path";
import { repositoryRoot } from "../../util/root";

/** Folder of the committed files (concepts.json, splits.json, visual-words.json). */
export function dataFolder(): string {
  return path.join(repositoryRoot(), "data", "emoji-fgvr");
}

/** Folder of the rasterised drawings, `<set>/<id>.png` below it. */
export function cacheFolder(): string {
  return path.join(repositoryRoot(), "data", "cache", "emoji-fgvr");
}
