/**
 * Where the images of Stage-1 records are: below a folder as the record says, or - the release's paths are those of its
 * authors' disks - in the published layout of the set that the path names, by file name.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { stage1Set } from "../../formats/stage1";
import { resolveImage, spellings } from "./paths";
import { readImageSet } from "./read";
import type { SetName } from "../../formats/set-names";

/** A record's image as a file, or why there is none. */
export type FoundImage = { file: string } | { reason: string };

const nameOf = (image: string): string => image.slice(image.lastIndexOf("/") + 1);

/**
 * A function that finds images; each set's annotation files are read once, when the first of its images is asked for.
 * @param root the folder that the records' paths begin in, and that has the sets' folders (`data/sets`)
 */
export function stage1Images(root: string): (image: string) => FoundImage {
  const sets = new Map<SetName, { root: string; training: Map<string, string>; tests: Set<string> } | null>();
  const readSet = (name: SetName) => {
    const folder = path.join(root, name);
    if (!existsSync(folder)) return null;
    const set = readImageSet(name, folder);
    const of = (test: boolean) => set.images.filter(({ portion }) => (portion === "test") === test);
    return {
      root: set.root,
      training: new Map(of(false).map((image) => [nameOf(image.path), image.path])),
      tests: new Set(of(true).map((image) => nameOf(image.path))),
    };
  };
  return (image) => {
    const direct = spellings(image)
      .map((spelled) => resolveImage(root, spelled))
      .find((found) => found !== null);
    if (typeof direct === "string") return { file: direct };
    const name = stage1Set(image);
    if (name === "other")
      return {
        reason: `${image} is not in ${root}; a path begins in that folder (the setting sets, --sets DIR), and letters, capitals and spaces must be the same`,
      };
    if (!sets.has(name)) sets.set(name, readSet(name));
    const set = sets.get(name);
    if (!set)
      return {
        reason: `${image} is not in ${root}, nor is the set ${name}; \`data check ${name}\` says where to get it`,
      };
    const training = set.training.get(nameOf(image));
    if (training === undefined)
      return {
        reason: `${nameOf(image)} is ${set.tests.has(nameOf(image)) ? "a test image" : "no image"} of the set ${name}`,
      };
    const file = resolveImage(set.root, training);
    return file === null ? { reason: `${path.join(set.root, training)} is missing` } : { file };
  };
}
