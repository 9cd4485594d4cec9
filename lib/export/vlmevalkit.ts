/**
 * A benchmark's questions for VLMEvalKit, and their answers: its TSV files hold images in base64, and it evaluates any
 * file in `$LMUData` that is not one of its own as a custom set: one of options where there are columns A and B, one
 * of free answers otherwise (`build_dataset`).
 */
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Setting } from "../benchmark/prompts";
import type { Question } from "../benchmark/types";
import { evaluationQuestions } from "../experiment/evaluate";
import type { Experiment } from "../experiment/types";
import { escapeMarkdown } from "../report/escape-markdown";
import { writeJsonl } from "../util/files";
import { replaceExport, writeMarker } from "./folder";
import { imageBytes } from "./images";
import { separatedText, type TextRow } from "./separated";

/** A question's row of `answers.jsonl`: what a prediction is joined with. */
export type Answer = Omit<Question, "image" | "missing" | "where" | "shown"> & { index: number };

/** Letters of options. */
export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Files that a world's questions are written to. */
const FILES = ["closed", "closed-words", "open"] as const;
type File = (typeof FILES)[number];

const settingOf = (file: File): Setting => (file === "open" ? "open" : "closed");

/**
 * A question as a row. In `closed` the kit shows the options by letters and judges by itself; in the others the
 * question is this project's whole prompt, and `predictions` and `score` judge.
 */
export function questionRow(
  question: Question,
  file: File,
  { index, image, prompt }: { index: number; image: string; prompt: string },
): TextRow {
  const { options = [], ground_truth: truth, domain: category, split } = question;
  const common = { index: String(index), image, category, split };
  if (file !== "closed") return { ...common, question: prompt, answer: truth };
  return {
    ...common,
    question: question.question,
    ...Object.fromEntries(options.map((option, i) => [LETTERS[i], option])),
    answer: LETTERS[options.indexOf(truth)],
  };
}

/** pandas reads these as "no value"; no option or answer can be one of them. */
const NO_VALUES =
  /^(?:#N\/A|#NA|N\/A|NA|n\/a|NULL|null|NaN|nan|-NaN|-nan|None|<NA>|#N\/A N\/A|-1\.#IND|-1\.#QNAN|1\.#IND|1\.#QNAN)$/;

/** Why a question cannot be written for the kit, or null. */
export function vlmEvalKitProblem({ options = [], ground_truth: truth }: Question): string | null {
  const unreadable = [truth, ...options].find((name) => NO_VALUES.test(name));
  if (unreadable !== undefined)
    return `pandas, which VLMEvalKit reads with, takes the name ${JSON.stringify(unreadable)} for none`;
  if (options.length > LETTERS.length) return `${options.length} options; VLMEvalKit has letters for ${LETTERS.length}`;
  return options.length > 0 && !options.includes(truth) ? "the truth is not among the options" : null;
}

const columnsOf = (file: File, rows: readonly TextRow[]): string[] => [
  "index",
  "category",
  "split",
  "question",
  ...(file === "closed" ? [...LETTERS].filter((letter) => rows.some((row) => letter in row)) : []),
  "answer",
  "image", // last: it is long
];

const readme = (
  title: string,
  names: readonly string[],
): string => `# ${escapeMarkdown(title)}: questions for VLMEvalKit

    export LMUData=$PWD
    python run.py --data ${names[0]} --model MODEL --judge exact_matching     # options by letters, the kit judges
    python run.py --data ${names.slice(1).join(" ")} --model MODEL --mode infer   # this project's prompts
    fine-r1 predictions MODEL_NAME.xlsx --answers . --method MODEL

\`run.py\` is VLMEvalKit's. The last command turns its predictions (xlsx, tsv, csv or json) into lines that \`fine-r1
score\` and \`table\` read. It works on the first set too: a letter counts as the option that it stands for.

- \`${names[0]}.tsv\`: closed world, options A to D in the kit's own words, without reasoning being asked for.
- \`${names[1]}.tsv\`: the same questions in the words of this project (reasoning, options as a list).
- \`${names[2]}.tsv\`: open world. The kit has no judge for a custom set of free answers, hence \`--mode infer\`.
- \`answers.jsonl\`: what each \`index\` asks, with its answer.

The kit writes every image as JPEG before it is shown to a model, also a PNG: pixels differ a little from those here.
An image that occurs again is named by its first row's index. Files above 1 GB are unpacked by the kit first.
`;

/**
 * Writes three TSV files, `answers.jsonl` and README.md.
 * @throws Error where an image is missing (under `onBadRow=stop`), or a name cannot be written
 */
export function writeVlmEvalKit(experiment: Experiment, dir: string): Promise<{ counts: Record<string, number> }> {
  const { benchmark, settings, say, prompts } = experiment;
  return replaceExport(dir, async (folder) => {
    const { questions, skipped } = await evaluationQuestions(experiment);
    for (const { file, line, reason } of skipped) say(`${file}, line ${line}: left out: ${reason}`);
    const names = FILES.map((file) => `FineR1-${benchmark.name.replace(/[^A-Za-z0-9]+/g, "-")}-${file}`);
    const tables = new Map<File, TextRow[]>(FILES.map((file) => [file, []]));
    const first = new Map<string, string>(); // file and image: the index of its first row
    const answers: Answer[] = [];
    for (const question of questions) {
      const { image_path: name, image: file, where } = question;
      let bytes: Uint8Array;
      try {
        const problem = vlmEvalKitProblem(question);
        if (problem !== null) throw new Error(problem);
        if (file === null && !benchmark.squares) throw new Error("the image is missing");
        bytes = await imageBytes(benchmark, benchmark.squares ? { square: name } : file!, settings.eval.alpha);
      } catch (error) {
        const reason = (error as Error).message;
        if (settings.onBadRow === "stop") throw new Error(`${where}: ${name}: ${reason}`, { cause: error });
        say(`${where}: left out: ${reason}`);
        continue;
      }
      const index = answers.length;
      const { image: _, missing: __, where: ___, shown: ____, ...asked } = question;
      answers.push({ index, ...asked });
      const prompt = prompts.reason(question.question, question.options);
      for (const [kind, rows] of tables) {
        if (settingOf(kind) !== question.setting) continue;
        const place = `${kind}\n${name}`;
        const image = first.get(place) ?? Buffer.from(bytes).toString("base64");
        if (!first.has(place)) first.set(place, String(index));
        rows.push(questionRow(question, kind, { index, image, prompt }));
      }
    }
    FILES.forEach((file, i) => {
      const rows = tables.get(file)!;
      writeFileSync(path.join(folder, `${names[i]}.tsv`), separatedText(columnsOf(file, rows), rows));
    });
    writeJsonl(path.join(folder, "answers.jsonl"), answers);
    writeFileSync(path.join(folder, "README.md"), readme(benchmark.title, names));
    const counts = Object.fromEntries(FILES.map((file) => [`${file} questions`, tables.get(file)!.length]));
    writeMarker(experiment, folder, { engine: "vlmevalkit", counts });
    return { counts };
  });
}
