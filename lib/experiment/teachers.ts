/** Who is asked for rationales: the base model itself, or an endpoint over OpenAI's protocol. */
import { statSync } from "node:fs";
import * as path from "node:path";
import { tinyPrompts } from "../benchmark/prompts";
import { parseDescription } from "../cot/offline-teacher";
import { parseRationale, withName } from "../cot/rationale";
import { instructions, type Teacher, type TeacherLanguage } from "../cot/teacher";
import type { TeacherUsage } from "../cot/teacher-card";
import { imageDataUri } from "../processor/image-uri";
import { createChatEndpoint } from "../rollout/chat-endpoint";
import { hashOf, requestCache } from "../rollout/request-cache";
import { createTextGenerator } from "../rollout/text-generator";
import { throwIfAborted } from "../util/abort";
import { fingerprint } from "../util/hash";
import { codeHash } from "./identity";
import { limitsOf } from "./images";
import type { Experiment } from "./types";
import { modelFolder } from "./model-folder";
import type { Watch } from "./stage";

/** A teacher that is open. */
export interface OpenTeacher {
  teacher: Teacher;
  language: TeacherLanguage;
  /** Images under way at once. */
  atOnce: number;
  /** What was sent and paid for; null where nothing is. */
  usage(): TeacherUsage | null;
  close(): void;
}

/** The shipped base understands its own few words only. */
const tinyLanguage: TeacherLanguage = {
  describe: () => "Describe.",
  rationale: (question, _concepts, candidates) => tinyPrompts.reason(question, candidates),
  concepts: parseDescription,
  isWellFormed: (rationale) => parseRationale(rationale) !== null,
  withName,
};

/** LLaMA-Factory's limit in the release's SFT: 768 x 768. */
const ENDPOINT_PIXELS = 589_824;
/** Requests to an endpoint under way at once. */
const CONCURRENCY = 4;

function byEndpoint({ settings, folder, say }: Experiment, { signal }: Watch): OpenTeacher {
  const endpoint = createChatEndpoint({
    baseUrl: settings.teacher,
    model: settings.teacherModel,
    apiKey: process.env.OPENAI_API_KEY,
    concurrency: CONCURRENCY,
    cache: requestCache(path.join(folder, "cot", "cache")),
    onRetry: (attempt, waitMs, reason) =>
      say(`teacher: again in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt} failed: ${reason})`),
  });
  const maxPixels = settings.sft.maxPixels > 0 ? settings.sft.maxPixels : ENDPOINT_PIXELS;
  return {
    language: instructions,
    atOnce: CONCURRENCY,
    usage: () => endpoint.usage,
    close: () => undefined,
    teacher: async ({ file, text, ...request }) => {
      throwIfAborted(signal);
      const url = await imageDataUri(file, maxPixels);
      const content = [
        { type: "image_url" as const, image_url: { url } },
        { type: "text" as const, text },
      ];
      return endpoint.ask({ ...request, messages: [{ role: "user", content }] }, signal);
    },
  };
}

function bySelf(experiment: Experiment, { signal }: Watch): OpenTeacher {
  const { settings, config, generationConfig, bench, folder, bf16 } = experiment;
  const { processor } = bench;
  const generator = createTextGenerator(config, processor, generationConfig, { bf16 });
  const cache = requestCache(path.join(folder, "cot", "cache"));
  const model = fingerprint(modelFolder(settings));
  const limits = limitsOf(settings.sft);
  return {
    language: settings.prompts === "tiny" ? tinyLanguage : instructions,
    atOnce: 1,
    usage: () => null,
    close: () => undefined,
    teacher: async ({ file, text, n, maxTokens, temperature, seed }) => {
      throwIfAborted(signal);
      const request = {
        model,
        code: codeHash(),
        bf16,
        limits,
        file,
        size: statSync(file).size,
        text,
        n,
        maxTokens,
        temperature,
        seed,
      };
      const key = hashOf(request);
      const known = cache.get(key) as { text: string; finished: boolean }[] | null;
      if (known) return known;
      const content = [
        { type: "image" as const, image: file },
        { type: "text" as const, text },
      ];
      const prompt = await processor.prompt([{ role: "user", content }], limits);
      const answers = generator
        .generateFromPrompts(
          experiment.base,
          Array.from({ length: n }, () => prompt),
          { maxNewTokens: maxTokens, temperature, seed },
        )
        .map(({ text: answer, finished }) => ({ text: answer, finished }));
      cache.set(key, answers);
      return answers;
    },
  };
}

/** The teacher of an experiment. @throws Error where the URL is none */
export function openTeacher(experiment: Experiment, watch: Watch): OpenTeacher {
  return experiment.settings.teacher === "self" ? bySelf(experiment, watch) : byEndpoint(experiment, watch);
}
