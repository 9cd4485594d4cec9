/** Stage 1, data: rationales of few-shot images by the teacher that the settings name. */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { closedOptions } from "../benchmark/options";
import { fewShotImages, trainedSubcategories } from "../benchmark/roles";
import type { BenchmarkImage, Subcategory } from "../benchmark/types";
import { buildCotData, dataCard, type Observation } from "../cot/build";
import { OBSERVED_AT_ONCE, observe } from "../cot/offline-teacher";
import { shuffledRationales } from "../cot/shuffle";
import { buildTeacherCot, type CotImage } from "../cot/teacher";
import { teacherCard, type TeacherUsage } from "../cot/teacher-card";
import { writeSharegpt } from "../formats/sharegpt";
import { appendRows, readAppended } from "../util/append-log";
import { readJsonl, writeText } from "../util/files";
import { foldIn, random } from "../util/random";
import { throwIfAborted } from "../util/abort";
import { acquireLock } from "../util/lock";
import { readTeacherRecords } from "./records";
import { identityOf, isFresh, runStage, type Stage, type Watch } from "./stage";
import { openTeacher, type OpenTeacher } from "./teachers";
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

const OBSERVATIONS = path.join("cot", "observations.jsonl");
const readObservations = (file: string): Observation[] => readAppended<Stored<Observation>>(file).map(fromStored);
const writtenObservations = (made: readonly Observation[]): string =>
  made.map((one) => `${JSON.stringify(toStored(one))}\n`).join("");
/** Where a making under way is kept: of all images, or of some. */
const partialOf = ({ folder }: Experiment, identity: string, slice?: Slice): string => {
  const which = slice === undefined ? "" : `.${slice.from}-${slice.to}`;
  return path.join(folder, "cot", `observations-${identity.slice(0, 16)}.partial${which}.jsonl`);
};

/** Images from `from` up to and without `to`. */
export interface Slice {
  from: number;
  to: number;
}

/** Few-shot images that get a rationale: `cot.images` of each sub-category, drawn by the seed, in their order. */
export function reasonedImages(experiment: Pick<Experiment, "benchmark" | "settings">): BenchmarkImage[] {
  const { cot, seed, shots } = experiment.settings;
  return trained(experiment).flatMap((subcategory) => {
    const all = fewShotImages(experiment.benchmark, [subcategory], shots);
    if (cot.images === 0 || cot.images >= all.length) return all;
    const chosen = new Set(random(foldIn(seed, "cot images", subcategory.id)).sample(all, cot.images));
    return all.filter((image) => chosen.has(image));
  });
}

/** Describes images, some of which are known: the first ones, of whole batches. What is new goes to `partial`. */
async function describe(
  experiment: Experiment,
  { to, known, partial }: { to: number; known: readonly Observation[]; partial: string },
  watch: Watch,
): Promise<Observation[]> {
  const { settings, benchmark, bench } = experiment;
  const images = await Promise.all(
    reasonedImages(experiment)
      .slice(0, to)
      .map(async (image) => ({
        image: image.id,
        concept: image.subcategory.id,
        domain: image.subcategory.domain,
        question: benchmark.question(image.subcategory.domain),
        colors: (await benchmark.extras!.appearance(image)).colors,
      })),
  );
  return observe(experiment.base, bench, images, {
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
}

/** Observations of a base that was pre-trained on the benchmark's world; what an earlier call finished is kept. */
function observationStage(experiment: Experiment, watch: Watch): Stage<Observation[]> {
  return {
    name: "cot",
    target: OBSERVATIONS,
    settings: ["shots", "cot"],
    load: (from) => readJsonl<Stored<Observation>>(path.join(from, OBSERVATIONS)).map(fromStored),
    make: async (identity, beforeSaving) => {
      const partial = partialOf(experiment, identity);
      const to = reasonedImages(experiment).length;
      const made = await describe(experiment, { to, known: readObservations(partial), partial }, watch);
      beforeSaving();
      writeText(path.join(experiment.folder, OBSERVATIONS), writtenObservations(made));
      return made;
    },
    cleanUp: (identity) => rmSync(partialOf(experiment, identity), { force: true }),
  };
}

/** Describes some images, of whole batches, for `joinSlices`; what an earlier call finished is kept. */
export async function observeSlice(experiment: Experiment, slice: Slice, watch: Watch = {}): Promise<void> {
  const identity = identityOf(experiment, observationStage(experiment, watch));
  const partial = partialOf(experiment, identity, slice);
  const lock = acquireLock(partial);
  try {
    const made = readObservations(partial);
    if (made.length === slice.to - slice.from) return;
    const known = made.slice(0, Math.floor(made.length / OBSERVED_AT_ONCE) * OBSERVED_AT_ONCE);
    if (known.length < made.length) writeText(partial, writtenObservations(known)); // a batch that was cut off
    // those before the slice are another's: they only keep its images in their batches
    const before = Array.from({ length: slice.from }, () => NOT_OURS);
    await describe(experiment, { to: slice.to, known: [...before, ...known], partial }, watch);
  } finally {
    lock.release();
  }
}

const NOT_OURS: Observation = { image: "", concept: "", domain: "", colors: [], descriptions: [], beliefs: new Map() };

/**
 * Puts what slices have made where `cotData` goes on from.
 * @param slices in order, all images together
 * @throws Error naming the slice that is not whole
 */
export function joinSlices(experiment: Experiment, slices: readonly Slice[]): void {
  const identity = identityOf(experiment, observationStage(experiment, {}));
  const files = slices.map((slice) => partialOf(experiment, identity, slice));
  const made = slices.flatMap((slice, i) => {
    const rows = readObservations(files[i]);
    if (rows.length !== slice.to - slice.from)
      throw new Error(`${files[i]}: ${rows.length} observations of ${slice.to - slice.from} images; run it again`);
    return rows;
  });
  writeText(partialOf(experiment, identity), writtenObservations(made));
  for (const file of files) rmSync(file, { force: true });
}

/** Whether the run has its observations already. */
export const hasObservations = (experiment: Experiment): boolean =>
  isFresh(path.join(experiment.folder, OBSERVATIONS), identityOf(experiment, observationStage(experiment, {})));

/** Records by a base that knows what the benchmark's concepts look like, in words. */
async function byKnowledge(experiment: Experiment, watch: Watch): Promise<CotResult> {
  const { settings, benchmark } = experiment;
  const observed = await runStage(experiment, observationStage(experiment, watch));
  const domainOf = domainsOf(experiment);
  const byId = new Map(benchmark.subcategories().map((one) => [one.id, one]));
  const neighbours = await experiment.neighbours();
  const built = buildCotData(observed, benchmark.extras!.knowledge, domainOf, {
    conceptsPerImage: settings.cot.conceptsPerImage,
    comparedWords: settings.cot.comparedWords,
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
  return reasonedImages(experiment).flatMap((image) => {
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

/** What a part of the work asks a teacher: about some images, one kind of request. */
export interface TeacherShare extends Slice {
  kind: "descriptions" | "rationales";
}

/** Images that a teacher is asked about, each once. */
export const askedFiles = async (experiment: Experiment): Promise<string[]> => [
  ...new Set((await teacherImages(experiment)).flatMap(({ file }) => (file === "" ? [] : [file]))),
];

/** A teacher that answers its share alone; descriptions that rationales follow from are in the cache. */
function shared(
  { teacher, language }: Pick<OpenTeacher, "teacher" | "language">,
  files: readonly string[],
  { kind, from, to }: TeacherShare,
): Pick<OpenTeacher, "teacher" | "language"> {
  const own = new Set(files.slice(from, to));
  const rationales = new Set<string>();
  const rationale: typeof language.rationale = (...given) => {
    const text = language.rationale(...given);
    rationales.add(text);
    return text;
  };
  return {
    language: { ...language, rationale },
    teacher: (request) => {
      const isOwn = own.has(request.file);
      const isAsked = rationales.has(request.text) ? kind === "rationales" && isOwn : kind === "rationales" || isOwn;
      return isAsked ? teacher(request) : Promise.resolve([]);
    },
  };
}

/** Asks the teacher for a share of the answers, which stay in its cache; `cotData` finds them there. */
export async function askShare(experiment: Experiment, share: TeacherShare, watch: Watch = {}): Promise<void> {
  // what a part has not asked is no fault
  const quiet: Experiment = Object.create(experiment, { say: { value: () => undefined } }) as Experiment;
  await byTeacher(quiet, watch, share);
}

/**
 * Records by a teacher that is asked: the model itself, or an endpoint. Answers are cached, so a run that ended goes
 * on.
 */
async function byTeacher(experiment: Experiment, watch: Watch, share?: TeacherShare): Promise<CotResult> {
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
  const opened = openTeacher(experiment, watch);
  const { atOnce, usage, close } = opened;
  const files = [...new Set(there.map(({ file }) => file))];
  const { teacher, language } = share === undefined ? opened : shared(opened, files, share);
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

/** Who writes a run's rationales: a file has them, or the base from what it knows, or a teacher that is asked. */
export function rationalesBy({ settings, benchmark }: Pick<Experiment, "settings" | "benchmark">): RationaleSource {
  if (settings.teacher !== "self") return /^https?:/.test(settings.teacher) ? "endpoint" : "file";
  return benchmark.extras !== undefined ? "knowledge" : "self";
}
export type RationaleSource = "file" | "endpoint" | "knowledge" | "self";

/**
 * The chain-of-thought records of a run (`cot/records.json`, sharegpt), by the teacher that `teacher` names.
 * @throws Error where a request fails for good, an image is missing (under `stop`), or a record is of an unseen class
 */
export async function cotData(experiment: Experiment, watch: Watch = {}): Promise<CotResult> {
  const { settings, benchmark } = experiment;
  const by = rationalesBy({ settings, benchmark });
  let made: CotResult;
  if (by === "file") made = readTeacherRecords(experiment);
  else made = by === "knowledge" ? await byKnowledge(experiment, watch) : await byTeacher(experiment, watch);
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
