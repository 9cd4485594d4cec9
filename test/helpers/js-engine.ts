/**
 * A tiny run end to end: greedy generation and three SFT steps with a frozen vision tower; prints what came out as
 * JSON.
 */
import { engineStats } from "../../lib/engine/compile";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { trainSft } from "../../lib/train/sft";
import { toyBench, toyPlace, toySft, values } from "./tiny";

async function main(): Promise<void> {
  const { bench, params } = await toyBench(["a", "b"]);
  const conversations = ["a", "b"].map((image) => ({
    image,
    turns: [{ user: "What animal is this?", assistant: ` ${image}` }],
  }));
  const round = async () => {
    const features = bench.features(params, ["a"]);
    const [rollout] = bench.generator.generate(
      params,
      { prompts: [bench.prompt("Describe.", toyPlace(0))], features },
      {
        numGenerations: 1,
        maxNewTokens: 6,
        temperature: 1,
        topP: 1,
        greedy: true,
        eosTokenIds: [],
        bannedTokenIds: [],
        seed: 0,
      },
    );
    const { params: trained, log } = await trainSft(
      params,
      bench,
      { ...toySft, batchSize: 2, epochs: 3, visionLearningRateScale: 0, augmentation: 0.5 },
      { conversations, seed: 1, bf16: false },
    );
    const [before, after] = [values(params), values(trained)];
    const frozen = Object.keys(before).every(
      (name) => (JSON.stringify(before[name]) === JSON.stringify(after[name])) === name.startsWith("visual."),
    );
    disposeTree(trained, features);
    return { tokens: rollout.tokenIds, losses: log.map((l) => l.loss), frozen };
  };
  const first = await round();
  const count = tf.memory().numTensors;
  await round();
  console.log(
    JSON.stringify({
      backend: tf.getBackend(),
      ...first,
      leaked: tf.memory().numTensors - count,
      traces: engineStats().length,
    }),
  );
}

void main();
