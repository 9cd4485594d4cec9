/** Stage 2 here, on the responses that TRL sampled: the same updates, one after another. */
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import { cosineSchedule } from "../../lib/engine/optimizer";
import { rlBench } from "../../lib/experiment/rl";
import type { Experiment } from "../../lib/experiment/types";
import { RL_FLOOR } from "../../lib/export/schedule";
import { makeGroup, scoreResponse, type Group, type RlPrompt } from "../../lib/rollout/groups";
import { groupRows } from "../../lib/train/rl-rollouts";
import { createRlStep, createScoreStep } from "../../lib/train/rl-step";
import { trainedState } from "../../lib/train/sft";
import type { Workbench } from "../../lib/train/workbench";
import { readJsonl } from "../../lib/util/files";
import type { Compared } from "./report";

/** A line of record_grpo.py. */
interface Recorded {
  /** Place of each response's prompt among those of the export. */
  ids: number[];
  completions: number[][];
  log_probs: number[][];
  advantages: number[];
  loss: number;
  step: number;
  grad_norm: number;
  learning_rate: number;
  reward: number;
}

/** The groups of an update, scored by this project's reward, and where each response stands in the recording. */
function groupsOf(
  { ids, completions, log_probs }: Recorded,
  prompts: readonly RlPrompt[],
  { bench, strict }: { bench: Workbench; strict: boolean },
): { groups: Group[]; order: number[] } {
  const chosen = [...new Set(ids)];
  const order = chosen.flatMap((id) => ids.flatMap((other, i) => (other === id ? [i] : [])));
  const groups = chosen.map((id) =>
    makeGroup(
      prompts[id],
      [0, 0, 0],
      order
        .filter((i) => ids[i] === id)
        .map((i) => {
          const text = bench.processor.tokenizer.decode(completions[i]);
          return {
            ...scoreResponse(text, prompts[id], strict),
            tokenIds: completions[i],
            logProbs: log_probs[i],
            text,
            source: "anchor" as const,
            finished: bench.eosTokenIds.includes(completions[i][completions[i].length - 1]),
          };
        }),
    ),
  );
  return { groups, order };
}

/** What came of both sides' updates. */
export interface ComparedGrpo {
  steps: Compared[];
  rows: number;
  tokens: number;
  /** Largest difference of a response's advantage, and of a step's mean reward. */
  advantage: number;
  reward: number;
}

/**
 * Updates a copy of `initial` on what was recorded.
 * @param whose advantages: this project's, of its own rewards, or TRL's, whose epsilon is another
 */
export async function compareGrpo(
  experiment: Experiment,
  initial: Params,
  { file, whose }: { file: string; whose: "own" | "theirs" },
): Promise<ComparedGrpo> {
  const { settings } = experiment;
  const { rl } = settings;
  const { bench, prompts } = await rlBench(experiment);
  const update = createRlStep(bench, rl, false, { bf16: false, xla: false });
  const score = createScoreStep(bench, rl.temperature, false);
  let params = mapParams(initial, (p) => p.clone());
  let state = trainedState(params, rl.visionLearningRateScale);
  const result: ComparedGrpo = { steps: [], rows: 0, tokens: 0, advantage: 0, reward: 0 };
  for (const [index, recorded] of readJsonl<Recorded>(file).entries()) {
    const { groups, order } = groupsOf(recorded, prompts, { bench, strict: rl.reward === "strict" });
    const own = groups.flatMap((group) => group.advantages);
    if (whose === "theirs") {
      let next = 0;
      for (const group of groups) group.advantages = group.rollouts.map(() => recorded.advantages[order[next++]]);
    }
    const { images: read, rows, tokens, ...host } = groupRows(groups, bench, rl, groups.length);
    const images = await read();
    const scored = score(params, images, rows);
    const logProbs = scored.arraySync() as number[][];
    const rewards = groups.flatMap(({ rollouts }) => rollouts.map(({ reward }) => reward.overall));
    const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const logProb = most(order.flatMap((i, b) => recorded.log_probs[i].map((theirs, t) => theirs - logProbs[b][t])));
    const [advantage, reward] = [
      most(order.map((i, b) => recorded.advantages[i] - own[b])),
      Math.abs(rewards.reduce((a, b) => a + b, 0) / rewards.length - recorded.reward),
    ];
    const rate =
      rl.learningRate * (rl.schedule === "constant" ? 1 : cosineSchedule(index, rl.steps, rl.warmupSteps, RL_FLOOR));
    if (Math.abs(rate - recorded.learning_rate) > 1e-12)
      throw new Error(`interop: step ${index + 1}: TRL's learning rate is ${recorded.learning_rate}, here ${rate}`);
    const learningRate = tf.scalar(rate);
    const part = {
      images,
      rows,
      negativeFeatureIndex: host.negativeFeatureIndex,
      oldLogProbs: tf.tensor2d(host.samplerLogProbs, [own.length, host.places]),
      oldIsOwn: tf.tensor1d(new Float32Array(own.length)),
      advantages: tf.tensor1d(host.advantages),
      staleNegativeLogProbs: null,
      replay: null,
    };
    const out = update(params, state, [part], tokens, learningRate);
    const value = (name: string): number => out.metrics[name].dataSync()[0];
    result.steps.push({
      step: recorded.step,
      loss: { theirs: recorded.loss, here: value("loss") },
      gradNorm: { theirs: recorded.grad_norm, here: value("gradNorm") },
      logProb,
    });
    if (index === 0) Object.assign(result, { rows: own.length, tokens });
    result.advantage = Math.max(result.advantage, advantage);
    result.reward = Math.max(result.reward, reward);
    disposeTree(out.metrics, part, scored, learningRate);
    [params, state] = [out.params, out.state];
  }
  disposeTree(params, state);
  return result;
}
