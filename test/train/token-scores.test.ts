import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engineStats } from "../../lib/engine/compile";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { Group, RlPrompt } from "../../lib/rollout/groups";
import { OWN_KEYS } from "../../lib/report/notebook";
import { rolloutsHtml } from "../../lib/report/show-rollouts";
import { sampleGroups } from "../../lib/train/rl-rollouts";
import { sampledScores, tokenScores, tokenTexts } from "../../lib/train/token-scores";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench, toyRl } from "../helpers/tiny";

const prompt: RlPrompt = {
  anchor: "a",
  positive: "b",
  negative: "c",
  user: "Which <b>?",
  groundTruth: "cat",
  options: null,
  domainNames: ["cat", "dog"],
};
const settings = { ...toyRl, conditionOn: "sampled" as const };
let bench: Workbench;
let params: Params;
let group: Group;

beforeAll(async () => {
  ({ bench, params } = await toyBench(["a", "b", "c"]));
  [group] = await sampleGroups(params, bench, [prompt], { settings, intra: true, seed: 3 });
});
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

describe("tokenScores", () => {
  it("gives the sampler's log-probs under a response's own image, and k3 between them and the negative's", async () => {
    const scores = await tokenScores(params, bench, group, { settings });
    expect(scores).toHaveLength(group.rollouts.length);
    scores.forEach(({ logProbs, negativeLogProbs, kl, tokens }, r) => {
      const { rollout } = { rollout: group.rollouts[r] };
      expect(tokens).toHaveLength(rollout.tokenIds.length);
      logProbs.forEach((value, i) => expect(value).toBeCloseTo(rollout.logProbs[i], 4));
      kl!.forEach((value, i) => {
        const d = negativeLogProbs![i] - logProbs[i];
        expect(value).toBeCloseTo(Math.exp(d) - 1 - d, 4);
      });
    });
    expect(Math.max(...scores.flatMap(({ kl }) => kl!))).toBeGreaterThan(0);
  });

  it("leaves no tensor, where it throws neither, and compiles nothing anew", async () => {
    await tokenScores(params, bench, group, { settings });
    const [before, traces] = [tf.memory().numTensors, engineStats().length];
    await tokenScores(params, bench, group, { settings });
    expect(tf.memory().numTensors).toBe(before);
    expect(engineStats().length).toBe(traces);
    const { "model.norm.weight": _, ...incomplete } = params;
    await expect(tokenScores(incomplete, bench, group, { settings })).rejects.toThrow();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("without a policy gives what the sampler left", () => {
    const scores = sampledScores(bench, group);
    expect(scores.map(({ logProbs }) => logProbs)).toEqual(group.rollouts.map(({ logProbs }) => logProbs));
    scores.forEach(({ tokens, kl, negativeLogProbs }, r) => {
      expect(tokens).toHaveLength(group.rollouts[r].tokenIds.length);
      expect([kl, negativeLogProbs]).toEqual([null, null]);
    });
  });

  it("gives a character of several tokens to the last of them", () => {
    const bytes = [...Buffer.from("aß b")];
    const decode = (ids: readonly number[]): string => Buffer.from(ids).toString("utf8");
    expect(tokenTexts(decode, bytes)).toEqual(["a", "", "ß", " ", "b"]);
    expect(tokenTexts(decode, bytes.slice(0, 2))).toEqual(["a", ""]); // cut off in the middle of a character
    expect(tokenTexts(decode, [])).toEqual([]);
  });
});

describe("rolloutsHtml", () => {
  const scored = {
    ...group,
    prompt,
    rollouts: [1, 0].map((accuracy) => ({
      tokenIds: [1, 2],
      logProbs: [-0.1, -2],
      text: "<think>",
      source: "anchor" as const,
      reward: { overall: accuracy, accuracy, format: accuracy },
      lists: false,
      finished: true,
    })),
    advantages: [1, -1],
  } as unknown as Group;
  const scores = [0, 1].map(() => ({
    tokens: ["<think>", "<img src=x onerror=alert(1)>"],
    logProbs: [-0.1, -2],
    negativeLogProbs: [-0.1, -4],
    kl: [0, 1.135],
  }));
  const html = rolloutsHtml(scored, scores, "v1");

  it("shows text of the model and of the data as text", () => {
    expect(html).toContain("&lt;img src=x onerror=alert(1)&gt;");
    expect(html).toContain("Which &lt;b&gt;?");
    expect(html).not.toMatch(/<img|<script|<b>\?/);
  });

  it("has for each choice a button that is labelled, the page's own rules, and nothing from elsewhere", () => {
    const inputs = [...html.matchAll(/<input type="radio" name="([\w-]+)" id="([\w-]+)"/g)];
    expect(inputs).toHaveLength(7);
    expect(html.split(OWN_KEYS)).toHaveLength(8); // each has the arrow keys for itself
    for (const [, , id] of inputs) {
      expect(html).toContain(`<label for="${id}">`);
      expect(html).toContain(`#${id}:focus-visible~`); // can be seen by who uses the keyboard
    }
    expect(html).not.toMatch(/https?:|url\(/);
  });

  it("says where a response was sampled from: the positive, or the anchor with noise in its place", () => {
    const rollouts = scored.rollouts.map((rollout) => ({ ...rollout, source: "positive" as const }));
    expect(rolloutsHtml({ ...scored, rollouts }, scores, "v2")).toContain(">from the positive · right");
    expect(rolloutsHtml({ ...scored, rollouts, noiseStep: 0 }, scores, "v2")).toContain(
      ">from the anchor with noise · right",
    );
    expect(rolloutsHtml({ ...scored, noiseStep: 9 }, scores, "v2")).toContain(">from the anchor · right");
  });

  it("says of each response whether it is right, and its numbers; colours follow them", () => {
    expect(html).toMatch(/class="r right"[^>]*><div[^>]*>from the anchor · right · reward 1\.00 · advantage \+1\.00/);
    expect(html).toMatch(
      /class="r wrong broken"[^>]*><div[^>]*>from the anchor · wrong · reward 0\.00 · advantage −1\.00/,
    );
    // advantage 1 of 2: half of the full opacity of 0.7; log-prob -0.1 of -3, KL 0
    expect(html).toContain("--a:#0072b259");
    expect(html).toContain("--a:#d55e0059");
    expect(html).toContain('style="background-color:#9452c800;--l:#d55e0006"');
    expect(html).toContain('title="log-prob -2.00; under the negative -4.00; KL 1.135"');
    expect(html).toContain("background-color:#9452c8b3"); // without style sheets: the KL
  });
});
