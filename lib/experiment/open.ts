/**
 * An open experiment: a benchmark, a base model and the settings that name both. What notebooks and command line share.
 */
import * as path from "node:path";
import { openBenchmark } from "../benchmark/open";
import { paperPrompts, tinyPrompts } from "../benchmark/prompts";
import type { Neighbours } from "../benchmark/triplets";
import type { Benchmark, Split } from "../benchmark/types";
import { useBf16 } from "../engine/precision";
import { isNative, nativeLoadError, type Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { loadConfig, loadModel } from "../model/checkpoint";
import type { ModelConfig } from "../model/config";
import { loadProcessor } from "../processor/processor";
import { normaliseName } from "../reward/listing";
import { noImages } from "../train/images";
import { createWorkbench, squareWorkbench, type Workbench } from "../train/workbench";
import { repositoryRoot } from "../util/root";
import { say } from "../util/say";
import { withoutNativeEngine } from "./estimate";
import { modelFolder } from "./model-folder";
import { checkModel, runFolder } from "./run";
import type { Settings } from "./settings";
import { openNeighbours } from "./similarity";
import type { Experiment } from "./types";

/** How weights are held: an adapter is trained beside weights as they are stored, a whole model in float32. */
export const weightsOf = ({ lora }: Pick<Settings, "lora">): "auto" | "float32" => (lora.rank > 0 ? "auto" : "float32");

/** The bench: on the squares of a benchmark that has them, else without images until a stage knows its own. */
async function openBench(settings: Settings, benchmark: Benchmark, config: ModelConfig): Promise<Workbench> {
  const processor = loadProcessor(modelFolder(settings));
  const { squares, extras } = benchmark;
  const bf16 = useBf16(settings.precision);
  if (!squares) return createWorkbench({ config, processor, images: noImages, bf16 });
  const roles = [...new Set(["fewshot", "dev", settings.eval.role] as const)];
  const ids = benchmark
    .subcategories()
    .flatMap((subcategory) => roles.flatMap((role) => benchmark.images(role, subcategory).map(({ id }) => id)));
  const replayed = extras?.knowledge.filter((known) => known.evaluated) ?? [];
  const paths = [...ids, ...replayed.flatMap(({ drawings }) => drawings.map((drawing) => drawing.path))];
  return squareWorkbench({ config, processor, paths, imageSize: squares.size, loadImage: squares.load, bf16 });
}

/** The benchmark that the settings name, without a model. */
export function benchmarkOf(settings: Settings): Promise<Benchmark> {
  return openBenchmark({
    benchmark: settings.benchmark,
    sets: path.resolve(repositoryRoot(), settings.sets),
    shots: settings.shots,
    seed: settings.seed,
    onBadRow: settings.onBadRow,
  });
}

/** Names that a mixture has on both sides of the split: each set has its own. */
export function namesOnBothSides(benchmark: Benchmark): string[] {
  if (!benchmark.parts) return [];
  const names = (split: Split): string[] =>
    benchmark.subcategories({ split }).map(({ name }) => normaliseName(name).toLowerCase());
  const unseen = new Set(names("unseen"));
  return [...new Set(names("seen"))].filter((name) => unseen.has(name));
}

/** Opens what the settings name. @throws Error naming what is missing or does not fit, and what to do */
export async function openExperiment(
  settings: Settings,
  options: { say?: Experiment["say"] } = {},
): Promise<Experiment> {
  const model = modelFolder(settings);
  checkModel(settings);
  if (!isNative && settings.scale !== "smoke") throw new Error(withoutNativeEngine(settings, nativeLoadError() ?? ""));
  const benchmark = await benchmarkOf(settings);
  const onBothSides = namesOnBothSides(benchmark);
  if (onBothSides.length > 0)
    (options.say ?? say)(
      `${onBothSides.length} names are seen in one set and unseen in another, such as ${JSON.stringify(onBothSides[0])}: where images are the same too, unseen accuracy means nothing`,
    );
  const { config, generationConfig } = loadConfig(model);
  const bench = await openBench(settings, benchmark, config);
  return experimentOf({ settings, benchmark, config, generationConfig, bench, say: options.say ?? say });
}

type Parts = Pick<Experiment, "settings" | "benchmark" | "config" | "generationConfig" | "bench" | "say">;

function experimentOf(parts: Parts): Experiment {
  const { settings, bench } = parts;
  let base: Params | null = null;
  let neighbours: Promise<Neighbours> | null = null;
  const load = (): Params => loadModel(modelFolder(settings), { dtype: weightsOf(settings) }).params;
  const experiment: Experiment = {
    ...parts,
    bf16: useBf16(settings.precision),
    folder: runFolder(settings),
    prompts: settings.prompts === "paper" ? paperPrompts : tinyPrompts,
    neighbours: () => (neighbours ??= openNeighbours(experiment)),
    get base() {
      return (base ??= load());
    },
    takeBase: () => {
      const taken = base ?? load();
      base = null;
      return taken;
    },
    close: () => {
      if (base) disposeTree(base);
      base = null;
      bench.dispose();
    },
  };
  return experiment;
}

/**
 * The same experiment under other settings, in a folder of its own: benchmark, bench and model are shared. Spreading an
 * experiment would copy its base; this does not.
 */
export function variantOf(
  experiment: Experiment,
  change: { settings: Settings; folder: string; sources?: readonly string[]; label?: string },
): Experiment {
  const derived: Experiment = Object.create(experiment, {
    settings: { value: change.settings, enumerable: true },
    folder: { value: change.folder, enumerable: true },
    sources: { value: change.sources, enumerable: true },
    label: { value: change.label, enumerable: true },
  }) as Experiment;
  return derived;
}
