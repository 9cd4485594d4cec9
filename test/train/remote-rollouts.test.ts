/** Stage 2 with rollouts from `serve`: in float32 what it samples and trains is what it does here. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { saveModel } from "../../lib/model/checkpoint";
import type { Group, RlPrompt } from "../../lib/rollout/groups";
import { connectRollouts, type RolloutServer } from "../../lib/rollout/rollout-server";
import { createCompletions, type Completions } from "../../lib/serve/completions";
import { DEFAULT_LIMITS } from "../../lib/serve/limits";
import { startServer, type ChatServer } from "../../lib/serve/server";
import { loadWeights } from "../../lib/serve/weights";
import { importanceOf, type RemoteRollouts } from "../../lib/train/remote-rollouts";
import { sampleGroups } from "../../lib/train/rl-rollouts";
import { trainRl } from "../../lib/train/rl";
import type { RlLog } from "../../lib/train/rl-log";
import type { RlSettings } from "../../lib/train/settings";
import { trainSft } from "../../lib/train/sft";
import type { Workbench } from "../../lib/train/workbench";
import { chatServer } from "../helpers/chat-server";
import { relativeError, toyBench, toyRl, toySft } from "../helpers/tiny";

const images = ["a", "b", "c"];
const prompts: RlPrompt[] = ["cat", "dog"].flatMap((groundTruth) =>
  [null, ["cat", "dog"]].map((options) => ({
    anchor: "a",
    positive: "b",
    negative: "c",
    user: options ? "Options: cat, dog. Answer." : "Answer.",
    groundTruth,
    options,
    domainNames: ["cat", "dog"],
  })),
);
const settings: RlSettings = { ...toyRl, augmentation: 0, topP: 0.95 };
const folder = mkdtempSync(path.join(tmpdir(), "rollouts-"));

let bench: Workbench;
let params: Params;
let completions: Completions;
let chat: ChatServer;
let server: RolloutServer;
let remote: RemoteRollouts;

beforeAll(async () => {
  const made = await toyBench(images);
  bench = made.bench;
  const conversations = images.flatMap((image) =>
    prompts.map(({ user, groundTruth }) => ({
      image,
      turns: [{ user, assistant: `<answer> ${groundTruth}</answer>` }],
    })),
  );
  // knows how to answer, but not which
  ({ params } = await trainSft(
    made.params,
    bench,
    { ...toySft, batchSize: 12, epochs: 40, learningRate: 1e-2 },
    { conversations, seed: 0, bf16: false },
  ));
  const { config, processor } = bench;
  // the server begins with other weights than the policy's
  completions = createCompletions(
    { name: "policy", params: made.params, config, generationConfig: {}, processor },
    8,
    DEFAULT_LIMITS,
  );
  afterAll(() => disposeTree(made.params));
  chat = await startServer(completions, {
    port: 0,
    apiKey: null,
    limits: DEFAULT_LIMITS,
    loadWeights: (name) => loadWeights(folder, name, config, made.params, {}),
  });
  server = await connectRollouts({ baseUrl: chat.baseUrl, model: "policy" });
  remote = {
    server,
    publish: (policy, step) => {
      const saved = { folder: path.join(folder, `step-${step}`), isAdapter: false };
      saveModel(saved.folder, { config, params: policy, generationConfig: {}, files: {} });
      return saved;
    },
  };
});
afterAll(async () => {
  await chat.close();
  disposeTree(params);
  bench.dispose();
  rmSync(folder, { recursive: true });
});

async function train(over: Partial<RlSettings>, rollouts: RemoteRollouts | null) {
  const groups: Group[] = [];
  const { params: trained, log } = await trainRl(
    params,
    bench,
    { ...settings, ...over },
    { method: "tapo", prompts, seed: 5, bf16: false, rollouts, onStep: (_, __, of) => void groups.push(...of) },
  );
  return { trained, log, groups };
}
const tokensOf = (groups: Group[]): number[][] => groups.flatMap(({ rollouts }) => rollouts.map((one) => one.tokenIds));

describe("rollouts from a server", () => {
  it("are those sampled here: tokens, log-probs, ends; from anchor and positive", async () => {
    const pushed = { step: 0, name: await server.reload(remote.publish(params, 0)) };
    const options = { settings: { ...settings, temperature: 2, topP: 0.9 }, intra: true, seed: 3 };
    const here = await sampleGroups(params, bench, prompts, options);
    const there = await sampleGroups(params, bench, prompts, { ...options, remote: { server, pushed } });
    expect(tokensOf(there)).toEqual(tokensOf(here));
    expect(new Set(tokensOf(here).map((ids) => ids.join())).size).toBeGreaterThan(4);
    const all = (groups: Group[]) => groups.flatMap(({ rollouts }) => rollouts);
    all(there).forEach((one, i) => {
      const other = all(here)[i];
      expect([one.finished, one.source, one.text]).toEqual([other.finished, other.source, other.text]);
      one.logProbs.forEach((p, t) => expect(Math.abs(p - other.logProbs[t])).toBeLessThan(1e-4));
    });
  });

  it("train the same parameters, with importance weights of 1 and nothing stale", async () => {
    const here = await train({ steps: 2 }, null);
    const before = tf.memory().numTensors;
    const there = await train({ steps: 2 }, remote);
    expect(tokensOf(there.groups)).toEqual(tokensOf(here.groups));
    expect(relativeError(there.trained, here.trained)).toBeLessThan(1e-3);
    expect(relativeError(here.trained, params)).toBeGreaterThan(1e-2); // it has learnt
    expect(there.log.map(({ staleness }) => staleness)).toEqual([0, 0]);
    for (const { importance, importanceCapped, logProbDifference } of there.log) {
      expect(importance).toBeCloseTo(1, 4);
      expect(logProbDifference).toBeLessThan(1e-4);
      expect(importanceCapped).toBe(0);
    }
    const rates = ({ reward, length, kept, gradNorm }: RlLog) => [reward, length, kept, gradNorm];
    there.log.forEach((entry, i) =>
      rates(entry).forEach((value, k) => expect(value).toBeCloseTo(rates(here.log[i])[k]!, 3)),
    );
    expect(here.log[0]).not.toHaveProperty("staleness");
    disposeTree(there.trained);
    expect(tf.memory().numTensors).toBe(before); // the weights of the last reload are there, as before
    disposeTree(here.trained);
  });

  it("pushed less often: the log counts the steps, and the weights are no longer 1", async () => {
    const { trained, log } = await train({ steps: 3, pushEvery: 2 }, remote);
    disposeTree(trained);
    expect(log.map(({ staleness }) => staleness)).toEqual([0, 1, 0]);
    const [fresh, stale] = log.map(({ logProbDifference }) => logProbDifference!);
    expect(fresh).toBeLessThan(1e-4);
    expect(stale).toBeGreaterThan(10 * fresh);
  });

  it("an augmented image is sent to the nearest of 256 steps: the importance weights say what that changes", async () => {
    const { trained, log } = await train({ steps: 1, augmentation: 0.5 }, remote);
    disposeTree(trained);
    expect(Math.abs(log[0].importance! - 1)).toBeLessThan(0.02);
  });

  it("are asked of a server that has the model", async () => {
    const at = (baseUrl: string, model: string) => connectRollouts({ baseUrl, model });
    await expect(at(chat.baseUrl, "other")).rejects.toThrow(/model other: it serves policy; name one of these/);
    await expect(at("nowhere", "m")).rejects.toThrow(/"nowhere": no URL/);
    await expect(at("http://me:secret@127.0.0.1/v1", "m")).rejects.toThrow(/no user, password/);
  });

  it("do not repeat the key, whatever the server says", async () => {
    const apiKey = "sk-rollouts-0123456789";
    const bad = await chatServer(({ headers }) => ({ status: 400, message: `no: ${headers.authorization}` }));
    await expect(connectRollouts({ baseUrl: bad.baseUrl, model: "m", apiKey })).rejects.toThrow(
      /rollouts at .*, model m: 400 no: Bearer \[key\]/,
    );
  });

  it("are refused where other weights answer, or the prompt is read otherwise", async () => {
    await server.reload(remote.publish(params, 0));
    const options = { settings, intra: false, seed: 3 };
    const ask = (name: string) =>
      sampleGroups(params, bench, prompts, { ...options, remote: { server, pushed: { step: 0, name } } });
    await expect(ask("step-7")).rejects.toThrow(/answered with the weights "step-0", not with "step-7"/);
    const how = { ...settings, numGenerations: 1, seed: 0, promptIndex: 0, eosTokenIds: [], bannedTokenIds: [] };
    const background = "red";
    const png = await sharp({ create: { width: 16, height: 16, channels: 3, background } })
      .png()
      .toBuffer();
    const image = `data:image/png;base64,${png.toString("base64")}`;
    await expect(server.sample({ text: "Answer.", image, inputIds: [1, 2, 3] }, how)).rejects.toThrow(
      /it read a prompt of \d+ tokens, which has 3 here/,
    );
  });
});

describe("a reload", () => {
  it.each([
    ["../weights", /expected the name of a folder/],
    ["/etc", /expected the name of a folder/],
    ["..", /expected the name of a folder/],
    ["none", /there is no none in the folder of weights/],
  ])("of %j is refused", async (name, message) => {
    const reply = await fetch(`${chat.baseUrl}/reload`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ weights: name }),
    });
    expect(reply.ok).toBe(false);
    expect(await reply.text()).toMatch(message);
  });

  it("waits for what is being decoded, and goes before what waits", async () => {
    const ask = (n: number) =>
      completions.complete(
        completions.read({
          model: "policy",
          messages: [{ role: "user", content: "Describe." }],
          n,
          max_tokens: 60,
          ignore_eos: true,
          seed: 1,
        }),
        new AbortController().signal,
      ) as Promise<{ system_fingerprint: string }>;
    await server.reload(remote.publish(params, 0));
    remote.publish(params, 1);
    const first = ask(8); // all slots
    await expect.poll(() => completions.load).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const reloaded = server.reload({ folder: path.join(folder, "step-1"), isAdapter: false });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const second = ask(1);
    expect((await first).system_fingerprint).toBe("step-0");
    await reloaded;
    expect((await second).system_fingerprint).toBe("step-1");
  });
});

describe("importanceOf", () => {
  it("is the ratio of trainer and server, cut at the cap, and 1 where there is no token", () => {
    const scored = Float32Array.from([-1, -1, -3, 0]);
    const served = Float32Array.from([-1, -2, -2, 0]);
    const { weights, sum, capped, difference, tokens } = importanceOf(
      scored,
      served,
      Float32Array.from([1, 1, 1, 0]),
      2,
    );
    expect([...weights]).toEqual([1, 2, expect.closeTo(Math.exp(-1), 6) as number, 1]);
    expect([sum, capped, difference, tokens]).toEqual([expect.closeTo(3 + Math.exp(-1), 6), 1, 2, 3]);
  });
});
