/** Questions of an evaluation: of any benchmark, or the rows of a file. */
import * as path from "node:path";
import { badRows, numberedLines, parseLine, readBytes } from "../util/lines";
import { foldIn, random } from "../util/random";
import { closedOptions } from "./options";
import { resolveImage } from "./photographs/paths";
import { rowProblem } from "./photographs/released";
import type { Neighbours } from "./triplets";
import { SPLITS, type Benchmark, type Question, type QuestionRequest, type QuestionSet, type Split } from "./types";

const truthFirst = (truth: string, options: readonly string[]): string[] => [
  truth,
  ...options.filter((option) => option !== truth),
];

/** One question for each image of the role, sub-category by sub-category; the same request gives the same rows. */
function ownQuestions(benchmark: Benchmark, neighbours: Neighbours, request: QuestionRequest): Question[] {
  const { setting, splits = SPLITS, role = "test", seed = 0, optionOrder = "shuffled" } = request;
  return benchmark.subcategories().flatMap((subcategory) => {
    const { name, domain, split } = subcategory;
    if (!splits.includes(split)) return [];
    return benchmark.images(role, subcategory).map((image): Question => {
      const drawn =
        setting === "closed" ? closedOptions(subcategory, neighbours, foldIn(seed, "options", ...image.key)) : null;
      return {
        image_path: image.id,
        question: request.question ?? benchmark.question(domain),
        ...(drawn ? { options: optionOrder === "released" ? truthFirst(name, drawn) : drawn } : {}),
        ground_truth: name,
        domain,
        split,
        setting,
        image: image.file,
        where: `${benchmark.name}, ${image.id}`,
        ...(image.source === undefined ? {} : { designer: image.source }),
      };
    });
  });
}

/** `limit` questions at random; all where it is 0. */
export function limited(questions: Question[], limit: number, seed: number): Question[] {
  return limit > 0 && limit < questions.length ? random(foldIn(seed, "limit")).sample(questions, limit) : questions;
}

/**
 * The questions of a benchmark in a fixed order. Images that are missing stay in the list with `image: null`, so that
 * who asks can report them.
 * @throws Error naming file and line of a bad published row under `stop`, or a sub-category without options
 */
export function questionsOf(benchmark: Benchmark, neighbours: Neighbours, request: QuestionRequest): QuestionSet {
  const whole = { ...request, limit: 0 };
  const { role = "test" } = request;
  if (request.source === "own" && benchmark.images(role).length === 0)
    throw new Error(
      `${benchmark.title}: no ${role} image; ask about others (eval.role=${role === "dev" ? "test" : "dev"}), or add images: a class of an own folder has dev images where more than shots=N are left for training`,
    );
  const sets = (benchmark.parts ?? [benchmark]).map((part): QuestionSet => {
    const published = request.source === "own" ? null : (part.questions?.(whole) ?? null);
    return published ?? { name: part.name, questions: ownQuestions(part, neighbours, whole), skipped: [] };
  });
  const questions = sets.flatMap((set) => set.questions);
  return {
    name: benchmark.name,
    questions: limited(questions, request.limit ?? 0, request.seed ?? 0),
    skipped: sets.flatMap((set) => set.skipped),
  };
}

/** What to ask of a file of rows. */
export interface QuestionFileRequest extends Pick<
  QuestionRequest,
  "setting" | "seed" | "optionOrder" | "limit" | "onBadRow"
> {
  file: string;
  /** The side of rows that don't say it; else the file's name must end in `_seen` or `_unseen`. */
  split?: Split;
  /** The folder that `image_path` counts from; default the file's. */
  root?: string;
}

interface FileRow {
  image_path: string;
  question: string;
  ground_truth: string;
  options?: string[];
  split?: unknown;
  domain?: unknown;
  id?: unknown;
}

/**
 * The rows of a file: `{image_path, question, ground_truth}`, with `options` in the closed world; `split`, `domain` and
 * `id` where they have them.
 * @throws Error naming file and line of a bad row under `stop`
 */
export function questionsOfFile(request: QuestionFileRequest): QuestionSet {
  const { file, setting, seed = 0, optionOrder = "shuffled", onBadRow = "stop" } = request;
  const name = path.basename(file, ".jsonl");
  const root = path.resolve(request.root ?? path.dirname(file));
  const whole = request.split ?? /_(seen|unseen)$/.exec(name)?.[1];
  const { skipped, add } = badRows(onBadRow);
  const questions: Question[] = [];
  const before = new Map<string, number>();

  const read = (row: FileRow, line: number): string | Question => {
    const { image_path, question, ground_truth, options, split = whole, domain = name, id } = row;
    const keys = [
      { key: JSON.stringify([image_path, question]), what: `image ${image_path} with this question` },
      ...(id === undefined ? [] : [{ key: JSON.stringify({ id }), what: `id ${JSON.stringify(id)}` }]),
    ];
    if (split !== "seen" && split !== "unseen")
      return 'field "split" is neither "seen" nor "unseen" (where no row has it: --split, or a file name that ends in _seen or _unseen)';
    if (typeof domain !== "string") return 'field "domain" is no text';
    const twice = keys.find(({ key }) => before.has(key));
    if (twice) return `${twice.what} is in line ${before.get(twice.key)} already`;
    keys.forEach(({ key }) => before.set(key, line));
    const shuffled = optionOrder === "shuffled" && options !== undefined;
    const shown = shuffled ? random(foldIn(seed, "options", image_path)).shuffle(options) : options;
    try {
      const image = resolveImage(root, image_path);
      const closed = setting === "closed" && shown ? { options: [...shown] } : {};
      return {
        image_path,
        question,
        ...closed,
        ground_truth,
        domain,
        split,
        setting,
        image,
        where: `${file}, line ${line}`,
      };
    } catch (error) {
      return (error as Error).message;
    }
  };

  for (const numbered of numberedLines(readBytes(file))) {
    const { line } = numbered;
    const parsed = parseLine(numbered);
    const problem = "reason" in parsed ? parsed.reason : rowProblem(parsed.value, file, setting === "closed");
    const made = problem ?? read((parsed as { value: FileRow }).value, line);
    if (typeof made === "string") add({ file, line, reason: made });
    else questions.push(made);
  }
  return { name, questions: limited(questions, request.limit ?? 0, seed), skipped };
}
