/** Records from a file as the teacher's: the released 404, or what another run or project wrote. */
import * as path from "node:path";
import { resolveImage, spellings } from "../benchmark/photographs/paths";
import { stage1Images } from "../benchmark/photographs/stage1-images";
import type { Subcategory } from "../benchmark/types";
import { formatAnswer } from "../cot/rationale";
import { plainName } from "../formats/names";
import { readSharegptFile, type SftRecord } from "../formats/sharegpt";
import { stage1Answer } from "../formats/stage1";
import { repositoryRoot } from "../util/root";
import type { CotResult, Experiment } from "./types";

/** The sub-category that a record's answer names; a car's or bird's name is compared without case, `_` as a space. */
function answered(record: SftRecord, byName: ReadonlyMap<string, Subcategory>): Subcategory | undefined {
  const answer = stage1Answer(record.assistant);
  return byName.get(plainName(answer === "" ? record.assistant : answer));
}

/**
 * Where records' images are: an image of the benchmark, beside the file, or in the sets' folder as the release names
 * them.
 */
export function imageFinder(
  images: readonly { id: string; file: string | null }[],
  file: string,
  sets: string,
): (image: string) => string | { reason: string } {
  const own = new Map(images.map((image) => [image.id.normalize("NFC"), image.file]));
  const inSets = stage1Images(sets);
  return (image) => {
    const known = own.get(image.normalize("NFC"));
    if (known) return known;
    const folder = path.resolve(path.dirname(file));
    const beside = spellings(image)
      .map((spelled) => resolveImage(folder, spelled))
      .find((place) => place !== null);
    if (typeof beside === "string") return beside;
    const found = inSets(image);
    return "file" in found ? found.file : found;
  };
}

/**
 * The records of `teacher` that are about seen sub-categories of the benchmark. Those about other sets are left out;
 * one about an unseen sub-category, or whose image is a dev or test image, is an error.
 * @throws Error naming file, line and reason (under `onBadRow=stop`), or where no record is left
 */
export function readTeacherRecords(experiment: Experiment): CotResult {
  const { benchmark, settings, say } = experiment;
  const file = path.resolve(repositoryRoot(), settings.teacher);
  const byName = new Map(benchmark.subcategories().map((one) => [plainName(one.name), one]));
  const heldOut = new Set([...benchmark.images("dev"), ...benchmark.images("test")].map((image) => image.file));
  const sets = path.resolve(repositoryRoot(), settings.sets);
  const find = imageFinder(benchmark.images("fewshot"), file, sets);
  const files = new Map<string, string>();
  const about = new Map<SftRecord, Subcategory>();
  let foreign = 0;
  const problem = (record: SftRecord): string | null => {
    const subcategory = answered(record, byName);
    if (!subcategory) {
      foreign++;
      return null;
    }
    if (subcategory.split === "unseen")
      return `its answer ${JSON.stringify(subcategory.name)} is an unseen sub-category of ${benchmark.name} (${benchmark.splitSource})`;
    const found = find(record.image);
    if (typeof found !== "string") return found.reason;
    if (heldOut.has(found)) return `${record.image} is a dev or test image of ${benchmark.name}`;
    files.set(record.image, found);
    about.set(record, subcategory);
    return null;
  };
  const { records, skipped } = readSharegptFile(file, settings.onBadRow, problem);
  for (const { line, reason } of skipped) say(`${file}, line ${line}: left out: ${reason}`);
  if (foreign > 0) say(`${file}: ${foreign} records are about no sub-category of ${benchmark.name}; left out`);
  const kept = records.filter((record) => about.has(record));
  if (kept.length === 0)
    throw new Error(
      `${file}: no record is about a seen sub-category of ${benchmark.name}; ${foreign} are about others`,
    );
  return {
    records: kept.map((record) => {
      const { id, name } = about.get(record)!;
      return { record, direct: { ...record, assistant: formatAnswer(name) }, setting: "open", concept: id, kept: [] };
    }),
    attempts: records.length,
    rejections: {},
    observations: [],
    files,
    card: {
      teacher: settings.teacher,
      records: kept.length,
      about_other_sets: foreign,
      skipped: skipped.length,
      sub_categories: new Set([...about.values()].map(({ id }) => id)).size,
    },
  };
}
