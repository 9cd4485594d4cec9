/** What `npm run interop` makes of vLLM's answers: the parts that need no vLLM. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { compareAnswers, faultOf, greedyAnswer, type GreedyAnswer } from "../../tools/interop/answers";
import { rolloutFault } from "../../tools/interop/vllm-rollouts";
import { merged, page, reportFile, type Found, type Interop } from "../../tools/interop/report";
import { root } from "../../tools/environment";
import { chatServer } from "../helpers/chat-server";

const answer = (tokenIds: number[], logProbs: number[], leads = logProbs.map(() => 1)): GreedyAnswer => ({
  promptTokenIds: [1, 2],
  tokenIds,
  logProbs,
  leads,
});

describe("answers of two servers", () => {
  it("are the same, and log-probs are compared on every token", () => {
    const here = [answer([5, 6], [-1, -2]), answer([7], [-0.5])];
    const theirs = [answer([5, 6], [-1, -2.25]), answer([7], [-0.375])];
    expect(compareAnswers(theirs, here)).toEqual({ questions: 2, same: 2, tokens: 3, logProb: 0.25, parted: [] });
  });

  it("part at the first token that differs, or where one ends: nothing behind it is compared", () => {
    const here = [answer([5, 6, 7], [-1, -2, -3], [1, 0.125, 1]), answer([5, 6], [-1, -2], [1, 0.5])];
    const theirs = [answer([5, 8, 7], [-1, -9, -9]), answer([5, 6, 7], [-1, -2, -3])];
    expect(compareAnswers(theirs, here)).toEqual({
      questions: 2,
      same: 0,
      tokens: 3,
      logProb: 0,
      parted: [
        { question: 0, token: 1, lead: 0.125 },
        { question: 1, token: 2, lead: 0.5 },
      ],
    });
  });

  it("of other prompts, or of another number, are not compared", () => {
    const other = { ...answer([5], [-1]), promptTokenIds: [1, 3] };
    expect(() => compareAnswers([other], [answer([5], [-1])])).toThrow(/question 0: a prompt of 2 tokens there/);
    expect(() => compareAnswers([], [answer([5], [-1])])).toThrow(/0 answers there, 1 here/);
  });

  it("are at fault where a log-prob is off, a clear choice differs, or nothing was compared", () => {
    const sound = { questions: 1, same: 0, tokens: 9, logProb: 1e-5, parted: [{ question: 0, token: 9, lead: 1e-3 }] };
    expect(faultOf(sound, 1e-3)).toBeNull();
    expect(faultOf({ ...sound, logProb: 2e-3 }, 1e-3)).toMatch(/log-prob differs by 0.002/);
    expect(faultOf({ ...sound, logProb: NaN }, 1e-3)).toMatch(/log-prob differs by NaN/);
    expect(faultOf({ ...sound, parted: [{ question: 3, token: 4, lead: 0.5 }] }, 1e-3)).toMatch(/question 3 parts at/);
    expect(faultOf({ ...sound, tokens: 0 }, 1e-3)).toMatch(/no token/);
  });
});

describe("a greedy answer", () => {
  const choice = {
    index: 0,
    finish_reason: "stop",
    message: { role: "assistant", content: "ab" },
    token_ids: [5, 6],
    logprobs: {
      content: [
        { token: "a", logprob: -0.25, top_logprobs: [{ logprob: -0.25 }, { logprob: -1.5 }] },
        { token: "b", logprob: -0.5, top_logprobs: [{ logprob: -0.5 }, { logprob: -1 }] },
      ],
    },
  };

  const reply = (token_ids: number[]) => ({
    raw: JSON.stringify({ prompt_token_ids: [1, 2], choices: [{ ...choice, token_ids }] }),
  });

  it("is asked for with log-probs and read with how far each token leads", async () => {
    const server = await chatServer(() => reply([5, 6]));
    const messages = [{ role: "user" as const, content: "Which?" }];
    expect(await greedyAnswer(server.baseUrl, "m", messages, 4)).toEqual({
      promptTokenIds: [1, 2],
      tokenIds: [5, 6],
      logProbs: [-0.25, -0.5],
      leads: [1.25, 0.5],
    });
    expect(server.requests[0].body).toEqual({
      model: "m",
      messages,
      max_tokens: 4,
      temperature: 0,
      logprobs: true,
      top_logprobs: 2,
      return_token_ids: true,
    });
  });

  it("is refused where a token has no id or log-prob", async () => {
    const server = await chatServer(() => reply([5]));
    await expect(greedyAnswer(server.baseUrl, "m", [], 4)).rejects.toThrow(/no id and log-prob for each token/);
  });
});

describe("rollouts", () => {
  const fresh = { what: "fresh", steps: 3, tokens: 9, staleness: 0, first: 1e-6, last: 1e-6 };
  const stale = { ...fresh, what: "stale", staleness: 2, last: 0.1 };

  it("are at fault where a pushed policy is another there, or an older one cannot be told from it", () => {
    expect(rolloutFault([fresh, stale], 1e-3)).toBeNull();
    expect(rolloutFault([{ ...fresh, first: 0.01 }], 1e-3)).toBe("fresh: log-probs differ by 0.01 in the first step");
    expect(rolloutFault([{ ...stale, first: NaN }], 1e-3)).toBe("stale: log-probs differ by NaN in the first step");
    expect(rolloutFault([{ ...fresh, last: 0.01 }], 1e-3)).toBe("fresh: log-probs differ by 0.01 in the last step");
    expect(rolloutFault([{ ...stale, last: 1e-6 }], 1e-3)).toMatch(/stale: log-probs of an older policy differ by/);
    expect(rolloutFault([{ ...fresh, tokens: 0 }], 1e-3)).toBe("fresh: no token was sampled");
  });
});

describe("the report", () => {
  const none: Found = { trainings: [], served: [], notRun: [] };
  const reason = (engine: string, why: string) => ({ engine, reason: why });

  it("keeps other engines' results where one is run again", () => {
    const before = { ...none, notRun: [reason("EasyR1", "a"), reason("vLLM", "b")] };
    expect(merged(before, { ...none, notRun: [reason("vLLM", "c")] }, "vLLM").notRun).toEqual([
      reason("vLLM", "c"),
      reason("EasyR1", "a"),
    ]);
    expect(merged(before, none, "vLLM").notRun).toEqual([reason("EasyR1", "a")]);
  });

  const report = JSON.parse(readFileSync(reportFile, "utf8")) as Interop;

  it("has vLLM's answers to a base and an adapter: those of serve, log-probs within the tolerance", () => {
    const [{ models, evaluate, cot, rollouts }] = report.served;
    expect(models).toHaveLength(2);
    for (const model of models) {
      expect(model.questions).toBe(96);
      expect(faultOf(model, report.tolerance)).toBeNull();
      expect(model.same + model.parted.length).toBe(96);
    }
    expect(evaluate.questions).toBe(96);
    expect(cot.images).toBeGreaterThan(0);
    expect(rollouts.map(({ staleness }) => staleness)).toEqual([0, 2, 0]);
    expect(rolloutFault(rollouts, report.tolerance)).toBeNull();
  });

  it("shows where answers part", () => {
    const [served] = report.served;
    const [model] = served.models;
    const parted = { ...model, same: 95, parted: [{ question: 6, token: 4, lead: 0.0005 }] };
    expect(page({ ...report, served: [{ ...served, models: [parted] }] })).toContain(
      `- ${model.model}: question 7 at token 5, which was ahead of the next by 5.0e-4`,
    );
  });
});

describe("npm run interop", () => {
  it("refuses a part that it does not know", async () => {
    const child = spawn(process.execPath, ["--import", "tsx", path.join(root, "tools/interop/run.ts"), "sglang"]);
    let said = "";
    child.stderr.on("data", (piece: Buffer) => void (said += piece.toString()));
    const code = await new Promise((resolve) => child.once("close", resolve));
    expect([code, said.trim()]).toEqual([1, "interop: sglang: expected some of trl, llamafactory, swift, vllm"]);
  }, 60_000);
});
