/**
 * The tokens of one `generate` call: what the compiled step chooses with, what it has chosen, and the choices left to
 * the host.
 */
import { foldIn, random } from "../util/random";
import { tf, type Tensor } from "../engine/tensorflow";
import { disposeTree, takeRows } from "../engine/tree";
import type { ChoiceInputs } from "./choose";
import { logProbOf, sampleFromLogits, sampleToken, type LogitsOptions } from "./sample";
import type { GenerateOptions, PromptRow, Rollout } from "./types";

/** What a compiled call says of the next tokens. */
export interface Scored {
  /** `[lines,V]`: probabilities, or logits where `onLogits`. */
  scores: Tensor;
  /** `[3,rows]` of `choose`; null where the host chooses. */
  chosen: Tensor | null;
  /** `[rows,V]`: 1 for tokens that count as seen; null without a repetition penalty, or on the host. */
  seen: Tensor | null;
}

/** Chooses the tokens of `rollouts`, which it fills. */
export interface Sampler {
  /** Scalar by which the step divides its logits before the softmax; null where choosing needs the logits. */
  temperature: Tensor | null;
  isOpen(row: number): boolean;
  /** Draws the numbers of the next step. @param rows rollout in each slot, -1 where idle */
  begin(rows: readonly number[]): ChoiceInputs | null;
  /**
   * Gives each open row its token, uses up `scored`, and returns how many stay open.
   * @param line the slot's line of the scores
   * @throws Error where the host chooses and the scores are not numbers; `scored` is used up then too
   */
  take(scored: Scored, line: (slot: number) => number): number;
  /** Slots are packed anew: `from` says which old slot each new one was. */
  pack(from: readonly number[]): void;
  dispose(): void;
}

/** `[P,V]`: 1 for the tokens of each prompt. */
function seenTokens(prompts: readonly PromptRow[], vocabulary: number): Tensor {
  const seen = new Float32Array(prompts.length * vocabulary);
  prompts.forEach(({ inputIds }, i) => inputIds.forEach((id) => (seen[i * vocabulary + id] = 1)));
  return tf.tensor2d(seen, [prompts.length, vocabulary]);
}

/** `[V]`: 1 for banned tokens. */
function bannedTokens(ids: readonly number[], vocabulary: number): Tensor {
  const banned = new Float32Array(vocabulary);
  for (const id of ids) banned[id] = 1;
  return tf.tensor1d(banned);
}

/** @param rollouts one for each prompt and sample, a prompt's side by side */
export function createSampler(
  prompts: readonly PromptRow[],
  rollouts: readonly Rollout[],
  settings: GenerateOptions,
  vocabulary: number,
  where: "graph" | "host",
): Sampler {
  const { maxNewTokens, temperature, eosTokenIds, numGenerations: n } = settings;
  const { topK = 0, repetitionPenalty = 1, logProbsOf = "tempered", greedy = false } = settings;
  const options: LogitsOptions = {
    topP: settings.topP,
    bannedTokenIds: settings.bannedTokenIds,
    greedy,
    temperature,
    topK,
    repetitionPenalty,
  };
  const onLogits = topK > 0 || repetitionPenalty !== 1 || logProbsOf === "model";
  const divisor = greedy && temperature === 0 ? 1 : temperature;
  const logProbDivisor = logProbsOf === "model" ? 1 : divisor;
  const streams = rollouts.map(({ promptIndex, sampleIndex }) =>
    random(foldIn(settings.seed, promptIndex + (settings.firstPrompt ?? 0), sampleIndex)),
  );

  const fixed: Omit<ChoiceInputs, "uniform"> | null =
    where === "host"
      ? null
      : {
          banned: bannedTokens(options.bannedTokenIds, vocabulary),
          greedy,
          topP: greedy || options.topP >= 1 ? null : tf.scalar(options.topP),
          logits: onLogits
            ? {
                temperature: tf.scalar(divisor),
                logProbTemperature: tf.scalar(logProbDivisor),
                topK: greedy ? 0 : topK,
                repetition: null,
              }
            : null,
        };
  const penalty = fixed && repetitionPenalty !== 1 ? tf.scalar(repetitionPenalty) : null;
  let seen =
    penalty &&
    tf.tidy(() => tf.reshape(tf.tile(tf.expandDims(seenTokens(prompts, vocabulary), 1), [1, n, 1]), [-1, vocabulary]));
  let uniform: Tensor | null = null;
  let drawing: { slot: number; row: number; first: number }[] = [];
  let slots = 0;

  const isOpen = (row: number): boolean => !rollouts[row].finished && rollouts[row].tokenIds.length < maxNewTokens;

  const push = (row: number, token: number, logProb: number): void => {
    const rollout = rollouts[row];
    rollout.tokenIds.push(token);
    rollout.logProbs.push(logProb);
    rollout.finished = eosTokenIds.includes(token);
  };

  /** The host's choice for `row`, whose scores begin at `start`. */
  const chooseOnHost = (data: Float32Array, start: number, row: number, first: number): void => {
    let draws = 0;
    const draw = (): number => (draws++ === 0 ? first : streams[row].uniform());
    if (!onLogits) {
      const token = sampleToken(data, start, vocabulary, options, draw);
      return push(row, token, Math.log(Math.max(data[start + token], 1e-38)));
    }
    const before =
      repetitionPenalty === 1
        ? []
        : new Set([...prompts[rollouts[row].promptIndex].inputIds, ...rollouts[row].tokenIds]);
    const token = sampleFromLogits(data, start, vocabulary, before, options, draw);
    push(row, token, logProbOf(data, start, vocabulary, token, logProbDivisor));
  };

  return {
    temperature: onLogits ? null : tf.scalar(divisor),
    isOpen,
    begin(rows) {
      slots = rows.length;
      drawing = rows.flatMap((row, slot) =>
        row >= 0 && isOpen(row) ? [{ slot, row, first: greedy ? 0 : streams[row].uniform() }] : [],
      );
      if (!fixed) return null;
      const numbers = new Float32Array(slots);
      for (const { slot, first } of drawing) numbers[slot] = first;
      uniform = tf.tensor1d(numbers);
      return {
        ...fixed,
        uniform,
        logits: fixed.logits && { ...fixed.logits, repetition: penalty && seen && { penalty, seen } },
      };
    },
    take(scored, line) {
      try {
        const decided = scored.chosen?.dataSync();
        const left = decided ? drawing.filter(({ slot }) => decided[2 * slots + slot] !== 1) : drawing;
        if (decided)
          for (const { slot, row } of drawing)
            if (decided[2 * slots + slot] === 1) push(row, decided[slot], decided[slots + slot]);
        if (left.length > 0) {
          const lines = decided
            ? takeRows(
                scored.scores,
                left.map(({ slot }) => line(slot)),
              )
            : scored.scores;
          const data = lines.dataSync() as Float32Array;
          if (decided) lines.dispose();
          left.forEach(({ slot, row, first }, i) =>
            chooseOnHost(data, vocabulary * (decided ? i : line(slot)), row, first),
          );
        }
      } finally {
        disposeTree(scored.scores, scored.chosen, uniform, scored.seen && seen);
        uniform = null;
        seen = scored.seen ?? seen;
      }
      return drawing.filter(({ row }) => isOpen(row)).length;
    },
    pack(from) {
      if (!seen) return;
      const kept = takeRows(seen, from);
      seen.dispose();
      seen = kept;
    },
    dispose() {
      const { temperature: scalar } = this;
      disposeTree(scalar, fixed, penalty, seen, uniform);
    },
  };
}
