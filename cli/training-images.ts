/** Which images a command trains on: the shots of published sets, or of a folder per class. */
import * as path from "node:path";
import type { OnBadRow } from "../lib/util/lines";
import {
  fewShots,
  isSetName,
  readFolders,
  readImageSet,
  resolveImage,
  SET_QUESTIONS,
  splitSubcategories,
  type ImageSet,
  type SetImage,
} from "../lib/benchmark/photographs";

/** A set, the sub-categories to train on, and what it is about. */
export interface Source {
  set: ImageSet;
  seen: readonly string[];
  /** Super-category in a word. */
  kind: string;
  question: string;
}

/** Options that choose sources. */
export const SOURCE_OPTIONS = {
  set: { type: "string", multiple: true },
  folder: { type: "string" },
  root: { type: "string" },
  kind: { type: "string" },
  question: { type: "string" },
} as const;

/** What `SOURCE_OPTIONS` gave. */
export interface SourceValues {
  set?: string[];
  folder?: string;
  root?: string;
  kind?: string;
  question?: string;
}

/** Seen sub-categories of the six sets, all of a folder's. @throws Error naming the option, the set or (under `stop`) the file and line that is wrong */
export function sources(
  { set: names = [], folder, root, kind, question }: SourceValues,
  usage: string,
  onBadRow: OnBadRow,
): Source[] {
  if ((names.length === 0) === (folder === undefined))
    throw new Error(`--set or --folder is needed, one of the two; ${usage}`);
  if (root !== undefined && names.length > 1)
    throw new Error("--root is the folder of one set; give one --set with it");
  if (folder !== undefined) {
    const set = readFolders(folder);
    return [{ set, seen: set.names, kind: kind ?? "object", question: question ?? "What is this?" }];
  }
  return names.map((name) => {
    if (!isSetName(name)) throw new Error(`--set ${name}: expected one of the six; of other images: --folder DIR`);
    const set = readImageSet(name, root, onBadRow);
    return {
      set,
      seen: splitSubcategories(name, set.names).seen,
      kind: kind ?? (name === "pet" ? "cat or dog" : name),
      question: question ?? SET_QUESTIONS[name],
    };
  });
}

/** An image that cannot be used, or a row of an annotation file (file and line). */
export interface MissingImage {
  image: string;
  reason: string;
}

/** The shots of a source with their files. @throws Error under `stop`, naming an image that is missing; under `skip` it goes to `skipped` */
export function shotsOf(
  { set, seen }: Source,
  count: number,
  seed: number,
  onBadRow: OnBadRow,
  skipped: MissingImage[],
): (SetImage & { file: string })[] {
  skipped.push(...set.skipped.map(({ file, line, reason }) => ({ image: `${file}, line ${line}`, reason })));
  return fewShots(set, seen, { count, seed }).flatMap((image) => {
    const file = resolveImage(set.root, image.path);
    if (file !== null) return [{ ...image, file }];
    if (onBadRow === "stop")
      throw new Error(
        `${path.join(set.root, image.path)}: the image is missing; see data check, or skip bad rows (--on-bad-row skip)`,
      );
    skipped.push({ image: `${set.name}/${image.path}`, reason: "the image is missing" });
    return [];
  });
}
