/** `triplets`: Stage-2 parquet of any image set. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "../lib/util/root";
import type { OnBadRow } from "../lib/util/lines";
import { imageProblem } from "../lib/benchmark/photographs/check";
import type { SetImage } from "../lib/benchmark/photographs";
import { photoTriplets, tripletRows } from "../lib/benchmark/photographs/triplets";
import { writeStage2, type Stage2Row } from "../lib/formats/stage2";
import type { TripletsOptions } from "./commands/triplets";
import { openSimilarity, type SimilaritySource } from "./embedders";
import { note, print, printJson } from "./output";
import { shotsOf, sources, type MissingImage, type Shot, type Source } from "./training-images";

/** The shots that decode and have another of their sub-category beside them. @throws Error under `stop`, naming the image */
async function usable(
  shots: readonly Shot[],
  onBadRow: OnBadRow,
  skip: (image: SetImage, reason: string) => void,
): Promise<Shot[]> {
  const problems = await Promise.all(shots.map(({ file }) => imageProblem(file, true)));
  const decoded = shots.filter((shot, i) => {
    const problem = problems[i];
    if (problem !== null && onBadRow === "stop")
      throw new Error(
        `${shot.file}: cannot be decoded (${problem}); see data check --decode, or skip bad rows (--on-bad-row skip)`,
      );
    if (problem !== null) skip(shot, problem);
    return problem === null;
  });
  return decoded.filter((shot) => {
    const alone = decoded.every((other) => other === shot || other.name !== shot.name);
    if (alone && onBadRow === "skip") skip(shot, "no other image of its sub-category is left");
    return !alone || onBadRow === "stop";
  });
}

/** Rows of one source; images that cannot be used go to `skipped`. */
async function rowsOf(
  source: Source,
  similarity: SimilaritySource,
  options: TripletsOptions,
  skipped: MissingImage[],
): Promise<Stage2Row[]> {
  const { onBadRow, seed } = options;
  const skip = (image: Pick<SetImage, "path">, reason: string): void =>
    void skipped.push({ image: `${source.set.name}/${image.path}`, reason });
  const found = await usable(shotsOf(source, options, skipped), onBadRow, skip);
  const triplets = photoTriplets(found, await similarity.of(found), seed);
  const made = await tripletRows(source.set, triplets, source.question, onBadRow);
  made.skipped.forEach((one) => skip(one, one.reason));
  return made.rows;
}

/** The file to write. @throws Error where it is there, unless it is to be made anew */
function outOf({ out, restart }: TripletsOptions, from: readonly Source[]): string {
  const name = `triplets-${from.map(({ set }) => set.name).join("-")}.parquet`;
  const file = path.resolve(out ?? path.join(repositoryRoot(), "data/runs", name));
  if (existsSync(file) && !restart)
    throw new Error(`${file}: is there already; write to another file (--out), or over it (--restart)`);
  return file;
}

/**
 * Writes a parquet file with a row for every shot as anchor.
 * @returns exit code: 0; 2 where images were skipped
 * @throws Error where an option, a set or the model is bad, or no row was made
 */
export async function run(options: TripletsOptions): Promise<number> {
  const from = sources(options);
  const out = outOf(options, from);
  const similarity = await openSimilarity(options);
  try {
    const skipped: MissingImage[] = [];
    const rows: Stage2Row[] = [];
    for (const source of from) rows.push(...(await rowsOf(source, similarity, options, skipped)));
    for (const { image, reason } of skipped) note(`${image}: skipped: ${reason}`);
    if (rows.length === 0) throw new Error("no row was made");
    writeStage2(out, rows);
    if (options.json) printJson({ out, rows: rows.length, skipped: skipped.length });
    else print(`${out}: ${rows.length} rows, ${skipped.length} skipped`);
    return skipped.length > 0 ? 2 : 0;
  } finally {
    await similarity.close();
  }
}
