/** vLLM serves the tiny base and an adapter trained here; the same questions are asked of it and of `serve`. */
import { existsSync, rmSync } from "node:fs";
import * as path from "node:path";
import { disposeTree } from "../../lib/engine/tree";
import type { Params } from "../../lib/engine/tensorflow";
import type { PredictionRow } from "../../lib/eval/rows";
import { askedQuestions } from "../../lib/experiment/evaluate-any";
import { modelFolder } from "../../lib/experiment/model-folder";
import { resultFolder } from "../../lib/experiment/models";
import { sftModel } from "../../lib/experiment/sft";
import type { Experiment } from "../../lib/experiment/types";
import { loadAdapter } from "../../lib/model/adapter";
import { imageDataUri } from "../../lib/processor/image-uri";
import type { ChatMessage } from "../../lib/rollout/chat-endpoint";
import { createCompletions } from "../../lib/serve/completions";
import { DEFAULT_LIMITS } from "../../lib/serve/limits";
import { startServer } from "../../lib/serve/server";
import { readJsonl, readJsonObject } from "../../lib/util/files";
import { root } from "../environment";
import { compareAnswers, greedyAnswer, type GreedyAnswer } from "./answers";
import { runCommand, scratch } from "./python";
import type { Served } from "./report";
import { saveUntied } from "./untied";
import { adapterRuns, wholeRuns, type RolloutRun } from "./vllm-rollouts";
import { startVllm } from "./vllm-server";

type Messages = readonly ChatMessage[];

/** What is asked: as `evaluate --setting closed` asks it. */
async function messagesOf(experiment: Experiment): Promise<Messages[]> {
  const { questions } = await askedQuestions(experiment, { setting: "closed" });
  return Promise.all(
    questions.map(async ({ question, options, image }): Promise<Messages> => {
      const url = await imageDataUri(image!);
      const text = experiment.prompts.reason(question, options);
      return [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url } },
            { type: "text", text },
          ],
        },
      ];
    }),
  );
}

/** Asks one after another. */
async function answersOf(asked: readonly Messages[], ask: (one: Messages) => Promise<GreedyAnswer>) {
  const answers: GreedyAnswer[] = [];
  for (const one of asked) answers.push(await ask(one));
  return answers;
}

/** The answers of `serve`, in this process. */
async function ownAnswers(experiment: Experiment, params: Params, asked: readonly Messages[]): Promise<GreedyAnswer[]> {
  const { config, generationConfig, bench, settings } = experiment;
  const served = { name: "own", params, config, generationConfig, processor: bench.processor };
  const completions = createCompletions(served, 4, DEFAULT_LIMITS);
  const server = await startServer(completions, { port: 0, apiKey: null, limits: DEFAULT_LIMITS });
  try {
    return await answersOf(asked, (one) => greedyAnswer(server.baseUrl, "own", one, settings.eval.maxNewTokens));
  } finally {
    await server.close();
  }
}

/** `evaluate --endpoint` beside `evaluate --adapter`: how many of the predictions are the same text. */
function evaluated(baseUrl: string, adapter: string, { eval: { role, limit } }: Experiment["settings"]) {
  const shared = ["--setting", "closed", "--scale", "smoke", "--prompts", "tiny", "--role", role, "--restart"];
  const run = (name: string, who: readonly string[]): Map<string, string> => {
    const out = path.join(scratch, `${name}.jsonl`);
    runCommand(name, ["evaluate", ...shared, "--limit", String(limit), "--out", out, ...who]);
    return new Map(readJsonl<PredictionRow>(out).map(({ image_path, output }) => [image_path, output]));
  };
  const theirs = run("vllm-evaluate", ["--endpoint", baseUrl, "--model-name", "policy"]);
  const here = run("vllm-evaluate-here", ["--adapter", adapter]);
  const same = [...here].filter(([image, output]) => theirs.get(image) === output).length;
  return { questions: here.size, same };
}

/** `cot` with vLLM as its teacher, from nothing. */
function taught(baseUrl: string): Served["cot"] {
  const run = "interop-vllm-cot";
  const folder = path.join(root, "data/runs", run);
  rmSync(folder, { recursive: true, force: true });
  const card = path.join(folder, "cot/data-card.json");
  try {
    runCommand("vllm-cot", ["cot", "--scale", "smoke", "--run", run, "--teacher", baseUrl, "--model-name", "base"]);
  } catch (error) {
    if (!existsSync(card)) throw error; // no record kept is an error too, and its card is there
  }
  const sets = Object.values(
    readJsonObject(card).sets as Record<string, Record<"images" | "samples" | "records", number>>,
  );
  const sum = (name: "images" | "samples" | "records"): number => sets.reduce((n, one) => n + one[name], 0);
  return { images: sum("images"), rationales: sum("samples"), records: sum("records") };
}

/**
 * Rollouts with whole models: vLLM's CPU backend keeps a packed copy of an output layer that is the embeddings', which
 * a reload leaves as it was, so that the checkpoint is one with a layer of its own.
 */
async function wholeModels(python: string, base: string): Promise<RolloutRun[]> {
  const model = path.join(scratch, "untied");
  saveUntied(base, model);
  const vllm = await startVllm(python, { model });
  try {
    return wholeRuns(vllm.baseUrl, model);
  } finally {
    await vllm.stop();
  }
}

/** The whole comparison. */
export async function compareVllm(
  experiment: Experiment,
  python: string,
): Promise<Pick<Served, "models" | "evaluate" | "cot" | "rollouts">> {
  const trained = await sftModel(experiment, "sft");
  disposeTree(trained.params);
  const { base, config, settings } = experiment;
  const adapter = resultFolder(experiment, "sft");
  const asked = await messagesOf(experiment);
  const policy = loadAdapter(adapter, config).params;
  const own = {
    base: await ownAnswers(experiment, base, asked),
    policy: await ownAnswers(experiment, { ...base, ...policy }, asked),
  };
  disposeTree(policy);
  const vllm = await startVllm(python, { model: path.resolve(modelFolder(settings)), adapter });
  try {
    const compared = async (name: "base" | "policy") => {
      const ask = (one: Messages) => greedyAnswer(vllm.baseUrl, name, one, settings.eval.maxNewTokens);
      return compareAnswers(await answersOf(asked, ask), own[name]);
    };
    const changed = own.policy.filter(({ tokenIds }, i) => tokenIds.join() !== own.base[i].tokenIds.join()).length;
    return {
      models: [
        { model: "the tiny base", ...(await compared("base")) },
        {
          model: `an adapter of rank ${settings.lora.rank}, which changes ${changed} of the answers`,
          ...(await compared("policy")),
        },
      ],
      evaluate: evaluated(vllm.baseUrl, adapter, settings),
      cot: taught(vllm.baseUrl),
      rollouts: [...adapterRuns(vllm.baseUrl), ...(await wholeModels(python, modelFolder(settings)))],
    };
  } finally {
    await vllm.stop();
  }
}
