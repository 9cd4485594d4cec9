/**
 * `zero-shot`: a CLIP or SigLIP model from a local ONNX directory on any set, to a predictions file that `score` and
 * `table` read.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "../lib/util/root";
import { rankedNeighbours } from "../lib/benchmark/neighbours";
import { questionsOf, questionsOfFile } from "../lib/benchmark/questions";
import type { QuestionSet, Split } from "../lib/benchmark/types";
import { benchmarkOf } from "../lib/experiment/open";
import { hasOnnx, onnxFolder, openTowers, TRANSFORMERS_JS } from "../lib/eval/onnx";
import type { Setting } from "../lib/eval/rows";
import { scoreRows } from "../lib/eval/score";
import { DEFAULT_TEMPLATES, zeroShot } from "../lib/eval/zero-shot";
import { progress } from "../lib/report/progress";
import { writeJsonl } from "../lib/util/files";
import { nameSimilarity } from "../lib/util/spelling";
import type { ZeroShotOptions } from "./commands/zero-shot";
import { settingsOf } from "./experiment";
import { note, print, printJson } from "./output";
import { describeScores } from "./score";
import { UsageError } from "./values";

/** Puts transformers.js into `.onnx`. @returns npm's exit code */
function install(): number {
  if (hasOnnx()) return 0;
  mkdirSync(onnxFolder(), { recursive: true });
  note(`${TRANSFORMERS_JS} into .onnx …`);
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save"];
  return (
    spawnSync("npm", ["install", "--prefix", onnxFolder(), ...flags, TRANSFORMERS_JS], { stdio: "inherit" }).status ?? 1
  );
}

/** Options with those that are needed, unless something is installed. */
type Asked = ZeroShotOptions & { model: string; benchmark: string; setting: Setting };

/** @throws UsageError naming the option that is missing */
function askedOf(options: ZeroShotOptions): Asked {
  const { model, benchmark, setting } = options;
  if (model === undefined) throw new UsageError("--model is missing: DIR");
  if (benchmark === undefined) throw new UsageError("--benchmark is missing");
  if (setting === undefined) throw new UsageError("--setting is missing; expected closed or open");
  return { ...options, model, benchmark, setting };
}

/** The questions of a benchmark or a file. Without published options, distractors are by the spelling of names. */
async function questionsFor(options: Asked, splits: readonly Split[] | undefined, limit: number): Promise<QuestionSet> {
  const { benchmark: name, setting, images: root, role, optionOrder, onBadRow } = options;
  const file = name.endsWith(".jsonl") ? name : undefined;
  const settings = settingsOf({ ...options, model: undefined, benchmark: file ? undefined : name });
  const request = { setting, seed: settings.seed, optionOrder, limit, onBadRow };
  if (file !== undefined) return questionsOfFile({ ...request, file, root, split: splits?.[0] });
  const benchmark = await benchmarkOf(settings);
  const [first] = benchmark.subcategories();
  const own = first && benchmark.neighbours(first) !== null;
  const neighbours = own
    ? (of: typeof first) => benchmark.neighbours(of)!
    : rankedNeighbours(benchmark, (a, b) => nameSimilarity(a.name, b.name));
  return questionsOf(benchmark, neighbours, { ...request, splits, role });
}

/** The candidates in the open world: all names of a domain, seen and unseen. */
async function namesOfDomains(options: Asked): Promise<Map<string, string[]>> {
  const { benchmark, setting, split } = options;
  const names = new Map<string, string[]>();
  if (setting === "closed") return names;
  // a file's split says which side its rows are of; of a benchmark, both sides' names are candidates
  const both = await questionsFor(options, benchmark.endsWith(".jsonl") && split !== "both" ? [split] : undefined, 0);
  for (const { domain, ground_truth } of both.questions) {
    const known = names.get(domain) ?? [];
    if (!known.includes(ground_truth)) names.set(domain, [...known, ground_truth]);
  }
  return names;
}

/** The rows, in order, and questions whose image is missing. @throws Error under `stop`, naming the first of those */
async function answer(options: Asked, method: string, { name, questions }: QuestionSet) {
  const namesOfDomain = await namesOfDomains(options);
  const towers = await openTowers(options.model, { dtype: options.dtype });
  try {
    const bar = progress(`${method} on ${name}, ${options.setting}`, questions.length);
    const result = await zeroShot(towers, questions, {
      method,
      templates: options.template.length > 0 ? options.template : DEFAULT_TEMPLATES,
      namesOfDomain,
      onProgress: (done, total) => bar.update(done, undefined, total),
    });
    bar.finish();
    const [first, ...more] = result.missing;
    if (first !== undefined && options.onBadRow === "stop")
      throw new Error(
        `${first.where}: the image ${first.image_path} is missing, and ${more.length} more; mend it, or skip bad rows (--on-bad-row skip)`,
      );
    return result;
  } finally {
    await towers.close();
  }
}

/**
 * `--json` prints `{out, n, skipped, substring, exact, listing}` on one line.
 * @returns exit code: 0; 2 where rows were skipped
 * @throws Error where an option, the set or the model is bad
 */
export async function run(given: ZeroShotOptions): Promise<number> {
  if (given.install) return install();
  const options = askedOf(given);
  const { model, benchmark, setting, split, limit } = options;
  const method = options.method ?? parseMethod(path.basename(path.resolve(model)));
  const asked = await questionsFor(options, split === "both" ? undefined : [split], limit);
  if (asked.questions.length === 0)
    throw new Error(`${benchmark}: no question can be asked (${asked.skipped.length} rows skipped)`);
  const { rows, missing } = await answer(options, method, asked);
  for (const { where, image_path } of missing) note(`${where}: skipped: the image ${image_path} is missing`);
  for (const { file, line, reason } of asked.skipped) note(`${file}, line ${line}: skipped: ${reason}`);
  const file = `${method}-${asked.name.replace(/[^\w.-]+/g, "-")}-${setting}${split === "both" ? "" : `-${split}`}.jsonl`;
  const out = path.resolve(options.out ?? path.join(repositoryRoot(), "data/runs/zero-shot/baselines", file));
  writeJsonl(out, rows);
  const summary = { ...scoreRows(rows, setting), skipped: asked.skipped.length + missing.length };
  if (options.json) printJson({ out, ...summary });
  else print(describeScores(out, rows, setting, summary).trimEnd());
  return summary.skipped > 0 ? 2 : 0;
}

/** A directory's name as that of a method. @throws UsageError where it is none */
function parseMethod(name: string): string {
  if (!/^\w[\w.-]*$/.test(name))
    throw new UsageError(
      `--method is missing: the directory's name, ${JSON.stringify(name)}, has other characters than letters, digits, -, _ and .`,
    );
  return name;
}
