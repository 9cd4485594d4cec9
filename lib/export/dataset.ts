/** A benchmark's questions and a run's rationales as a Hugging Face data set: parquet files and a card. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { subcategoryOf, type Benchmark } from "../benchmark/types";
import { cotData } from "../experiment/cot";
import { evaluationQuestions } from "../experiment/evaluate";
import type { Watch } from "../experiment/stage";
import type { CotResult, Experiment } from "../experiment/types";
import { repositoryRoot } from "../util/root";
import { datasetCard } from "./dataset-card";
import { imageBytes, type ImageToExport } from "./images";
import { replaceExport, writeMarker } from "./folder";

/** A column of texts, of lists of texts, or of images. */
type Kind = "text" | "texts" | "image";

/** Columns of a table with their values by row. */
export type Table = Record<string, { kind: Kind; data: unknown[] }>;

const textElement = (name: string): SchemaElement => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type: "OPTIONAL",
});

const ELEMENTS: Readonly<Record<Kind, (name: string) => SchemaElement[]>> = {
  text: (name) => [textElement(name)],
  texts: (name) => [
    { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    textElement("element"),
  ],
  image: (name) => [
    { name, repetition_type: "OPTIONAL", num_children: 2 },
    { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
    textElement("path"),
  ],
};

const FEATURES: Readonly<Record<Kind, unknown>> = {
  text: { dtype: "string", _type: "Value" },
  texts: { feature: { dtype: "string", _type: "Value" }, _type: "List" },
  image: { _type: "Image" },
};

/** Bytes of a parquet file that `datasets` reads with images decoded. */
export function parquetOf(table: Table): Uint8Array {
  const names = Object.keys(table);
  const features = Object.fromEntries(names.map((name) => [name, FEATURES[table[name].kind]]));
  const bytes = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: names.length },
      ...names.flatMap((name) => ELEMENTS[table[name].kind](name)),
    ],
    columnData: names.map((name) => ({ name, data: table[name].data })),
    statistics: false,
    rowGroupSize: 100,
    kvMetadata: [{ key: "huggingface", value: JSON.stringify({ info: { features } }) }],
  });
  return new Uint8Array(bytes);
}

/** Images by name, each encoded once. */
function encoder({ benchmark, settings }: Experiment) {
  const made = new Map<string, Uint8Array>();
  return async (name: string, source: ImageToExport): Promise<{ bytes: Uint8Array; path: string }> => {
    if (!made.has(name)) made.set(name, await imageBytes(benchmark, source, settings.eval.alpha));
    return { bytes: made.get(name)!, path: path.basename(name) };
  };
}

/** The questions of both worlds, as `evaluate` asks them. */
async function questionTable(experiment: Experiment): Promise<{ table: Table; rows: number }> {
  const { benchmark, say, settings } = experiment;
  const { questions, skipped } = await evaluationQuestions(experiment);
  for (const { file, line, reason } of skipped) say(`${file}, line ${line}: left out: ${reason}`);
  const image = encoder(experiment);
  const images: unknown[] = [];
  const kept: typeof questions = [];
  for (const question of questions) {
    const { image_path: name, image: file } = question;
    try {
      if (file === null && !benchmark.squares) throw new Error("the image is missing");
      images.push(await image(name, benchmark.squares ? { square: name } : file!));
      kept.push(question);
    } catch (error) {
      const reason = (error as Error).message;
      if (settings.onBadRow === "stop") throw new Error(`${question.where}: ${name}: ${reason}`, { cause: error });
      say(`${question.where}: left out: ${reason}`);
    }
  }
  const text = (value: (question: (typeof kept)[number]) => string | null) => ({
    kind: "text" as const,
    data: kept.map(value),
  });
  const table: Table = {
    image: { kind: "image", data: images },
    image_path: text((q) => q.image_path),
    question: text((q) => q.question),
    options: { kind: "texts", data: kept.map((q) => q.options ?? []) },
    ground_truth: text((q) => q.ground_truth),
    domain: text((q) => q.domain),
    split: text((q) => q.split),
    setting: text((q) => q.setting),
  };
  return { table, rows: kept.length };
}

/** The rationales of the run's Stage 1. */
async function rationaleTable(experiment: Experiment, data: CotResult): Promise<Table> {
  const { benchmark } = experiment;
  const files = new Map(benchmark.images("fewshot").map(({ id, file }) => [id, file]));
  const image = encoder(experiment);
  const images: unknown[] = [];
  for (const { record } of data.records) {
    const own = data.files.get(record.image) ?? (benchmark.squares ? null : files.get(record.image)!);
    images.push(await image(record.image, own ?? { square: record.image }));
  }
  const text = (value: (record: CotResult["records"][number]) => string | null) => ({
    kind: "text" as const,
    data: data.records.map(value),
  });
  return {
    image: { kind: "image", data: images },
    image_path: text(({ record }) => record.image),
    system: text(({ record }) => record.system),
    user: text(({ record }) => record.user),
    assistant: text(({ record }) => record.assistant),
    answer: text(({ direct }) => direct.assistant),
    sub_category: text(({ concept }) => subcategoryOf(benchmark, concept).name),
    setting: text(({ setting }) => setting),
  };
}

/** Files that say whose the images are; none for image sets, whose publishers say it. */
function attributions({ name, extras }: Benchmark): string[] {
  const file = path.join(repositoryRoot(), "data", name, "ATTRIBUTION.md");
  return extras && existsSync(file) ? [file] : [];
}

/**
 * Writes `questions/test.parquet` (or dev), `rationales/train.parquet` and README.md, the data set's card.
 * @throws Error where an image is missing (under `onBadRow=stop`), or the folder holds something else
 */
export function writeDataset(
  experiment: Experiment,
  dir: string,
  watch: Watch,
): Promise<{ counts: Record<string, number> }> {
  return replaceExport(dir, async (folder) => {
    const { benchmark, settings } = experiment;
    const role = settings.eval.role;
    const questions = await questionTable(experiment);
    const data = await cotData(experiment, watch);
    const files: [string, Table][] = [
      [`questions/${role}.parquet`, questions.table],
      ...(data.records.length > 0
        ? [["rationales/train.parquet", await rationaleTable(experiment, data)] as [string, Table]]
        : []),
    ];
    for (const [name, table] of files) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), parquetOf(table));
    }
    const texts = attributions(benchmark);
    for (const file of texts) copyFileSync(file, path.join(folder, path.basename(file)));
    const counts = { questions: questions.rows, rationales: data.records.length };
    writeMarker(experiment, folder, { engine: "dataset", counts });
    writeFileSync(
      path.join(folder, "README.md"),
      datasetCard(experiment, { counts, role, attributions: texts.map((file) => path.basename(file)) }),
    );
    return { counts };
  });
}
