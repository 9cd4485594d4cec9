/**
 * Stage 2: reinforcement learning. One loop for CLS-RL (DAPO alone), TAPO and its ablations.
 *
 * A step: sample groups until enough survive (`collectGroups`), take the old log-probs - for rollouts from the positive
 * re-scored on the anchor, which the paper conditions the update on - then `updatesPerStep` updates on shuffled groups.
 * `rl.secondView` and `rl.contrastImage` put other images in the place of positive and negative (`group-views.ts`).
 */
import { useXla } from "../engine/compiler";
import { cosineSchedule } from "../engine/optimizer";
import { nextTurn, throwIfAborted } from "../util/abort";
import { foldIn, random } from "../util/random";
import { tf, type Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { hasLoraDropout } from "../model/lora";
import { deck, type Group, type RlPrompt } from "../rollout/groups";
import type { Conversation } from "../processor/conversation";
import { METHODS, type RlMethod } from "./methods";
import type { RlSettings } from "./settings";
import type { Pushed, RemoteRollouts } from "./remote-rollouts";
import { mean, remoteLog, rolloutLog, type RlLog } from "./rl-log";
import { collectGroups } from "./rl-rollouts";
import { createRlStep, createScoreStep, type RlBatch } from "./rl-step";
import { conditionsOnAnchor, disposeUpdates, groupsOfUpdates, prepareUpdates, type PreparedUpdate } from "./rl-updates";
import { sftBatches, trainedState } from "./sft";
import { planReplay, scoredTokens, type PlannedStep } from "./sft-plan";
import { finiteOrNull, isStuck, saveStoppedBatch, stoppedBatchFile, stuckError } from "./stopped-batch";
import { runTraining, type Held, type PlannedTraining, type TrainingRun } from "./training";
import type { Workbench } from "./workbench";

/** What a run is told besides its settings. */
export interface RlRun extends TrainingRun {
  method: RlMethod;
  prompts: readonly RlPrompt[];
  seed: number;
  bf16: boolean;
  /** Responses are sampled elsewhere; default here. */
  rollouts?: RemoteRollouts | null;
  /** Draws a pre-training row for `rl.replayRows`. */
  replay?: (seed: number) => Conversation;
  /** Hears the steps that were logged before, where the run is taken up again. */
  onResume?: (log: readonly RlLog[], total: number) => void | Promise<void>;
  onStep?: (log: RlLog, total: number, groups: readonly Group[]) => void | Promise<void>;
  /** Hears what is done inside a step, which may take minutes; `done` steps of `total` are finished. */
  onPhase?: (note: string, done: number, total: number) => void | Promise<void>;
}

/** The pre-training rows of an update of a step; null where none are replayed. */
function replayPlan(
  bench: Workbench,
  { replayRows, steps, updatesPerStep, gradientAccumulationSteps: parts }: RlSettings,
  { replay, seed }: RlRun,
): (step: number, update: number) => PlannedStep | null {
  if (replayRows === 0) return () => null;
  if (!replay) throw new Error("RL: rl.replayRows wants pre-training rows to draw from");
  const plan = planReplay(bench, replay, {
    updates: steps * updatesPerStep,
    rows: replayRows,
    parts,
    seed: foldIn(seed, "rl-replay"),
  });
  return (step, update) => ({ ...plan, parts: plan.steps[step * updatesPerStep + update] });
}

/** The replayed rows of an update, by part; the caller disposes them. */
async function replayBatches(
  bench: Workbench,
  params: Params,
  settings: RlSettings,
  planned: PlannedStep,
): Promise<NonNullable<RlBatch["replay"]>[]> {
  const count = planned.parts.reduce((n, part) => n + scoredTokens(part), 0);
  const batches = await sftBatches(bench, params, settings, planned, 0);
  return batches.map((batch) => ({ batch, tokens: tf.scalar(count) }));
}

/** Of an update's metrics, rounded as a tensor would be; null where it is not finite. */
const conditioningGap = ({ conditioningGapSum: sum, ownOldTokens }: Record<string, number>): number | null =>
  finiteOrNull(Math.fround(sum / Math.max(ownOldTokens, 1)));

/**
 * Trains a copy of `initial`; the result belongs to the caller, `initial` stays as it is (but for `donateInitial`).
 * Where it throws, nothing stays in memory. An update whose gradient norm is not finite changes nothing.
 * @throws Error without prompts, for an adapter with dropout, after three steps in a row without a finite update (the
 * batch is saved then), where what was saved is of another run, and as `collectGroups` does
 */
export function trainRl(
  initial: Params,
  bench: Workbench,
  settings: RlSettings,
  run: RlRun,
): Promise<{ params: Params; log: RlLog[] }> {
  return runTraining<RlLog>(initial, run, () => {
    if (hasLoraDropout(initial))
      throw new Error(
        "RL: the adapter has dropout, under which an update's log-probs would be those of another policy than the one that sampled; give withoutLoraDropout(params) (lib/model/lora.ts)",
      );
    if (run.prompts.length === 0) throw new Error("RL: there are no prompts to train on");
    return {
      steps: settings.steps,
      score: ({ reward }) => reward,
      fresh: (params) => trainedState(params, settings.visionLearningRateScale),
      loop: rlLoop(bench, settings, run),
    };
  });
}

function rlLoop(bench: Workbench, settings: RlSettings, run: RlRun): PlannedTraining<RlLog>["loop"] {
  const { intra, inter } = METHODS[run.method];
  const step = bench.compiled(["rl.step", settings, inter, run.bf16], () =>
    createRlStep(bench, settings, inter, {
      bf16: run.bf16,
      xla: useXla(settings.compiler, { oneShape: false, recomputes: settings.gradientCheckpointing === "layers" }),
    }),
  );
  const score = createScoreStep(bench, settings.temperature, run.bf16);
  const replayed = replayPlan(bench, settings, run);

  /** The updates of a step, in turn. @returns the metrics of each */
  const update = async (
    held: Held<RlLog>,
    { prepared, index, rate }: { prepared: readonly PreparedUpdate[]; index: number; rate: number },
  ): Promise<Record<string, number>[]> => {
    const learningRate = tf.scalar(rate);
    const updates: Record<string, number>[] = [];
    try {
      for (const { parts: planned, tokens } of prepared) {
        await run.onPhase?.(`update ${updates.length + 1} of ${prepared.length}`, index, settings.steps);
        const replay = replayed(index, updates.length);
        const rows = replay ? await replayBatches(bench, held.params, settings, replay) : null;
        const parts: RlBatch[] = [];
        try {
          for (const [i, { tensors, images }] of planned.entries())
            parts.push({ ...tensors, images: await images(), replay: rows && rows[i] });
          held.isWhole = false;
          const { metrics, ...next } = step(held.params, held.state, parts, tokens, learningRate);
          Object.assign(held, next);
          updates.push(
            Object.fromEntries(Object.entries(metrics).map(([name, tensor]) => [name, tensor.dataSync()[0]])),
          );
          disposeTree(metrics);
        } finally {
          disposeTree(rows, parts);
        }
      }
      return updates;
    } finally {
      learningRate.dispose();
    }
  };

  return async (held, save) => {
    const { log } = held;
    const stuck = (): Error =>
      stuckError(
        run.method,
        log.length,
        stoppedBatchFile(run.checkpointing),
        `lower rl.learningRate (${settings.learningRate})`,
      );
    if (log.length >= settings.steps && isStuck(log, settings.steps)) throw stuck();
    const draw = deck(run.prompts, random(foldIn(run.seed, "rl-deck")));
    let drawn = 0;
    const next = (): RlPrompt => {
      drawn++;
      return draw();
    };
    while (drawn < held.drawn) next();
    if (log.length > 0) await run.onResume?.(log, settings.steps);
    let pushed: Pushed | null = null;
    for (let index = log.length; index < settings.steps; index++) {
      const started = Date.now();
      if (run.rollouts && (pushed === null || index - pushed.step >= settings.pushEvery)) {
        await run.onPhase?.("pushing the weights", index, settings.steps);
        const saved = run.rollouts.publish(held.params, index);
        pushed = { step: index, name: await run.rollouts.server.reload(saved) };
      }
      const remote = run.rollouts && pushed ? { server: run.rollouts.server, pushed } : null;
      const collected = await collectGroups(held.params, bench, {
        next,
        settings,
        intra,
        step: index + 1,
        remote,
        seed: foldIn(run.seed, "rl", index),
        onBatch: (kept) =>
          run.onPhase?.(`sampling, ${kept} of ${settings.groupsPerStep} groups kept`, index, settings.steps),
      });
      const rate =
        settings.learningRate *
        (settings.schedule === "constant" ? 1 : cosineSchedule(index, settings.steps, settings.warmupSteps, 0.05));
      const how = { settings, intra, inter, isRemote: remote !== null, score };
      const { updates: prepared, importance } = await prepareUpdates(held.params, bench, collected.groups, how);
      let updates: Record<string, number>[];
      try {
        updates = await update(held, { prepared, index, rate });
      } finally {
        disposeUpdates(prepared);
      }
      const metric = (name: string): number | null =>
        mean(updates.filter((u) => name in u && u.skipped === 0).map((u) => u[name]));
      const entry: RlLog = {
        step: index + 1,
        ...rolloutLog(collected),
        entropy: metric("entropy"),
        kl: metric("interClassKl"),
        negativeEntropy: metric("negativeEntropy"),
        clipFractionHigh: metric("clipFractionHigh"),
        clipFractionLow: metric("clipFractionLow"),
        clipFractionDual: metric("clipFractionDual"),
        ratioMean: metric("ratioMean"),
        approxKl: metric("approxKl"),
        gradNorm: metric("gradNorm"),
        skipped: updates.reduce((n, u) => n + u.skipped, 0),
        conditioningGap: conditionsOnAnchor(intra, settings) && updates.length > 0 ? conditioningGap(updates[0]) : null,
        ...remoteLog(remote, index, importance),
        ...(settings.replayRows > 0 ? { replay: metric("replay") } : {}),
        learningRate: rate,
        seconds: (Date.now() - started) / 1000,
      };
      log.push(entry);
      held.drawn = drawn;
      held.isWhole = true;
      await run.onStep?.(entry, settings.steps, collected.sampled);
      save();
      if (isStuck(log, settings.steps)) {
        const groups = groupsOfUpdates(collected.groups, settings);
        const stopped = { stage: "rl", step: index + 1, learningRate: rate, seed: run.seed, bf16: run.bf16 } as const;
        const replay = groups.flatMap((_, u) => replayed(index, u) ?? []);
        saveStoppedBatch(run.checkpointing, { ...stopped, contrast: inter, updates: groups, replay });
        save(true);
        throw stuck();
      }
      await nextTurn();
      throwIfAborted(run.signal);
    }
  };
}
