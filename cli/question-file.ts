/** Questions of a file: asked of a model or an endpoint without a benchmark, which need not be on disk. */
import type { Benchmark } from "../lib/benchmark/types";
import { paperPrompts, tinyPrompts, type PromptSet } from "../lib/benchmark/prompts";
import { useBf16 } from "../lib/engine/precision";
import { modelFolder } from "../lib/experiment/model-folder";
import { runFolder } from "../lib/experiment/run";
import type { Settings } from "../lib/experiment/settings";
import type { Experiment } from "../lib/experiment/types";
import { loadConfig } from "../lib/model/checkpoint";
import { loadProcessor } from "../lib/processor/processor";
import { noImages } from "../lib/train/images";
import { createWorkbench } from "../lib/train/workbench";
import { note } from "./output";

const NONE = "questions of a file are of no benchmark";

const refuse = (): never => {
  throw new Error(NONE);
};

/** In place of a benchmark: it has nothing. */
const noBenchmark: Benchmark = {
  name: "file",
  title: "questions of a file",
  domains: [],
  fingerprint: "",
  splitSource: NONE,
  subcategories: () => [],
  images: () => [],
  question: refuse,
  kind: refuse,
  neighbours: () => null,
};

/** The prompts that the settings name. */
export const promptsOf = ({ prompts }: Pick<Settings, "prompts">): PromptSet =>
  prompts === "paper" ? paperPrompts : tinyPrompts;

/** The model of the settings, for questions of a file. @throws Error where the directory is no checkpoint */
export function openForFile(settings: Settings): Experiment {
  const model = modelFolder(settings);
  const { config, generationConfig } = loadConfig(model);
  const bf16 = useBf16(settings.precision);
  const bench = createWorkbench({ config, processor: loadProcessor(model), images: noImages, bf16 });
  return {
    settings,
    benchmark: noBenchmark,
    bf16,
    folder: runFolder(settings),
    prompts: promptsOf(settings),
    config,
    generationConfig,
    bench,
    neighbours: () => Promise.reject(new Error(NONE)),
    get base() {
      return refuse();
    },
    takeBase: refuse,
    say: note,
    close: () => bench.dispose(),
  };
}
