/** `zero-shot`: a CLIP or SigLIP model from a local ONNX directory on any set, to a predictions file that `score` and `table` read. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../lib/util/root";
import { loadQuestions } from "../lib/benchmark/question-set";
import { hasOnnx, ONNX_DTYPES, onnxFolder, openTowers, TRANSFORMERS_JS, type OnnxTowers } from "../lib/eval/onnx";
import { scoreRows } from "../lib/eval/score";
import { DEFAULT_TEMPLATES, zeroShot } from "../lib/eval/zero-shot";
import { progress } from "../lib/report/progress";
import { writeJsonl } from "../lib/util/files";
import { choiceOf, countOf, onBadRowOf } from "./arguments";
import { describeScores } from "./score";

const USAGE =
  "npm run -s fine-r1 -- zero-shot --model DIR --set NAME|FILE.jsonl --setting closed|open [--split seen|unseen|both] [--root DIR] [--out FILE] [--method NAME] [--prompt 'a photo of a {}.']… " +
  "[--option-order shuffled|released] [--role dev|test] [--limit N] [--seed N] [--dtype fp32|fp16|q8] [--on-bad-row stop|skip] [--json] | --install";

/** Puts transformers.js into `.onnx`. @returns npm's exit code */
function install(): number {
  if (hasOnnx()) return 0;
  mkdirSync(onnxFolder(), { recursive: true });
  process.stderr.write(`${TRANSFORMERS_JS} into .onnx …\n`);
  return (
    spawnSync(
      "npm",
      [
        "install",
        "--prefix",
        onnxFolder(),
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-save",
        TRANSFORMERS_JS,
      ],
      { stdio: "inherit" },
    ).status ?? 1
  );
}

/**
 * `--json` prints `{out, n, skipped, substring, exact, listing}` on one line. In the open world the candidates are all names of
 * the set, seen and unseen, which a generating model is not told.
 * @returns exit code: 0; 2 where rows were skipped; 1 where an argument, the set or the model is bad
 */
export async function run(args: string[]): Promise<number> {
  let towers: OnnxTowers | null = null;
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean", default: false } as const;
    const { values } = parseArgs({
      args,
      options: {
        model: text,
        set: text,
        setting: text,
        split: text,
        root: text,
        out: text,
        method: text,
        prompt: { type: "string", multiple: true },
        "option-order": text,
        role: text,
        limit: text,
        seed: text,
        dtype: text,
        "on-bad-row": text,
        json: flag,
        install: flag,
      },
    });
    if (values.install) return install();
    const { model, set } = values;
    if (model === undefined || set === undefined)
      throw new Error(`--${model === undefined ? "model" : "set"} is missing; ${USAGE}`);
    const setting = choiceOf("setting", values.setting, ["closed", "open"]);
    const split = choiceOf("split", values.split, ["seen", "unseen", "both"], "both");
    const onBadRow = onBadRowOf(values["on-bad-row"]);
    const method = values.method ?? path.basename(path.resolve(model));
    if (!/^\w[\w.-]*$/.test(method))
      throw new Error(`--method is ${JSON.stringify(method)}; letters, digits, -, _ and . expected`);
    const name = path.basename(set, ".jsonl");
    const out = path.resolve(
      values.out ??
        path.join(
          repositoryRoot(),
          "data/runs/zero-shot/baselines",
          `${method}-${name.replace(/[^\w.-]+/g, "-")}-${setting}${split === "both" ? "" : `-${split}`}.jsonl`,
        ),
    );
    const request = {
      set,
      setting,
      root: values.root,
      seed: countOf("seed", values.seed, 0, 0),
      role: choiceOf("role", values.role, ["dev", "test"], "test"),
      onBadRow,
      optionOrder: choiceOf("option-order", values["option-order"], ["shuffled", "released"], "shuffled"),
    } as const;
    const { questions, skipped } = await loadQuestions({
      ...request,
      split,
      limit: countOf("limit", values.limit, 0, 0),
    });
    if (questions.length === 0) throw new Error(`${set}: no question can be asked (${skipped.length} rows skipped)`);
    const namesOfDomain = new Map<string, string[]>();
    if (setting === "open") {
      // a file's split says which side its rows are of; of a set, both sides' names are candidates
      for (const { domain, ground_truth } of (
        await loadQuestions({ ...request, split: set.endsWith(".jsonl") ? split : "both" })
      ).questions) {
        const names = namesOfDomain.get(domain) ?? [];
        if (!names.includes(ground_truth)) namesOfDomain.set(domain, [...names, ground_truth]);
      }
    }
    towers = await openTowers(model, { dtype: choiceOf("dtype", values.dtype, ONNX_DTYPES, "fp32") });
    const bar = progress(`${method} on ${name}, ${setting}`, questions.length);
    const { rows, missing } = await zeroShot(towers, questions, {
      method,
      templates: values.prompt ?? DEFAULT_TEMPLATES,
      namesOfDomain,
      onProgress: (done, total) => bar.update(done, undefined, total),
    });
    bar.finish();
    if (missing.length > 0 && onBadRow === "stop")
      throw new Error(
        `${missing[0].where}: the image ${missing[0].image_path} is missing, and ${missing.length - 1} more; mend it, or skip bad rows (--on-bad-row skip)`,
      );
    for (const { where, image_path } of missing)
      process.stderr.write(`${where}: skipped: the image ${image_path} is missing\n`);
    for (const { file, line, reason } of skipped) process.stderr.write(`${file}, line ${line}: skipped: ${reason}\n`);
    writeJsonl(out, rows);
    const summary = { ...scoreRows(rows, setting), skipped: skipped.length + missing.length };
    process.stdout.write(
      values.json ? `${JSON.stringify({ out, ...summary })}\n` : describeScores(out, rows, setting, summary),
    );
    return summary.skipped > 0 ? 2 : 0;
  } catch (error) {
    process.stderr.write(`zero-shot: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await towers?.close();
  }
}
