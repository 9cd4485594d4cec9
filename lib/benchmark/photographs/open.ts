/** From a name or a folder to an image set. */
import { existsSync, statSync } from "node:fs";
import * as path from "node:path";
import { isPublishedName, PUBLISHED_NAMES } from "../../formats/set-names";
import type { OnBadRow } from "../../util/lines";
import { setsFolder as defaultFolder } from "./catalog";
import { readFolders } from "./folders";
import { detectSet } from "./layouts";
import { readImageSet } from "./read";
import type { ImageSet } from "./types";

/**
 * Reads a folder by its published layout where it has one, else as a folder per class.
 * @param name of a folder-per-class set; the folder's unless given
 * @throws Error as the readers do
 */
export function readAnySet(root: string, onBadRow?: OnBadRow, name?: string): ImageSet {
  const layout = detectSet(root);
  return layout === null ? readFolders(root, { name }) : readImageSet(layout, root, onBadRow);
}

/**
 * Opens an image set.
 * @param nameOrFolder a published set by name (`pet`, `grocery`), which lies in the sets' folder; the name of another
 * folder there; or a path. Folders are read by their published layout, or as a folder per class.
 * @param options.setsFolder default `data/sets`
 * @throws Error where there is no such set, with where to get it
 */
export function openImageSet(
  nameOrFolder: string,
  options: { setsFolder?: string; onBadRow?: OnBadRow } = {},
): ImageSet {
  const { setsFolder = defaultFolder(), onBadRow } = options;
  if (isPublishedName(nameOrFolder)) return readImageSet(nameOrFolder, path.join(setsFolder, nameOrFolder), onBadRow);
  const isName = nameOrFolder !== "" && !/[\\/]/.test(nameOrFolder) && !/^\.+$/.test(nameOrFolder);
  const places = [...(isName ? [path.join(setsFolder, nameOrFolder)] : []), nameOrFolder];
  const found = nameOrFolder === "" ? undefined : places.find((place) => existsSync(place));
  if (found === undefined)
    throw new Error(
      `no benchmark ${JSON.stringify(nameOrFolder)}: neither emoji-fgvr, nor a set's name (${PUBLISHED_NAMES.join(", ")}), ` +
        `nor a folder in ${setsFolder}, nor the path of a folder`,
    );
  if (!statSync(found).isDirectory())
    throw new Error(`${found}: a file; an image set is a folder (of class folders, or as its publisher packs it)`);
  return readAnySet(found, onBadRow);
}
