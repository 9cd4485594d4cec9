/** The TypeScript side of training.py: padding, greedy decoding, loss and gradients, the assistant's mask. */
import * as fs from "node:fs";
import * as path from "node:path";
import { valueAndGradients } from "../../lib/engine/gradients";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { sftLoss } from "../../lib/loss/sft";
import { loadModel, publishedName, type LoadedModel } from "../../lib/model/checkpoint";
import { forward } from "../../lib/model/forward";
import { readHeader, readValues } from "../../lib/model/safetensors";
import { encodeImages } from "../../lib/model/vision";
import { collate, modelInputs, type HostInputs } from "../../lib/processor/collate";
import { loadProcessor, type Processor, type Prompt } from "../../lib/processor/processor";
import { createTextGenerator } from "../../lib/rollout/text-generator";
import { rowLogProbs } from "../../lib/train/row-log-probs";
import type { Check } from "./checks";
import { same, withPaths, type ReferenceRow } from "./compare";
import { compareRecords, type RecordsReference } from "./compare-records";

interface TrainingReference {
  trl: string;
  /** Places of the prompts among those of reference.json. */
  rows: number[];
  /** Of each prompt's real tokens, [3][T]. */
  positions: Record<"left" | "right", number[][][]>;
  loss: number;
  greedy: { tokens: number[]; margins: number[]; log_probs: number[] }[];
  records: RecordsReference;
}

/** Below this lead of its best token the reference itself would change its mind for a rounding. */
const MARGIN = 1e-3;
/** Gradients smaller than this share of the global norm are compared as if they were as large. */
const GRADIENT_FLOOR = 1e-5;

interface Batch {
  model: LoadedModel;
  processor: Processor;
  prompts: Prompt[];
  host: HostInputs;
}

/** Rows whose positions differ under a padding, and how far the logits of the last token are. */
function comparePadding(
  { model, host, prompts }: Batch,
  reference: TrainingReference,
  tensors: ReturnType<typeof readHeader>,
): Check[] {
  const inputs = modelInputs(model.config, host);
  const logits = tf.tidy(() => forward(model.params, model.config, inputs).dataSync());
  disposeTree(inputs);
  const vocab = model.config.text.vocabSize;
  return (["left", "right"] as const).flatMap((side): Check[] => {
    const moved = prompts.filter(
      (prompt, b) =>
        ![0, 1, 2].every((axis) => {
          const start = (axis * host.batchSize + b) * host.length;
          return same(
            host.positionIds.subarray(start, start + prompt.inputIds.length),
            reference.positions[side][b][axis],
          );
        }),
    );
    const wanted = readValues(tensors, `padded.${side}`);
    let worst = 0;
    for (let i = 0; i < wanted.length; i++) {
      const b = Math.floor(i / vocab);
      const ours = logits[(b * host.length + host.lengths[b] - 1) * vocab + (i % vocab)];
      worst = Math.max(worst, Math.abs(ours - wanted[i]) / Math.max(1, Math.abs(wanted[i])));
    }
    return [
      { check: `padded on the ${side}: rows whose positions differ`, worst: moved.length, tolerance: 0 },
      { check: `padded on the ${side}: last logits, |difference| / max(1, |logit|)`, worst, tolerance: 1e-4 },
    ];
  });
}

/**
 * Greedy tokens, compared until the reference's lead is too small to decide. Returns also how many tokens that were.
 */
function compareGreedy(
  { model, processor, prompts }: Batch,
  reference: TrainingReference,
): { checks: Check[]; tokens: number } {
  const generator = createTextGenerator(model.config, processor, {});
  let [differing, worst, tokens] = [0, 0, 0];
  prompts.forEach((prompt, i) => {
    const { tokens: wanted, margins, log_probs: wantedLogProbs } = reference.greedy[i];
    const ours = generator.generateFromPrompt(model.params, prompt, {
      maxNewTokens: wanted.length,
      temperature: 0,
      eosTokenIds: [],
    });
    const undecided = margins.findIndex((margin) => margin <= MARGIN);
    const compared = undecided < 0 ? wanted.length : undecided;
    tokens += compared;
    for (let t = 0; t < compared; t++) {
      if (ours.tokenIds[t] !== wanted[t]) {
        differing++;
        break; // what follows has another prefix
      }
      worst = Math.max(worst, Math.abs(ours.logProbs[t] - wantedLogProbs[t]));
    }
  });
  const checks = [
    {
      check: `rows of ${reference.greedy.length} whose greedy tokens differ (${tokens} compared)`,
      worst: differing,
      tolerance: 0,
    },
    { check: "log-probs of greedy tokens, |difference|", worst, tolerance: 1e-4 },
  ];
  return { checks, tokens };
}

/**
 * The loss of every token that is neither padding nor an image's, and its gradients: the functions that SFT compiles.
 */
function compareGradients(
  { model: { config, params }, host }: Batch,
  reference: TrainingReference,
  tensors: ReturnType<typeof readHeader>,
): Check[] {
  const unscored = [config.imageTokenId, config.visionStartTokenId, config.visionEndTokenId];
  const places = host.lengths
    .flatMap((length, b) => Array.from({ length: length - 1 }, (_, t) => b * host.length + t))
    .filter((place) => !unscored.includes(host.inputIds[place + 1]));
  const inputs = modelInputs(config, host);
  const scored = {
    hiddenIndex: tf.tensor1d(places, "int32"),
    targets: tf.tensor1d(
      places.map((place) => host.inputIds[place + 1]),
      "int32",
    ),
    weights: tf.ones([places.length]),
  };
  const out = tf.tidy(() =>
    valueAndGradients(params, Object.keys(params), (p: Params) => {
      const features = encodeImages(p, config, inputs.pixelValues!, inputs.vision!);
      const logProbs = rowLogProbs(p, config, features, { ...inputs, ...scored, segmentIds: null }, 1);
      return { loss: sftLoss(logProbs, scored.weights), metrics: {} };
    }),
  );
  const loss = out.loss.dataSync()[0];
  const wanted = new Map(
    Object.keys(tensors.entries)
      .filter((name) => name.startsWith("gradient."))
      .map((name) => [publishedName(name.slice("gradient.".length)), readValues(tensors, name)]),
  );
  const norm = (x: ArrayLike<number>): number =>
    Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));
  const floor = GRADIENT_FLOOR * norm([...wanted.values()].map(norm));
  const missing =
    Object.keys(params).filter((name) => !wanted.has(name)).length +
    Math.max(0, wanted.size - Object.keys(params).length);
  let [worst, name] = [0, ""];
  for (const [key, theirs] of wanted) {
    const ours = out.gradients[key]?.dataSync();
    const error =
      ours?.length === theirs.length
        ? norm(Array.from(ours, (x, i) => x - theirs[i])) / Math.max(norm(theirs), floor)
        : Infinity;
    if (!(error <= worst)) [worst, name] = [error, key];
  }
  disposeTree(inputs, scored, out);
  return [
    { check: "SFT loss, |difference|", worst: Math.abs(loss - reference.loss), tolerance: 1e-5 },
    { check: "parameters with a gradient on one side only", worst: missing, tolerance: 0 },
    { check: `gradients of ${wanted.size} tensors, norm of difference / norm (${name})`, worst, tolerance: 1e-3 },
  ];
}

/** All checks of a case that training.py has been through. */
export async function compareTraining(dir: string): Promise<Check[]> {
  const reference = JSON.parse(fs.readFileSync(path.join(dir, "training.json"), "utf8")) as TrainingReference;
  const all = (JSON.parse(fs.readFileSync(path.join(dir, "reference.json"), "utf8")) as { rows: ReferenceRow[] }).rows;
  const tensors = readHeader(path.join(dir, "training.safetensors"));
  const [model, processor] = [loadModel(path.join(dir, "model")), loadProcessor(path.join(dir, "model"))];
  try {
    const prompts = await Promise.all(reference.rows.map((row) => processor.prompt(withPaths(all[row].messages, dir))));
    const batch = {
      model,
      processor,
      prompts,
      host: collate(model.config, prompts, { padTokenId: processor.tokenizer.padTokenId ?? 0 }),
    };
    const greedy = compareGreedy(batch, reference);
    const whole = reference.greedy.reduce((n, { tokens }) => n + tokens.length, 0);
    const leftOut: Check = {
      check: "share of greedy tokens after a lead of at most 1e-3, not compared",
      worst: 1 - greedy.tokens / whole,
      tolerance: 0.5,
    };
    return [
      ...comparePadding(batch, reference, tensors),
      ...greedy.checks,
      leftOut,
      ...compareGradients(batch, reference, tensors),
      ...(await compareRecords(dir, model, processor, reference.records)),
    ];
  } finally {
    disposeTree(model.params);
  }
}
