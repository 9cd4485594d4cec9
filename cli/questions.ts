/** `questions`: closed-world questions of an image set as a file that `evaluate` and `zero-shot` ask, distractors by what is asked for. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../lib/util/root";
import { loadQuestions } from "../lib/benchmark/question-set";
import {
  fewShots,
  isSetName,
  readFolders,
  readImageSet,
  resolveImage,
  seededSplit,
  setsFolder,
  splitSubcategories,
  type SetImage,
} from "../lib/benchmark/photographs";
import { writeJsonl } from "../lib/util/files";
import { choiceOf, countOf, onBadRowOf } from "./arguments";
import { openSimilarity, type SimilaritySource } from "./embedders";

const USAGE =
  "npm run -s fine-r1 -- questions --set NAME --embedding model|onnx|names [--model DIR] [--split seen|unseen|both] [--root DIR] [--shots N] [--question TEXT] [--seed N] [--limit N] [--out FILE.jsonl] [--on-bad-row stop|skip] [--json]";

/**
 * Writes a row `{image_path, question, options, ground_truth, domain, split}` for every test image (`data/runs/questions/<set>-<embedding>.jsonl`):
 * the truth and three others of its set and split, by the rule of `lib/benchmark/photographs/questions.ts`. Sub-categories are as similar as their
 * training images (`--shots` of each) are to the embedding, or as their names are spelled.
 * @returns exit code: 0; 2 where rows of an annotation file or images were skipped; 1 where an argument, the set or the model is bad
 */
export async function run(args: string[]): Promise<number> {
  let source: SimilaritySource | null = null;
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({
      args,
      options: {
        set: text,
        embedding: text,
        model: text,
        split: text,
        root: text,
        shots: text,
        question: text,
        seed: text,
        limit: text,
        out: text,
        "on-bad-row": text,
        json: { type: "boolean", default: false },
      },
    });
    const { set: name, root } = values;
    if (name === undefined || !/^\w[\w.-]*$/.test(name))
      throw new Error(
        `--set is ${name === undefined ? "missing" : JSON.stringify(name)}: one of the six sets, or the name of a folder in data/sets; ${USAGE}`,
      );
    const [shots, seed] = [countOf("shots", values.shots, 4), countOf("seed", values.seed, 0, 0)];
    const onBadRow = onBadRowOf(values["on-bad-row"]);
    const set = isSetName(name)
      ? readImageSet(name, root, onBadRow)
      : readFolders(root ?? path.join(setsFolder(), name), { name });
    const sides = isSetName(name) ? splitSubcategories(name, set.names) : seededSplit(name, set.names);
    const missing: string[] = [];
    const images = fewShots(set, [...sides.seen, ...sides.unseen], { count: shots, seed }).flatMap(
      (image: SetImage) => {
        const file = resolveImage(set.root, image.path);
        if (file === null) missing.push(image.path);
        return file === null ? [] : [{ ...image, file }];
      },
    );
    source = await openSimilarity(values.embedding, values.model, USAGE);
    const embedded = values.embedding !== "names";
    if (embedded && missing.length > 0 && onBadRow === "stop")
      throw new Error(
        `${path.join(set.root, missing[0])}: the image is missing; see data check, or skip bad rows (--on-bad-row skip)`,
      );
    const similarity = await source.of(images);
    const { questions, skipped } = await loadQuestions({
      set: name,
      setting: "closed",
      options: "own",
      split: choiceOf("split", values.split, ["seen", "unseen", "both"], "both"),
      root,
      seed,
      similarity,
      question: values.question,
      limit: countOf("limit", values.limit, 0, 0),
      onBadRow,
    });
    for (const { file, line, reason } of skipped) process.stderr.write(`${file}, line ${line}: skipped: ${reason}\n`);
    const left = embedded ? missing : [];
    for (const image of left) process.stderr.write(`${image}: skipped: the image is missing\n`);
    const out = path.resolve(
      values.out ?? path.join(repositoryRoot(), "data/runs/questions", `${name}-${values.embedding!}.jsonl`),
    );
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
    const count = skipped.length + left.length;
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ out, rows: questions.length, skipped: count })}\n`
        : `${out}: ${questions.length} rows, ${count} skipped; ask them with evaluate --set ${path.basename(out)} --root, the folder that holds ${name}\n`,
    );
    return count > 0 ? 2 : 0;
  } catch (error) {
    process.stderr.write(`questions: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await source?.close();
  }
}
