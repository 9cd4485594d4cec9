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
import { disposeTree, mapParams } from "../engine/tree";
import { hasLoraDropout } from "../model/lora";
import { deck, type Group, type RlPrompt } from "../rollout/groups";
import type { Conversation } from "../processor/conversation";
import { METHODS, type RlMethod } from "./methods";
import type { RlSettings } from "./settings";
import { importanceOf, type Importance, type Pushed, type RemoteRollouts } from "./remote-rollouts";
import { mean, remoteLog, rolloutLog, type RlLog } from "./rl-log";
import { collectGroups, groupRows, type GroupRows } from "./rl-rollouts";
import { createRlStep, createScoreStep, withNegative, type RlBatch } from "./rl-step";
import { sftBatches, trainedState } from "./sft";
import { planReplay, type PlannedStep } from "./sft-plan";
import { finiteOrNull, isStuck, saveStoppedBatch, stoppedBatchFile, stuckError } from "./stopped-batch";
import { loadTrainingState, saveTrainingState, type Checkpointing } from "./training-state";
import type { Workbench } from "./workbench";

/** What a run is told besides its settings. */
export interface RlRun {
  method: RlMethod;
  prompts: readonly RlPrompt[];
  seed: number;
  bf16: boolean;
  /** Responses are sampled elsewhere; default here. */
  rollouts?: RemoteRollouts | null;
  /** Draws a pre-training row for `rl.replayRows`. */
  replay?: (seed: number) => Conversation;
  /** Where the run is saved as it goes, and taken up again; default nowhere. */
  checkpointing?: Checkpointing;
  /** The initial parameters are used up: no copy of them is kept beside the trained ones. */
  donateInitial?: boolean;
  /** Hears the steps that were logged before, where the run is taken up again. */
  onResume?: (log: readonly RlLog[], total: number) => void | Promise<void>;
  onStep?: (log: RlLog, total: number, groups: readonly Group[]) => void | Promise<void>;
  /** Hears what is done inside a step, which may take minutes; `done` steps of `total` are finished. */
  onPhase?: (note: string, done: number, total: number) => void | Promise<void>;
  /** Stops after the step under way; a checkpoint of it is written where `checkpointing` says so. */
  signal?: AbortSignal;
}

/** The sampler's log-probs, but the scored ones in rows from the positive. */
function onAnchor(
  { samplerLogProbs, fromPositive, places }: Pick<GroupRows, "samplerLogProbs" | "fromPositive" | "places">,
  scored: Float32Array,
): Float32Array {
  return samplerLogProbs.map((logProb, i) => (fromPositive[Math.floor(i / places)] ? scored[i] : logProb));
}

/** `[B]`; with importance weights each token's own, `[B,R]`. */
function advantagesOf({ advantages, places }: Pick<GroupRows, "advantages" | "places">, importance: Importance | null) {
  if (importance === null) return tf.tensor1d(advantages);
  const each = importance.weights.map((weight, i) => weight * advantages[Math.floor(i / places)]);
  return tf.tensor2d(each, [advantages.length, places]);
}

/**
 * A mini-batch of `count` groups as `parts` equal parts; the last may hold fewer than `size`, to be padded. Parts
 * without groups are left out.
 */
function split(groups: readonly Group[], count: number, parts: number): { part: readonly Group[]; size: number }[] {
  const size = count / parts;
  return Array.from({ length: parts }, (_, i) => ({ part: groups.slice(i * size, (i + 1) * size), size })).filter(
    ({ part }) => part.length > 0,
  );
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

/**
 * Trains a copy of `initial`; the result belongs to the caller, `initial` stays as it is (but for `donateInitial`).
 * An update whose gradient norm is not finite changes nothing.
 * @throws Error without prompts, for an adapter with dropout, after three steps in a row without a finite update (the
 * batch is saved then), where what was saved is of another run, and as `collectGroups` does
 */
export async function trainRl(
  initial: Params,
  bench: Workbench,
  settings: RlSettings,
  run: RlRun,
): Promise<{ params: Params; log: RlLog[] }> {
  if (hasLoraDropout(initial))
    throw new Error(
      "RL: the adapter has dropout, under which an update's log-probs would be those of another policy than the one that sampled; give withoutLoraDropout(params) (lib/model/lora.ts)",
    );
  if (run.prompts.length === 0) throw new Error("RL: there are no prompts to train on");
  const { intra, inter } = METHODS[run.method];
  const draw = deck(run.prompts, random(foldIn(run.seed, "rl-deck")));
  let drawn = 0;
  const next = (): RlPrompt => {
    drawn++;
    return draw();
  };
  const step = bench.compiled(["rl.step", settings, inter, run.bf16], () =>
    createRlStep(bench, settings, inter, {
      bf16: run.bf16,
      xla: useXla(settings.compiler, { oneShape: false, recomputes: settings.gradientCheckpointing === "layers" }),
    }),
  );
  const score = bench.compiled(["rl.score", settings.temperature, run.bf16], () =>
    createScoreStep(bench, settings.temperature, run.bf16),
  );
  const groupsPerUpdate = settings.groupsPerStep / settings.updatesPerStep;
  const replayed = replayPlan(bench, settings, run);

  const saved = loadTrainingState<RlLog>(run.checkpointing, initial);
  while (drawn < (saved?.drawn ?? 0)) next();
  let params = saved?.params ?? (run.donateInitial ? initial : mapParams(initial, (p) => p.clone()));
  if (saved && run.donateInitial) disposeTree(initial);
  let state = saved?.state ?? trainedState(params, settings.visionLearningRateScale);
  const log: RlLog[] = saved?.log ?? [];
  const stuck = (): Error =>
    stuckError(
      run.method,
      log.length,
      stoppedBatchFile(run.checkpointing),
      `lower rl.learningRate (${settings.learningRate})`,
    );
  if (log.length >= settings.steps && isStuck(log, settings.steps)) {
    disposeTree(params, state);
    throw stuck();
  }
  if (log.length > 0) await run.onResume?.(log, settings.steps);
  const save = (now = false): void =>
    saveTrainingState(
      run.checkpointing,
      { params, state, log, drawn },
      { steps: settings.steps, now, score: ({ reward }: RlLog) => reward },
    );
  let pushed: Pushed | null = null;
  for (let index = log.length; index < settings.steps; index++) {
    const started = Date.now();
    if (run.rollouts && (pushed === null || index - pushed.step >= settings.pushEvery)) {
      await run.onPhase?.("pushing the weights", index, settings.steps);
      pushed = { step: index, name: run.rollouts.publish(params, index) };
      await run.rollouts.server.reload(pushed.name);
    }
    const remote = run.rollouts && pushed ? { server: run.rollouts.server, pushed } : null;
    const collected = await collectGroups(params, bench, {
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
    const learningRate = tf.scalar(rate);

    // everything that needs the policy before its updates comes first; the first update meets that policy itself
    const conditionsOnAnchor = intra && settings.conditionOn === "anchor";
    const importance: Importance[] = [];
    const batches: { parts: (Omit<RlBatch, "images" | "replay"> & Pick<GroupRows, "images">)[]; tokens: number }[] = [];
    for (let u = 0; u < settings.updatesPerStep; u++) {
      const groups = collected.groups.slice(u * groupsPerUpdate, (u + 1) * groupsPerUpdate);
      if (groups.length === 0) continue;
      const prepared = split(groups, groupsPerUpdate, settings.gradientAccumulationSteps).map(({ part, size }) => ({
        ...groupRows(part, bench, settings, size),
        part,
        size,
      }));
      const parts: (typeof batches)[number]["parts"] = [];
      for (const { images, rows, negativeFeatureIndex, samplerLogProbs: drawn, part, size, ...host } of prepared) {
        let samplerLogProbs = drawn;
        let weights: Importance | null = null;
        if (remote) {
          // what the server drew from is not quite the policy here: its log-probs are taken anew, each under its image
          const own = groupRows(part, bench, { ...settings, conditionOn: "sampled" }, size);
          const seen = await own.images();
          const scored = score(params, seen, own.rows);
          samplerLogProbs = scored.dataSync() as Float32Array;
          const mask = own.rows.weights.dataSync() as Float32Array;
          weights = importanceOf(samplerLogProbs, drawn, mask, settings.importanceCap);
          importance.push(weights);
          disposeTree(seen, scored, own.rows, own.negativeFeatureIndex);
        }
        const rescore = conditionsOnAnchor && batches.length > 0;
        const stale = inter && settings.negativeLogProbs === "stale";
        const shown = rescore || stale ? await images() : null;
        let oldLogProbs = samplerLogProbs;
        if (shown && rescore) {
          const scored = score(params, shown, rows);
          oldLogProbs = onAnchor({ samplerLogProbs, ...host }, scored.dataSync() as Float32Array);
          scored.dispose();
        }
        const rescored =
          conditionsOnAnchor && !rescore
            ? Float32Array.from(host.fromPositive)
            : new Float32Array(host.fromPositive.length);
        const staleNegativeLogProbs =
          shown && stale ? score(params, shown, withNegative(rows, negativeFeatureIndex)) : null;
        disposeTree([shown]);
        parts.push({
          images,
          rows,
          negativeFeatureIndex,
          oldLogProbs: tf.tensor2d(oldLogProbs, [host.advantages.length, host.places]),
          rescored: tf.tensor1d(rescored),
          advantages: advantagesOf(host, weights),
          staleNegativeLogProbs,
        });
      }
      batches.push({ parts, tokens: prepared.reduce((n, { tokens }) => n + tokens, 0) });
    }

    const updates: Record<string, number>[] = [];
    for (const { parts: planned, tokens } of batches) {
      await run.onPhase?.(`update ${updates.length + 1} of ${batches.length}`, index, settings.steps);
      const replay = replayed(index, updates.length);
      const rows = replay && (await sftBatches(bench, params, settings, replay, 0));
      const parts: RlBatch[] = [];
      for (const [i, part] of planned.entries())
        parts.push({ ...part, images: await part.images(), replay: rows?.[i] ?? null });
      disposeTree(rows?.slice(parts.length));
      const out = step(params, state, parts, tokens, learningRate);
      updates.push(
        Object.fromEntries(Object.entries(out.metrics).map(([name, tensor]) => [name, tensor.dataSync()[0]])),
      );
      disposeTree(out.metrics, parts);
      [params, state] = [out.params, out.state];
    }
    learningRate.dispose();
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
      gradNorm: metric("gradNorm"),
      skipped: updates.reduce((n, u) => n + u.skipped, 0),
      conditioningGap: conditionsOnAnchor && updates.length > 0 ? finiteOrNull(updates[0].conditioningGap) : null,
      ...remoteLog(remote, index, importance),
      ...(settings.replayRows > 0 ? { replay: metric("replay") } : {}),
      learningRate: rate,
      seconds: (Date.now() - started) / 1000,
    };
    log.push(entry);
    await run.onStep?.(entry, settings.steps, collected.sampled);
    save();
    if (isStuck(log, settings.steps)) {
      const updates = Array.from({ length: settings.updatesPerStep }, (_, u) =>
        collected.groups.slice(u * groupsPerUpdate, (u + 1) * groupsPerUpdate),
      ).filter((groups) => groups.length > 0);
      const stopped = { stage: "rl", step: index + 1, learningRate: rate, seed: run.seed, bf16: run.bf16 } as const;
      const replay = updates.flatMap((_, u) => replayed(index, u) ?? []);
      saveStoppedBatch(run.checkpointing, { ...stopped, contrast: inter, updates, replay });
      save(true);
      disposeTree(params, state);
      throw stuck();
    }
    await nextTurn();
    if (run.signal?.aborted) {
      save(log.length < settings.steps);
      disposeTree(params, state);
      throwIfAborted(run.signal);
    }
  }
  disposeTree(state);
  return { params, log };
}
