/** `questions`: closed-world questions of a benchmark as a file that `evaluate` and `zero-shot` ask. */
import * as path from "node:path";
import { questionsOf } from "../lib/benchmark/questions";
import type { Question } from "../lib/benchmark/types";
import { foldIn } from "../lib/util/random";
import { writeJsonl } from "../lib/util/files";
import type { QuestionsOptions } from "./commands/questions";
import { settingsOf, withExperiment } from "./experiment";
import { note, print, printJson } from "./output";

/** The folder that the paths of images count from; a word for it where no image is there. */
function imageFolder(questions: readonly Question[]): string {
  const there = questions.find(({ image, image_path }) => image?.endsWith(image_path));
  return there ? path.relative("", there.image!.slice(0, -there.image_path.length)) || "." : "DIR";
}

/** @returns exit code: 0; 2 where rows of an annotation file or images were left out */
export function run(options: QuestionsOptions): Promise<number> {
  const { split, role, question, limit } = options;
  const settings = settingsOf(options, [`eval.role=${role}`]);
  return withExperiment(settings, "questions", async (experiment) => {
    const { questions, skipped } = questionsOf(experiment.benchmark, await experiment.neighbours(), {
      setting: "closed",
      source: "own",
      splits: split === "both" ? undefined : [split],
      role,
      question,
      limit,
      seed: foldIn(settings.seed, "evaluation"),
      onBadRow: settings.onBadRow,
    });
    for (const { file, line, reason } of skipped) note(`${file}, line ${line}: left out: ${reason}`);
    const out = path.resolve(options.out ?? path.join(experiment.folder, "questions.jsonl"));
    const rows = questions.map((row) => ({
      image_path: row.image_path,
      question: row.question,
      options: row.options,
      ground_truth: row.ground_truth,
      domain: row.domain,
      split: row.split,
    }));
    writeJsonl(out, rows);
    const leftOut = skipped.length + experiment.leftOut;
    if (options.json) printJson({ out, rows: rows.length, left_out: leftOut });
    else
      print(
        `${out}: ${rows.length} rows, ${leftOut} left out; evaluate --benchmark ${path.relative("", out)} --images ${imageFolder(questions)} asks them`,
      );
    return leftOut > 0 ? 2 : 0;
  });
}
