/** `triplets`: Stage-2 parquet of any image set. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../lib/util/root";
import type { OnBadRow } from "../lib/util/lines";
import { imageProblem } from "../lib/benchmark/photographs/check";
import type { SetImage } from "../lib/benchmark/photographs";
import { photoTriplets, tripletRows } from "../lib/benchmark/photographs/triplets";
import { writeStage2, type Stage2Row } from "../lib/formats/stage2";
import { countOf, onBadRowOf } from "./arguments";
import { openSimilarity, type SimilaritySource } from "./embedders";
import { shotsOf, SOURCE_OPTIONS, sources, type MissingImage } from "./training-images";

const USAGE =
  "npm run -s fine-r1 -- triplets (--set NAME… | --folder DIR) --embedding model|onnx|names [--model DIR] [--out FILE.parquet] [--root DIR] [--question TEXT] [--shots N] [--seed N] [--on-bad-row stop|skip] [--json]";

/** The shots that decode and have another of their sub-category beside them. @throws Error under `stop`, naming the image */
async function usable(
  shots: readonly (SetImage & { file: string })[],
  onBadRow: OnBadRow,
  skip: (image: SetImage, reason: string) => void,
): Promise<(SetImage & { file: string })[]> {
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

/**
 * Writes a parquet file with a row for every shot as anchor (`data/runs/triplets-<set>.parquet`).
 * Which sub-category is the most similar one: `--embedding model`: the vision tower of `--model`; `onnx`: the CLIP or SigLIP there; `names`: spelling.
 * @returns exit code: 0; 2 where images were skipped; 1 where an argument, a set or the model is bad, or no row was made
 */
export async function run(args: string[]): Promise<number> {
  let similarity: SimilaritySource | null = null;
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({
      args,
      options: {
        ...SOURCE_OPTIONS,
        embedding: text,
        model: text,
        out: text,
        shots: text,
        seed: text,
        "on-bad-row": text,
        json: { type: "boolean", default: false },
      },
    });
    const onBadRow = onBadRowOf(values["on-bad-row"]);
    const [shots, seed] = [countOf("shots", values.shots, 4, 2), countOf("seed", values.seed, 0, 0)];
    const from = sources(values, USAGE, onBadRow);
    similarity = await openSimilarity(values.embedding, values.model, USAGE);
    const skipped: MissingImage[] = [];
    const rows: Stage2Row[] = [];
    for (const source of from) {
      const skip = (image: Pick<SetImage, "path">, reason: string): void =>
        void skipped.push({ image: `${source.set.name}/${image.path}`, reason });
      const found = await usable(shotsOf(source, shots, seed, onBadRow, skipped), onBadRow, skip);
      const made = await tripletRows(
        source.set,
        photoTriplets(found, await similarity.of(found), seed),
        source.question,
        onBadRow,
      );
      rows.push(...made.rows);
      made.skipped.forEach((one) => skip(one, one.reason));
    }
    for (const { image, reason } of skipped) process.stderr.write(`${image}: skipped: ${reason}\n`);
    if (rows.length === 0) throw new Error("no row was made");
    const out = path.resolve(
      values.out ??
        path.join(repositoryRoot(), "data/runs", `triplets-${from.map(({ set }) => set.name).join("-")}.parquet`),
    );
    writeStage2(out, rows);
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ out, rows: rows.length, skipped: skipped.length })}\n`
        : `${out}: ${rows.length} rows, ${skipped.length} skipped\n`,
    );
    return skipped.length > 0 ? 2 : 0;
  } catch (error) {
    process.stderr.write(`triplets: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await similarity?.close();
  }
}
