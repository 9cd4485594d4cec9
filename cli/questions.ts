/** `questions`: closed-world questions of an image set as a file that `evaluate` and `zero-shot` ask, distractors by what is asked for. */
import * as path from "node:path";
import { repositoryRoot } from "../lib/util/root";
import { loadQuestions } from "../lib/benchmark/question-set";
import {
  fewShots,
  isSetName,
  readFolders,
  readImageSet,
  resolveImage,
  seededSplit,
  splitSubcategories,
  type ImageSet,
} from "../lib/benchmark/photographs";
import { writeJsonl } from "../lib/util/files";
import { chooseBenchmark, questionSource, type ChosenBenchmark } from "./benchmarks";
import type { QuestionsOptions } from "./commands/questions";
import { openSimilarity } from "./embedders";
import { note, print, printJson } from "./output";
import type { Shot } from "./training-images";
import { UsageError } from "./values";

type Photographs = Extract<ChosenBenchmark, { kind: "published" | "folder" }>;

/** @throws UsageError where the benchmark is none of photographs */
function photographsOf({ benchmark, sets }: QuestionsOptions): Photographs {
  const chosen = chooseBenchmark(benchmark, sets);
  if (chosen.kind === "published" || chosen.kind === "folder") return chosen;
  throw new UsageError(`--benchmark is ${JSON.stringify(benchmark)}; expected one of the six sets, or a folder`);
}

/** Training images of all sub-categories, and those that are missing. */
function shotsOf(set: ImageSet, options: QuestionsOptions): { shots: Shot[]; missing: string[] } {
  const sides = isSetName(set.name) ? splitSubcategories(set.name, set.names) : seededSplit(set.name, set.names);
  const missing: string[] = [];
  const wanted = fewShots(set, [...sides.seen, ...sides.unseen], { count: options.shots, seed: options.seed });
  const shots = wanted.flatMap((image) => {
    const file = resolveImage(set.root, image.path);
    if (file === null) missing.push(image.path);
    return file === null ? [] : [{ ...image, file }];
  });
  return { shots, missing };
}

/**
 * Writes a row `{image_path, question, options, ground_truth, domain, split}` for every test image: the truth and three others of its
 * set and split, by the rule of `lib/benchmark/photographs/questions.ts`.
 * @returns exit code: 0; 2 where rows of an annotation file or images were skipped
 * @throws Error where an option, the set or the model is bad
 */
export async function run(options: QuestionsOptions): Promise<number> {
  const { split, seed, question, limit, onBadRow } = options;
  const chosen = photographsOf(options);
  const where = questionSource(chosen);
  const { name, root } = chosen;
  const set =
    chosen.kind === "published" ? readImageSet(chosen.name, root, onBadRow) : readFolders(chosen.root, { name });
  const { shots, missing } = shotsOf(set, options);
  const source = await openSimilarity(options);
  try {
    const left = source.embeds ? missing : [];
    if (left.length > 0 && onBadRow === "stop")
      throw new Error(
        `${path.join(set.root, left[0])}: the image is missing; see data check, or skip bad rows (--on-bad-row skip)`,
      );
    const similarity = await source.of(shots);
    const { questions, skipped } = await loadQuestions({
      ...where,
      setting: "closed",
      options: "own",
      split,
      seed,
      similarity,
      question,
      limit,
      onBadRow,
    });
    for (const { file, line, reason } of skipped) note(`${file}, line ${line}: skipped: ${reason}`);
    for (const image of left) note(`${image}: skipped: the image is missing`);
    const out = path.resolve(
      options.out ?? path.join(repositoryRoot(), "data/runs/questions", `${name}-${source.label}.jsonl`),
    );
    writeQuestions(out, questions);
    const count = skipped.length + left.length;
    if (options.json) printJson({ out, rows: questions.length, skipped: count });
    else
      print(
        `${out}: ${questions.length} rows, ${count} skipped; ask them with evaluate --benchmark ${path.basename(out)} --images, the folder that holds ${name}`,
      );
    return count > 0 ? 2 : 0;
  } finally {
    await source.close();
  }
}

function writeQuestions(out: string, questions: Awaited<ReturnType<typeof loadQuestions>>["questions"]): void {
  writeJsonl(
    out,
    questions.map(({ image_path, question, options, ground_truth, domain, split }) => ({
      image_path,
      question,
      options,
      ground_truth,
      domain,
      split,
    })),
  );
}
