/** Runs a model over evaluation rows, greedily, and keeps what is needed to score again without it. */
import type { EvaluationRow } from "../benchmark/emoji-fgvr";
import type { PromptSet } from "../benchmark/prompts";
import type { Params } from "../engine/tensorflow";
import type { Workbench } from "../train/workbench";
import type { PredictionRow } from "./rows";

/** What the model is shown in place of a row's image: a control. `none` asks without an image. */
export type ImageControl = "own" | "permuted" | "none";

/** How rows are asked. */
export interface PredictOptions {
  /** Name of the method in the rows. */
  method: string;
  seed: number;
  /** Ask for reasoning first, or for the answer only. */
  reason: boolean;
  prompts: PromptSet;
  maxNewTokens: number;
  batchSize: number;
  control?: ImageControl;
  onBatch?: (done: number, total: number) => void | Promise<void>;
}

/** Image each row is shown: its own, that of another sub-category of its domain and split, or none. */
export function controlledImages(rows: readonly EvaluationRow[], control: ImageControl): (string | null)[] {
  if (control === "none") return rows.map(() => null);
  if (control === "own") return rows.map((row) => row.image_path);
  return rows.map((row) => {
    const kin = rows.filter(
      (other) => other.domain === row.domain && other.split === row.split && other.concept_id !== row.concept_id,
    );
    const others = kin.length > 0 ? kin : rows.filter((other) => other.concept_id !== row.concept_id); // few rows: any other sub-category
    if (others.length === 0) throw new Error(`permuted images: every row shows ${row.ground_truth}`);
    return others[Math.floor(rows.indexOf(row) + others.length / 2) % others.length].image_path;
  });
}

/** Greedy outputs for all rows, in order. */
export async function predict(
  params: Params,
  bench: Workbench,
  rows: readonly EvaluationRow[],
  options: PredictOptions,
): Promise<PredictionRow[]> {
  const images = controlledImages(rows, options.control ?? "own");
  const out: PredictionRow[] = [];
  for (let start = 0; start < rows.length; start += options.batchSize) {
    const batch = rows.slice(start, start + options.batchSize);
    const shown = images.slice(start, start + options.batchSize);
    // without images the features are not looked at; one of the bank stands in for their shape
    const paths = shown.map((image, i) => image ?? batch[i].image_path);
    await bench.images.load(paths);
    const features = bench.features(params, paths);
    const places = bench.places(paths);
    const ask = options.reason ? options.prompts.reason : options.prompts.direct;
    const prompts = batch.map((row, i) =>
      bench.prompt(ask(row.question, row.options ?? undefined), shown[i] === null ? null : places[i]),
    );
    const rollouts = bench.generator.generate(
      params,
      { prompts, features },
      {
        numGenerations: 1,
        maxNewTokens: options.maxNewTokens,
        temperature: 1,
        topP: 1,
        greedy: true,
        eosTokenIds: bench.eosTokenIds,
        bannedTokenIds: bench.bannedTokenIds,
        seed: options.seed,
      },
    );
    features.dispose();
    batch.forEach((row, i) => {
      out.push({
        method: options.method,
        seed: options.seed,
        domain: row.domain,
        split: row.split,
        setting: row.setting,
        image_path: row.image_path,
        question: row.question,
        ...(row.options ? { options: [...row.options] } : {}),
        ground_truth: row.ground_truth,
        output: bench.processor.tokenizer.decode(rollouts[i].tokenIds),
        output_tokens: rollouts[i].tokenIds.length,
        designer: row.designer,
      });
    });
    await options.onBatch?.(Math.min(start + options.batchSize, rows.length), rows.length);
  }
  return out;
}
