/** Stage-2 prompts as files in the release's parquet layout: read as prompts of a run, or written from its triplets. */
import * as path from "node:path";
import type { Triplet } from "../benchmark/triplets";
import { plainName } from "../formats/names";
import { readStage2, stage2Row, writeStage2, type EncodedImage, type Stage2Row } from "../formats/stage2";
import type { RlPrompt } from "../rollout/groups";
import { readRegular } from "../util/regular-file";
import { repositoryRoot } from "../util/root";
import type { ImageSource } from "./images";
import type { Experiment } from "./types";

const MARKER = "<image>";
const ROLES = ["anchor", "positive", "negative"] as const;

/** Name of an image of a row among the images of a run. */
const imageName = (row: number, role: (typeof ROLES)[number]): string => `row ${row}, ${role}`;

/** @throws Error where a row is about an unseen sub-category of the benchmark */
function checkAnswers({ benchmark }: Experiment, file: string, rows: readonly Stage2Row[]): void {
  const unseen = new Set(benchmark.subcategories({ split: "unseen" }).map(({ name }) => plainName(name)));
  const seen = new Set(benchmark.subcategories({ split: "seen" }).map(({ name }) => plainName(name)));
  rows.forEach(({ answer }, row) => {
    const name = plainName(answer);
    if (unseen.has(name) && !seen.has(name))
      throw new Error(`${file}, row ${row}: ${JSON.stringify(answer)} is an unseen sub-category of ${benchmark.name}`);
  });
}

/**
 * The prompts of a file, and their images' bytes by name. The sub-categories of a row's domain (for the strict reward
 * and the listing check) are the answers to the same problem.
 * @throws Error naming file and row of what cannot be used
 */
export async function promptsOfFile(
  experiment: Experiment,
): Promise<{ prompts: RlPrompt[]; images: Map<string, ImageSource> }> {
  const { settings, prompts, say } = experiment;
  const file = path.resolve(repositoryRoot(), settings.triplets);
  const { rows, skipped } = await readStage2(file, settings.onBadRow, { decode: true });
  for (const { row, reason } of skipped) say(`${file}, row ${row}: left out: ${reason}`);
  checkAnswers(experiment, file, rows);
  const names = new Map<string, Set<string>>();
  for (const { problem, answer } of rows) names.set(problem, (names.get(problem) ?? new Set()).add(answer));
  const images = new Map<string, ImageSource>();
  const made = rows.map(({ problem, answer, ...row }, i): RlPrompt => {
    for (const role of ROLES) images.set(imageName(i, role), row[role].bytes);
    const [anchor, positive, negative] = ROLES.map((role) => imageName(i, role));
    const user = prompts.stage2(problem.trimStart().slice(MARKER.length)); // prompts begin with the image
    return {
      anchor,
      positive,
      negative,
      user,
      groundTruth: answer,
      options: null,
      domainNames: [...names.get(problem)!],
    };
  });
  return { prompts: made, images };
}

/**
 * Writes triplets in the release's layout: bytes read, positive and negative at the anchor's size.
 * @returns rows written, and anchors that were left out with the reason
 * @throws Error under `onBadRow=stop` naming the image that is missing or cannot be decoded
 */
export async function writeTriplets(
  experiment: Experiment,
  file: string,
  triplets: readonly Triplet[],
): Promise<{ rows: number; skipped: { image: string; reason: string }[] }> {
  const { benchmark, settings } = experiment;
  const read = ({ id, file: from }: Triplet["anchor"]): EncodedImage => ({
    bytes: new Uint8Array(readRegular(from!)),
    path: id,
  });
  const rows: Stage2Row[] = [];
  const skipped: { image: string; reason: string }[] = [];
  for (const { anchor, positive, negative } of triplets) {
    const { name, domain } = anchor.subcategory;
    try {
      const images = { anchor: read(anchor), positive: read(positive), negative: read(negative) };
      rows.push(await stage2Row({ problem: `${MARKER}${benchmark.question(domain)}`, answer: name, ...images }));
    } catch (error) {
      const reason = (error as Error).message.split("\n")[0];
      if (settings.onBadRow === "stop")
        throw new Error(`triplet of ${anchor.id} (positive ${positive.id}, negative ${negative.id}): ${reason}`);
      skipped.push({ image: anchor.id, reason });
    }
  }
  if (rows.length === 0) throw new Error(`${benchmark.name}: no triplet can be made`);
  writeStage2(file, rows);
  return { rows: rows.length, skipped };
}
