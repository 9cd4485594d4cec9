/** Stage 2 with rollouts elsewhere: what a server is sent, how stale its weights are, and the importance weights. */
import sharp from "sharp";
import type { Params } from "../engine/tensorflow";
import { patchesToImage } from "../processor/patches-to-image";
import type { RemoteAnswer } from "../rollout/rollout-reply";
import type { SavedWeights } from "../rollout/rollout-engines";
import type { RemoteOptions, RolloutServer } from "../rollout/rollout-server";
import type { PromptRow, Rollout } from "../rollout/types";
import { forEachAtOnce } from "../util/parallel";
import { changesOf, type View } from "./group-views";
import { changedPatches } from "./images";
import type { Workbench } from "./workbench";

/** Where responses are sampled, where that is elsewhere. */
export interface RemoteRollouts {
  server: RolloutServer;
  /** Saves the policy before step `step` (0: the first) where the server finds it. */
  publish(params: Params, step: number): SavedWeights;
}

/** Requests under way at once. */
const AT_ONCE = 32;

/** The policy that a step's rollouts came from. */
export interface Pushed {
  step: number;
  name: string;
}

/** The image as the model here sees it, to the nearest of 256 steps a channel. */
async function imageOf(bench: Workbench, view: View, strength: number): Promise<string> {
  const patches = changedPatches(bench.images, [view.path], changesOf([view], strength), bench.processor.imageConfig);
  const { width, height, data } = patchesToImage(
    bench.processor.imageConfig,
    patches.dataSync() as Float32Array,
    bench.images.grid(view.path),
  );
  patches.dispose();
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString("base64")}`;
}

/** A prompt with the image that it is about. */
export interface RemoteRow {
  row: PromptRow;
  text: string;
  view: View;
}

/**
 * What `Generator.generate` gives for the same prompts and options, from the server.
 * @throws Error as `RolloutServer.sample`, and where other weights answered than those that were pushed
 */
export async function sampleRemotely(
  server: RolloutServer,
  pushed: Pushed,
  bench: Workbench,
  rows: readonly RemoteRow[],
  strength: number,
  options: Omit<RemoteOptions, "promptIndex"> & { firstPrompt: number },
): Promise<Rollout[]> {
  const { firstPrompt, ...shared } = options;
  const answers: RemoteAnswer[][] = rows.map(() => []);
  await forEachAtOnce(rows, AT_ONCE, async ({ row, text, view }, i) => {
    const image = await imageOf(bench, view, strength);
    const prompt = { text, image, inputIds: row.inputIds };
    answers[i] = await server.sample(prompt, { ...shared, promptIndex: i + firstPrompt });
    const other = answers[i].find(({ weights }) => weights !== pushed.name);
    if (other)
      throw new Error(
        `rollouts: the server answered with the weights ${JSON.stringify(other.weights)}, not with ${JSON.stringify(pushed.name)}; does another run use it?`,
      );
  });
  return answers.flatMap((of, promptIndex) =>
    of.map(({ tokenIds, logProbs, finished }, sampleIndex) => ({
      promptIndex,
      sampleIndex,
      tokenIds,
      logProbs,
      finished,
    })),
  );
}

/** Importance weights of tokens, and what the log says of them. */
export interface Importance {
  /** `[B * R]`; 1 in places without a token. */
  weights: Float32Array;
  /** Over tokens: the weights' sum, how many were cut at the cap, and the sum of |log-prob here - log-prob there|. */
  sum: number;
  capped: number;
  difference: number;
  tokens: number;
}

/**
 * Truncated importance weights: min(pi_trainer / pi_server, cap) of each token, both under the image that it was
 * sampled from (Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training").
 * @param scored log-probs here, `[B * R]`, 0 in free places; as are the server's
 */
export function importanceOf(scored: Float32Array, server: Float32Array, mask: Float32Array, cap: number): Importance {
  let [sum, capped, difference, tokens] = [0, 0, 0, 0];
  const weights = Float32Array.from(mask, (is, i) => {
    if (is === 0) return 1;
    const apart = scored[i] - server[i];
    const ratio = Math.exp(apart);
    const weight = Math.min(ratio, cap);
    sum += weight;
    difference += Math.abs(apart);
    tokens++;
    if (ratio > cap) capped++;
    return weight;
  });
  return { weights, sum, capped, difference, tokens };
}
