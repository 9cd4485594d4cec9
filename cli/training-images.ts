/** Which images a command trains on: the shots of published sets, or of a folder per class. */
import * as path from "node:path";
import type { OnBadRow } from "../lib/util/lines";
import {
  fewShots,
  readFolders,
  readImageSet,
  resolveImage,
  SET_QUESTIONS,
  splitSubcategories,
  type ImageSet,
  type SetImage,
} from "../lib/benchmark/photographs";
import { chooseBenchmarks } from "./benchmarks";
import { UsageError } from "./values";

/** A set, the sub-categories to train on, and what it is about. */
export interface Source {
  set: ImageSet;
  seen: readonly string[];
  /** Super-category in a word. */
  kind: string;
  question: string;
}

/** What the command line says of sources. */
export interface SourceOptions {
  benchmark: string;
  sets?: string;
  kind?: string;
  question?: string;
  onBadRow: OnBadRow;
}

/** Seen sub-categories of the six sets, all of a folder's. @throws Error naming the option, the set or (under `stop`) the file and line that is wrong */
export function sources({ benchmark, sets, kind, question, onBadRow }: SourceOptions): Source[] {
  return chooseBenchmarks(benchmark, sets).map((chosen) => {
    if (chosen.kind === "drawings" || chosen.kind === "file")
      throw new UsageError(
        `--benchmark is ${JSON.stringify(benchmark)}; expected photographs: one of the six sets, or a folder`,
      );
    if (chosen.kind === "folder") {
      const set = readFolders(chosen.root);
      return { set, seen: set.names, kind: kind ?? "object", question: question ?? "What is this?" };
    }
    const { name, root } = chosen;
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

/** An image to train on. */
export type Shot = SetImage & { file: string };

/** Which shots, and what becomes of those that are missing. */
export interface ShotOptions {
  shots: number;
  seed: number;
  onBadRow: OnBadRow;
}

/** The shots of a source with their files. @throws Error under `stop`, naming an image that is missing; under `skip` it goes to `skipped` */
export function shotsOf({ set, seen }: Source, options: ShotOptions, skipped: MissingImage[]): Shot[] {
  const { shots: count, seed, onBadRow } = options;
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
