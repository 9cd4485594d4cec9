/** Where a run's trained models are: a whole model, or an adapter in PEFT's form beside the base. */
import { existsSync, rmSync } from "node:fs";
import * as path from "node:path";
import type { Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { loadAdapter, saveAdapter } from "../model/adapter";
import { loadModel, saveModel } from "../model/checkpoint";
import { initLora, mergeLora, splitAdapter } from "../model/lora";
import { LORA_DEFAULTS, type LoraConfig } from "../model/lora-config";
import { parameterCounts } from "../model/memory-plan";
import { processorFiles } from "../processor/processor";
import { scalarsOf, withScalarLog } from "../report/scalar-log";
import type { Checkpointing } from "../train/training-state";
import { readJsonl, writeJsonl, writeText } from "../util/files";
import { foldIn } from "../util/random";
import { assertRoom, diskPlan, type DiskPlan, type Saving } from "./disk";
import { modelCard } from "./model-card";
import { modelFolder, TRAINED_FILE } from "./model-folder";
import type { Settings } from "./settings";
import { runStage, type Stage, type Watch } from "./stage";
import type { Experiment } from "./types";

/** What training leaves. The caller disposes the parameters. */
export interface Trained<Log> {
  params: Params;
  log: Log[];
}

/** Where a method's files are in a run's folder. */
export const placesOf = (folder: string, method: string) => ({
  model: path.join(folder, "models", method),
  adapter: path.join(folder, "adapters", method),
  log: path.join(folder, "logs", `${method}.jsonl`),
  /** Some groups of each step of Stage 2. */
  rollouts: path.join(folder, "rollouts", `${method}.jsonl`),
  /** Of a training under way; by identity, so that changed settings begin anew. */
  checkpoint: (identity: string) => path.join(folder, "checkpoints", `${method}-${identity.slice(0, 12)}`),
});

/** The adapter's configuration under a run's settings; null where the whole model is trained. */
export function loraConfig({ lora, model }: Pick<Settings, "lora" | "model">): LoraConfig | null {
  if (lora.rank === 0) return null;
  const targetModules = lora.layers === "all" ? "all-linear" : LORA_DEFAULTS.targetModules;
  return { ...LORA_DEFAULTS, rank: lora.rank, alpha: lora.alpha, targetModules, baseModel: model };
}

/** What Stage 1 trains: the base, with a fresh adapter where the settings ask for one. It is the caller's. */
export function startOfTraining(experiment: Experiment): Params {
  const lora = loraConfig(experiment.settings);
  const fresh = lora ? initLora(experiment.config, lora, foldIn(experiment.settings.seed, "lora")) : {};
  return { ...experiment.takeBase(), ...fresh };
}

/** A merged copy of a model is saved beside its adapter up to this size; above, the base and the adapter are it. */
const MERGED_BYTES = 2 ** 30;
const FLOAT = 4;

const countOf = (params: Params): number => Object.values(params).reduce((n, { size }) => n + size, 0);

/** What a training will have on the disk at most. */
function planOf({ config, settings }: Experiment, saving: Saving): DiskPlan {
  const lora = loraConfig(settings);
  const counts = parameterCounts(config, lora, saving.visionLearningRateScale > 0);
  const merged = FLOAT * (counts.model + counts.adapter);
  return diskPlan(counts, saving, lora && merged <= MERGED_BYTES ? merged : 0);
}

/** Saves a whole model, or an adapter and, of a small model, the two merged. `params` stay the caller's. */
function save(experiment: Experiment, method: string, params: Params, card: string): void {
  const { config, bench, folder, settings } = experiment;
  const places = placesOf(folder, method);
  const lora = loraConfig(settings);
  if (lora) {
    saveAdapter(places.adapter, { config, lora, params: splitAdapter(params).adapter });
    writeText(path.join(places.adapter, "README.md"), card);
  }
  if (lora && FLOAT * countOf(params) > MERGED_BYTES) return;
  const plain = lora ? mergeLora(params) : params;
  const files = {
    ...processorFiles(modelFolder(settings)),
    "README.md": card,
    [TRAINED_FILE]: `${JSON.stringify({ prompts: settings.prompts })}\n`,
  };
  const generationConfig = { ...experiment.generationConfig, eosTokenIds: bench.eosTokenIds, doSample: false };
  try {
    saveModel(places.model, { config, params: plain, generationConfig, files });
  } finally {
    if (lora) disposeTree(plain);
  }
}

/** Loads what `save` wrote: the model, or the base with the adapter beside it, so that Stage 2 goes on training it. */
function load<Log>(experiment: Experiment, folder: string, method: string): Trained<Log> {
  const places = placesOf(folder, method);
  if (!existsSync(places.log))
    throw new Error(`${places.log}: missing, though its model is there; remove ${places.model} to train it again`);
  const log = readJsonl<Log>(places.log);
  return { params: loadTrained(experiment, folder, method), log };
}

/** Parameters that `save` wrote; the caller disposes them. */
function loadTrained(experiment: Experiment, folder: string, method: string): Params {
  const places = placesOf(folder, method);
  if (!loraConfig(experiment.settings)) return loadModel(places.model).params;
  const { params } = loadAdapter(places.adapter, experiment.config);
  return { ...experiment.takeBase(), ...params };
}

/** Whose folder a method's saved model is in: the run's, or that of another run it takes results from; or undefined. */
function savedIn({ folder, sources = [], settings }: Experiment, method: string): string | undefined {
  return [folder, ...sources].find((one) => existsSync(resultFolder({ folder: one, settings }, method)));
}

/** Whether the run has saved a model of the method. */
export const hasSavedModel = (experiment: Experiment, method: string): boolean =>
  savedIn(experiment, method) !== undefined;

/**
 * Parameters of a saved model as they are, whatever code they were trained under: nothing is trained. The caller
 * disposes them.
 * @throws Error where none is saved
 */
export function savedModel(experiment: Experiment, method: string): Params {
  const folder = savedIn(experiment, method);
  if (folder === undefined)
    throw new Error(`${method}: no model in ${resultFolder(experiment, method)}; train it first (npm start)`);
  return loadTrained(experiment, folder, method);
}

/** Where what was trained is: the adapter's folder, or the model's where it was trained whole. */
export function resultFolder({ folder, settings }: Pick<Experiment, "folder" | "settings">, method: string): string {
  const places = placesOf(folder, method);
  return loraConfig(settings) ? places.adapter : places.model;
}

/** What a training is told by its stage. */
export interface TrainingContext<Log> {
  /** Where the training is saved as it goes. */
  checkpointing: Checkpointing;
  /** Says after which step a training goes on, and shows those before it. */
  onResume(log: readonly Log[], total: number): Promise<void>;
  /** Notes a logged step in the run's files, and shows it. */
  onStep(log: Log, total: number): Promise<void>;
}

/** What is trained, as its stage. */
export interface Training<Log> {
  method: string;
  settings: readonly (keyof Settings)[];
  inputs?: unknown;
  /** How it is saved as it goes, and how large what it trains is. */
  saving: Saving;
  /** Whose images it is trained on, in words, for the model card; asked when it is trained. */
  images(): string;
  watch: Watch;
  /** How a step went, in a few words. */
  note(log: Log): string;
  train(context: TrainingContext<Log>): Promise<Trained<Log>>;
}

/**
 * A method's model: loaded, or trained and saved. A training that was ended goes on from its last checkpoint, and ends
 * as it would have.
 * @throws Error as the training does
 */
export function trainedModel<Log extends { step: number }>(
  experiment: Experiment,
  training: Training<Log>,
): Promise<Trained<Log>> {
  const { settings, folder, label, benchmark } = experiment;
  const { method, watch, note } = training;
  const places = placesOf(folder, method);
  const target = loraConfig(settings) ? path.join("adapters", method) : path.join("models", method);
  const stage: Stage<Trained<Log>> = {
    name: method,
    target,
    settings: training.settings,
    inputs: training.inputs,
    load: (from) => load<Log>(experiment, from, method),
    make: async (identity, beforeSaving, checkHeld) => {
      const checkpointing = {
        folder: places.checkpoint(identity),
        everySteps: training.saving.saveSteps,
        keep: training.saving.saveTotalLimit,
        identity,
        facts: { method, settings },
        beforeWriting: checkHeld,
      };
      assertRoom(folder, planOf(experiment, training.saving));
      const name = `${label ?? method}, seed ${settings.seed}`;
      const scalars = { folder, stage: method, run: settings.run, name, config: { ...settings } };
      const result = await withScalarLog<Log, Trained<Log>>(scalars, (write) =>
        training.train({
          checkpointing,
          onResume: async (log, total) => {
            experiment.say(`${method}: goes on after step ${log.length} of ${total}`);
            await watch.onProgress?.(log.length, total, note(log[log.length - 1]));
            for (const row of log) {
              write(row); // the files of scalars begin anew with each process
              watch.onMetrics?.(row.step, scalarsOf(row));
            }
          },
          onStep: async (row, total) => {
            write(row);
            await watch.onProgress?.(row.step, total, note(row));
            watch.onMetrics?.(row.step, scalarsOf(row));
          },
        }),
      );
      const card = modelCard({
        method,
        variant: label,
        settings,
        stamp: identity,
        data: benchmark.fingerprint,
        benchmark: benchmark.title,
        parameters: countOf(result.params),
        images: training.images(),
        steps: result.log.length,
      });
      beforeSaving();
      writeJsonl(places.log, result.log);
      save(experiment, method, result.params, card);
      return result;
    },
    cleanUp: (identity) => rmSync(places.checkpoint(identity), { recursive: true, force: true }),
  };
  return runStage(experiment, stage);
}
