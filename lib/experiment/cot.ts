/** Stage 1, data: rationales of few-shot images by the teacher that the settings name. */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { closedOptions } from "../benchmark/options";
import { fewShotImages, trainedSubcategories } from "../benchmark/roles";
import type { BenchmarkImage, Subcategory } from "../benchmark/types";
import { buildCotData, dataCard, type Observation } from "../cot/build";
import { observe } from "../cot/offline-teacher";
import { shuffledRationales } from "../cot/shuffle";
import { buildTeacherCot, type CotImage } from "../cot/teacher";
import { teacherCard, type TeacherUsage } from "../cot/teacher-card";
import { writeSharegpt } from "../formats/sharegpt";
import { appendRows, readAppended } from "../util/append-log";
import { readJsonl, writeText } from "../util/files";
import { foldIn } from "../util/random";
import { throwIfAborted } from "../util/abort";
import { readTeacherRecords } from "./records";
import { runStage, type Stage, type Watch } from "./stage";
import { openTeacher } from "./teachers";
import type { CotResult, Experiment } from "./types";

type Stored<T> = Omit<T, "beliefs"> & { beliefs: [string, number][] };
const toStored = (o: Observation): Stored<Observation> => ({ ...o, beliefs: [...o.beliefs] });
const fromStored = (o: Stored<Observation>): Observation => ({ ...o, beliefs: new Map(o.beliefs) });

/** Sub-categories that the run trains on. */
export function trained({ benchmark, settings }: Pick<Experiment, "benchmark" | "settings">): Subcategory[] {
  return trainedSubcategories(benchmark, settings.cot.subCategories, settings.seed);
}

const domainsOf = ({ benchmark }: Experiment): Map<string, string> =>
  new Map(benchmark.subcategories().map(({ id, domain }) => [id, domain]));

/** Writes a result's files, `cot/…` of the run. */
function writeResult({ folder }: Experiment, { records, card }: Pick<CotResult, "records" | "card">): void {
  const place = (name: string): string => path.join(folder, "cot", name);
  writeSharegpt(
    place("records.json"),
    records.map(({ record }) => record),
  );
  writeSharegpt(
    place("records-direct.json"),
    records.map(({ direct }) => direct),
  );
  writeText(place("data-card.json"), `${JSON.stringify(card, null, 2)}\n`);
}

/** Observations of a base that was pre-trained on the benchmark's world; what an earlier call finished is kept. */
async function observations(experiment: Experiment, watch: Watch): Promise<Observation[]> {
  const { settings, benchmark, bench, folder } = experiment;
  const file = path.join(folder, "cot", "observations.jsonl");
  const partialOf = (identity: string): string =>
    path.join(folder, "cot", `observations-${identity.slice(0, 16)}.partial.jsonl`);
  const stage: Stage<Observation[]> = {
    name: "cot",
    target: path.join("cot", "observations.jsonl"),
    settings: ["cot"],
    load: (from) => readJsonl<Stored<Observation>>(path.join(from, "cot", "observations.jsonl")).map(fromStored),
    make: async (identity, beforeSaving) => {
      const partial = partialOf(identity);
      const known = readAppended<Stored<Observation>>(partial).map(fromStored);
      const images = await Promise.all(
        fewShotImages(benchmark, trained(experiment)).map(async (image) => ({
          image: image.id,
          concept: image.subcategory.id,
          domain: image.subcategory.domain,
          question: benchmark.question(image.subcategory.domain),
          colors: (await benchmark.extras!.appearance(image)).colors,
        })),
      );
      const made = await observe(experiment.base, bench, images, {
        descriptions: settings.cot.descriptionsPerImage,
        beliefs: settings.cot.beliefSamples,
        seed: foldIn(settings.seed, "teacher"),
        known,
        onBatch: async (done, total, fresh) => {
          appendRows(partial, fresh.map(toStored));
          await watch.onProgress?.(done, total, "images described");
          throwIfAborted(watch.signal);
        },
      });
      beforeSaving();
      writeText(file, made.map((one) => `${JSON.stringify(toStored(one))}\n`).join(""));
      return made;
    },
    cleanUp: (identity) => rmSync(partialOf(identity), { force: true }),
  };
  return runStage(experiment, stage);
}

/** Records by a base that knows what the benchmark's concepts look like, in words. */
async function byKnowledge(experiment: Experiment, watch: Watch): Promise<CotResult> {
  const { settings, benchmark } = experiment;
  const observed = await observations(experiment, watch);
  const domainOf = domainsOf(experiment);
  const byId = new Map(benchmark.subcategories().map((one) => [one.id, one]));
  const neighbours = await experiment.neighbours();
  const built = buildCotData(observed, benchmark.extras!.knowledge, domainOf, {
    conceptsPerImage: settings.cot.conceptsPerImage,
    redundancyWeight: settings.cot.redundancyWeight,
    prompts: experiment.prompts,
    closedOptions: (id, seed) => closedOptions(byId.get(id)!, neighbours, seed),
    seed: foldIn(settings.seed, "cot"),
  });
  return { ...built, observations: observed, files: new Map(), card: dataCard(built) };
}

/** The images that a teacher is asked about: each openly, and with options where the prompts are the tiny base's. */
async function teacherImages(experiment: Experiment): Promise<(CotImage & { of: BenchmarkImage })[]> {
  const { settings, benchmark } = experiment;
  const neighbours = settings.prompts === "tiny" ? await experiment.neighbours() : null;
  return fewShotImages(benchmark, trained(experiment)).flatMap((image) => {
    const { name, domain } = image.subcategory;
    const kind = benchmark.kind(domain);
    const open = {
      of: image,
      set: domain,
      image: image.id,
      file: image.file ?? "",
      name,
      kind,
      question: benchmark.question(domain),
    };
    if (!neighbours) return [open];
    const seed = foldIn(settings.seed, "cot options", ...image.key);
    return [open, { ...open, options: closedOptions(image.subcategory, neighbours, seed) }];
  });
}

const NO_USAGE: TeacherUsage = {
  requests: 0,
  retries: 0,
  cached: 0,
  promptTokens: 0,
  completionTokens: 0,
  cachedPromptTokens: 0,
  cachedCompletionTokens: 0,
};

/**
 * Records by a teacher that is asked: the model itself, or an endpoint. Answers are cached, so a run that ended goes
 * on.
 */
async function byTeacher(experiment: Experiment, watch: Watch): Promise<CotResult> {
  const { settings, say } = experiment;
  const { cot } = settings;
  const images = await teacherImages(experiment);
  const missing = images.find(({ file }) => file === "");
  if (missing && settings.onBadRow === "stop")
    throw new Error(
      `${missing.image}: the image is missing; \`data check\` says what else is, onBadRow=skip leaves it out`,
    );
  const there = images.filter(({ file }) => file !== "");
  const neighbours = cot.candidates === "given" ? await experiment.neighbours() : null;
  const byImage = new Map(there.map(({ image, of }) => [image, of]));
  const { teacher, language, atOnce, usage, close } = openTeacher(experiment, watch);
  try {
    const data = await buildTeacherCot(there, teacher, {
      descriptions: cot.descriptionsPerImage,
      samples: cot.rationalesPerImage,
      concepts: cot.conceptsPerImage,
      redundancyWeight: cot.redundancyWeight,
      temperature: cot.temperature,
      maxTokens: cot.maxTokens,
      minWords: cot.minWords,
      maxWords: cot.maxWords,
      match: cot.match,
      duplicateShare: cot.duplicateShare,
      seed: settings.seed,
      prompts: experiment.prompts,
      language,
      candidates: neighbours
        ? (of, seed) => closedOptions(byImage.get(of.image)!.subcategory, neighbours, seed)
        : undefined,
      atOnce,
      onBadRow: settings.onBadRow,
      onProgress: (stage, done, total) => void watch.onProgress?.(done, total, stage),
    });
    if (data.named > 0)
      say(
        `the teacher named no image rightly: ${data.named} records have its analysis with the name put right, so that the stages can run (results say nothing of the method)`,
      );
    for (const { image, reason } of data.skipped) say(`${image}: no rationale: ${reason}`);
    const sum = Object.values(data.sets);
    const rejections: Record<string, number> = {};
    for (const set of sum)
      for (const [reason, n] of Object.entries(set.rejections)) rejections[reason] = (rejections[reason] ?? 0) + n;
    const card = { ...teacherCard(data, settings.teacher, usage() ?? NO_USAGE, null, { ...cot }) };
    return {
      records: data.records.map(({ record, direct, of, concepts }) => ({
        record,
        direct,
        setting: of.options ? "closed" : "open",
        concept: byImage.get(of.image)!.subcategory.id,
        kept: concepts,
      })),
      attempts: sum.reduce((n, set) => n + set.samples, 0),
      rejections,
      observations: [...data.descriptions].map(([image, descriptions]) => {
        const { id, domain } = byImage.get(image)!.subcategory;
        return { image, concept: id, domain, colors: [], descriptions, beliefs: new Map() };
      }),
      files: new Map(),
      card,
    };
  } finally {
    close();
  }
}

/**
 * The chain-of-thought records of a run (`cot/records.json`, sharegpt), by the teacher that `teacher` names.
 * @throws Error where a request fails for good, an image is missing (under `stop`), or a record is of an unseen class
 */
export async function cotData(experiment: Experiment, watch: Watch = {}): Promise<CotResult> {
  const { settings, benchmark } = experiment;
  const isFile = settings.teacher !== "self" && !/^https?:/.test(settings.teacher);
  const own = settings.teacher === "self" && benchmark.extras !== undefined;
  let made: CotResult;
  if (isFile) made = readTeacherRecords(experiment);
  else made = own ? await byKnowledge(experiment, watch) : await byTeacher(experiment, watch);
  if (settings.cot.rationales === "shuffled") {
    const records = shuffledRationales(
      made.records,
      domainsOf(experiment),
      foldIn(settings.seed, "shuffled rationales"),
    );
    made = { ...made, records };
  }
  writeResult(experiment, made);
  return made;
}
