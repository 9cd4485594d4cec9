/**
 * What both stages share when they train a checkpoint directory on files: any Qwen2.5-VL, photographs of any size, the whole
 * model or an adapter. Above the loops of `lib/train`, beside `lib/experiment.ts`, which does the same for the shipped drawings.
 */
import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import * as path from "node:path";
import { loraConfig } from "./adapters";
import { paperPrompts, tinyPrompts, type PromptSet } from "../benchmark/prompts";
import { foldIn } from "../util/random";
import { useBf16 } from "../engine/precision";
import type { Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { loadAdapter, saveAdapter } from "../model/adapter";
import { loadModel, saveModel } from "../model/checkpoint";
import type { ModelConfig } from "../model/config";
import type { GenerationConfig } from "../model/generation-config";
import { hasLoraDropout, initLora, splitAdapter, withoutLoraDropout } from "../model/lora";
import type { LoraConfig } from "../model/lora-config";
import type { Grid } from "../model/vision-plan";
import type { PixelLimits } from "../processor/image-processor";
import { imageGrid } from "../processor/image-size";
import { loadProcessor, processorFiles, type Processor } from "../processor/processor";
import { writeManifest } from "./manifest";
import { withScalarLog } from "../report/scalar-log";
import { fingerprint, hashTree } from "../util/hash";
import { provenance } from "./run";
import { writeJsonl } from "../util/files";
import type { Settings } from "./settings";
import { photographs, type RunImages } from "../train/images";
import type { Checkpointing } from "../train/training-state";
import { createWorkbench, type Workbench } from "../train/workbench";

/** A training of a checkpoint directory. */
export interface Job {
  settings: Settings;
  /** Directory of the model. */
  model: string;
  /** PEFT's directory of an adapter for it; training goes on with that adapter. */
  adapter?: string;
  /** The result's folder: `model` or `adapter`, `log.jsonl`, `manifest.json`, `tensorboard`, and `checkpoint` while it runs. */
  out: string;
  /** Steps after which the run is saved as it is; 0 for never. */
  saveSteps: number;
  /** Storage of a whole model's weights. */
  dtype?: "F32" | "BF16";
  /** Called with the largest image's sizes before the model is loaded; throws where the job would not fit. */
  plan?: (largest: ImageSizes) => void;
  onStep?: (step: number, total: number, note: string) => void | Promise<void>;
}

/** Of one image. */
export interface ImageSizes {
  imageTokens: number;
  imagePatches: number;
}

/** Images by the names that records give them: a file, or its bytes. */
export type ImageSources = ReadonlyMap<string, string | Uint8Array>;

/** The limits of a stage's settings; the checkpoint's own where they are 0. */
export const limitsOf = ({ minPixels, maxPixels }: { minPixels: number; maxPixels: number }): PixelLimits => ({
  ...(minPixels > 0 ? { minPixels } : {}),
  ...(maxPixels > 0 ? { maxPixels } : {}),
});

/** Photographs as the images of a run, and the sizes of the largest. @throws Error naming the first that is none */
export async function openImages(
  processor: Processor,
  sources: ImageSources,
  limits: PixelLimits,
): Promise<{ images: RunImages; largest: ImageSizes }> {
  const grids = new Map<string, Grid>();
  for (const [name, source] of sources) {
    try {
      grids.set(name, await imageGrid(processor.imageConfig, source, limits));
    } catch (error) {
      throw new Error(`${name}: can't be read as an image (${(error as Error).message.split("\n")[0]})`);
    }
  }
  const imagePatches = [...grids.values()].reduce((most, [t, h, w]) => Math.max(most, t * h * w), 0);
  return {
    images: photographs(grids, (name) => processor.image(sources.get(name)!, limits)),
    largest: { imagePatches, imageTokens: imagePatches / processor.imageConfig.mergeSize ** 2 },
  };
}

/** An open job: `params` are to be trained, an adapter among them where one is. */
export interface OpenJob {
  config: ModelConfig;
  generationConfig: GenerationConfig;
  bench: Workbench;
  params: Params;
  /** The adapter's configuration; null where the whole model is trained. */
  lora: LoraConfig | null;
  prompts: PromptSet;
  bf16: boolean;
}

/** Loads the model, and the adapter given or a fresh one where `lora.rank` asks for it. The caller disposes bench and parameters. */
export async function openJob(
  { settings, model, adapter, plan }: Job,
  sources: ImageSources,
  limits: PixelLimits,
): Promise<OpenJob> {
  const processor = loadProcessor(model);
  const { images, largest } = await openImages(processor, sources, limits);
  plan?.(largest);
  const bf16 = useBf16(settings.precision);
  const { config, params: base, generationConfig } = loadModel(model);
  try {
    const loaded = adapter === undefined ? null : loadAdapter(adapter, config);
    const lora = loaded?.lora ?? loraConfig({ lora: settings.lora, model });
    const own = loaded?.params ?? (lora ? initLora(config, lora, foldIn(settings.seed, "lora")) : {});
    return {
      config,
      generationConfig,
      bench: createWorkbench({ config, processor, images, bf16 }),
      params: { ...base, ...own },
      lora,
      prompts: settings.prompts === "paper" ? paperPrompts : tinyPrompts,
      bf16,
    };
  } catch (error) {
    disposeTree(base);
    throw error;
  }
}

/** An adapter without its dropout, under which log-probs would be of no policy. The caller's tensors, but those of the dropout, which are disposed. */
export function withoutDropout(params: Params): Params {
  if (!hasLoraDropout(params)) return params;
  const kept = withoutLoraDropout(params);
  disposeTree(
    Object.entries(params)
      .filter(([name]) => !(name in kept))
      .map(([, tensor]) => tensor),
  );
  return kept;
}

/** Hash of all that a run depends on. @param data what it is trained on */
function identityOf({ settings, model, adapter }: Job, stage: string, data: unknown): string {
  const code = [provenance(settings).code, hashTree(["lib/experiment"])];
  const { run: _, ...chosen } = settings;
  return createHash("sha256")
    .update(
      JSON.stringify({
        stage,
        code,
        chosen,
        bf16: useBf16(settings.precision),
        model: fingerprint(model),
        adapter: adapter === undefined ? null : fingerprint(adapter),
        data,
      }),
    )
    .digest("hex");
}

/** What a finished job left. */
export interface Finished<Log> {
  /** Directory of the model, or of the adapter. */
  result: string;
  log: Log[];
  identity: string;
}

/**
 * Runs `train` and saves what it made; a folder that holds the same job's result is refused, one with its checkpoint goes on.
 * @param data what the job is trained on, for its hash
 * @param card the model card, from the hash
 * @throws Error where `out` holds a result, or the checkpoint of another job
 */
export async function runJob<Log extends { step: number }>(
  job: Job,
  stage: string,
  data: unknown,
  open: () => Promise<OpenJob>,
  card: (identity: string, parameters: number, steps: number) => string,
  train: (
    opened: OpenJob,
    checkpointing: Checkpointing | undefined,
    write: (log: Log) => void,
  ) => Promise<{ params: Params; log: Log[] }>,
): Promise<Finished<Log>> {
  const { settings, out, saveSteps } = job;
  const place = (name: string): string => path.join(out, name);
  const there = ["model", "adapter"].map(place).find(existsSync);
  if (there !== undefined) throw new Error(`${there}: is there already; remove it, or train to another folder`);
  const identity = identityOf(job, stage, data);
  const opened = await open();
  const checkpointing = saveSteps > 0 ? { folder: place("checkpoint"), everySteps: saveSteps, identity } : undefined;
  let params: Params | null = null;
  try {
    const result = await withScalarLog<Log, { params: Params; log: Log[] }>(
      { folder: out, stage, run: path.basename(path.resolve(out)), name: stage, config: { ...settings } },
      (write) => train(opened, checkpointing, write),
    );
    params = result.params;
    const target = place(opened.lora ? "adapter" : "model");
    if (opened.lora)
      saveAdapter(target, { config: opened.config, lora: opened.lora, params: splitAdapter(params).adapter });
    else
      saveModel(target, {
        config: opened.config,
        params,
        generationConfig: opened.generationConfig,
        dtype: job.dtype,
        files: {
          ...processorFiles(job.model),
          "README.md": card(
            identity,
            Object.values(params).reduce((n, { size }) => n + size, 0),
            result.log.length,
          ),
        },
      });
    if (checkpointing) rmSync(checkpointing.folder, { recursive: true, force: true });
    writeJsonl(place("log.jsonl"), result.log);
    writeManifest(out, { ...settings, model: job.model }, { stage, adapter: job.adapter ?? null, identity });
    return { result: target, log: result.log, identity };
  } finally {
    if (params) disposeTree(params);
    opened.bench.dispose();
  }
}
