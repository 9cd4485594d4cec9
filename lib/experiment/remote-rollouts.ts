/** Stage 2 with rollouts elsewhere: which server, and the folder through which it gets the policies. */
import { existsSync, rmSync } from "node:fs";
import * as path from "node:path";
import { saveAdapter } from "../model/adapter";
import { saveModel } from "../model/checkpoint";
import { splitAdapter } from "../model/lora";
import { processorFiles } from "../processor/processor";
import { connectRollouts } from "../rollout/rollout-server";
import type { RlMethod } from "../train/methods";
import type { RemoteRollouts } from "../train/remote-rollouts";
import { repositoryRoot } from "../util/root";
import { modelFolder } from "./model-folder";
import { loraConfig } from "./models";
import type { Experiment } from "./types";

/**
 * The server that `rl.rollouts` names, once it has answered; null for local ones. Its key is `OPENAI_API_KEY`.
 * @throws Error where there is no folder of weights, or as `connectRollouts`
 */
export async function remoteRollouts(
  experiment: Experiment,
  method: RlMethod,
  signal?: AbortSignal,
): Promise<RemoteRollouts | null> {
  const { settings, config, generationConfig } = experiment;
  const { rollouts, rolloutModel, rolloutWeights } = settings.rl;
  if (rollouts === "local") return null;
  const folder = path.resolve(repositoryRoot(), rolloutWeights);
  if (!existsSync(folder))
    throw new Error(
      `${folder}: there is no such folder (rl.rolloutWeights); make it; fine-r1 serve is started with --weights ${folder}`,
    );
  const server = await connectRollouts({
    baseUrl: rollouts,
    model: rolloutModel,
    apiKey: process.env.OPENAI_API_KEY,
    signal,
  });
  const lora = loraConfig(settings);
  let before: string | null = null;
  return {
    server,
    publish: (params, step) => {
      const name = `${settings.run}-${method}-step-${step}`;
      const whole = path.join(folder, name);
      if (lora) saveAdapter(whole, { config, lora, params: splitAdapter(params).adapter });
      else saveModel(whole, { config, params, generationConfig, files: processorFiles(modelFolder(settings)) });
      if (before !== null && before !== whole) rmSync(before, { recursive: true, force: true });
      before = whole;
      return { folder: whole, isAdapter: lora !== null };
    },
  };
}
