/** A plan: hours and price of every stage on a device, with the range that is known of each. */
import type { ModelConfig } from "../model/config";
import type { LoraConfig } from "../model/lora-config";
import type { Settings } from "../experiment/settings";
import { plannedPhases } from "../experiment/plan";
import type { Device } from "./devices";
import { exactly, mapRange, sumRanges, type Range } from "./range";
import type { EngineName, Speeds } from "./speeds";
import {
  cotStage,
  evaluationStage,
  rolloutStage,
  sftStage,
  updateStage,
  type StageWork,
  type Work,
  type Workload,
} from "./stages";
import { teacherPhase } from "./teacher";

/**
 * Seconds of work: products at the speed of products, and a cost a layer. A decoding step takes the longer of its
 * products and of reading weights and cache (the roofline: Williams et al. 2009, doi:10.1145/1498765.1498785), and a
 * cost a layer. `low` is the fewest: all speeds high.
 */
export function secondsOf(work: Work, speeds: Speeds): Range {
  const at = (bound: keyof Range): number => {
    if (work.kind === "products")
      return work.flops / speeds.products[bound] + work.layers * speeds.trainingLayer[bound];
    const step = Math.max(work.flops / speeds.decoding[bound], work.bytes / speeds.bandwidth[bound]);
    return step + work.layers * speeds.decodingLayer[bound];
  };
  return { low: at("high"), central: at("central"), high: at("low") };
}

/** What a stage takes. */
export interface StageCost extends StageWork {
  /** Hours of one device that had the memory. */
  deviceHours: Range;
  /** Hours on `devices` that share the work perfectly, which none do: at least. */
  hours: Range;
  /** USD; null where an hour has no price. */
  price: Range | null;
}

export interface PlanRequest {
  config: ModelConfig;
  teacher: ModelConfig;
  workload: Workload;
  settings: Settings;
  lora: LoraConfig | null;
  device: Device;
  speeds: Speeds;
  engine: EngineName;
  /** Devices; null for the fewest that hold it. */
  devices: number | null;
  /** USD an hour of a device in place of its default. */
  price?: number;
  /** Responses decoded together with another engine. */
  rows: number;
  /** USD a million tokens that the teacher reads and writes, where it is somebody's endpoint. */
  teacherPrice?: { read: number; written: number };
}

export interface RunPlan {
  /** Fewest devices that hold the largest phase, spread evenly and without a loss. */
  fewestDevices: number;
  devices: number;
  largestPhase: { name: string; bytes: number };
  stages: StageCost[];
  hours: Range;
  price: Range | null;
}

/** The fewest devices that hold a run's largest phase, by the memory plan; a teacher that is bought needs none. */
export function fewestDevices(request: PlanRequest): { fewest: number; largest: { name: string; bytes: number } } {
  const { config, teacher, lora, settings, workload, device, engine, rows, teacherPrice } = request;
  const pixels = workload.imageTokens * (config.vision.patchSize * config.vision.spatialMergeSize) ** 2;
  const trained = plannedPhases({ config, lora, storedBytes: 2 }, settings, {
    maxPixels: { sft: pixels, rl: pixels },
    textTokens: workload.textTokens,
  });
  const { maxTokens } = settings.cot;
  const phases = [...trained, ...(teacherPrice ? [] : [teacherPhase(teacher, workload, { engine, rows, maxTokens })])];
  const largest = phases.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  return {
    fewest: Math.ceil(largest.bytes / device.memory),
    largest: { name: largest.name, bytes: largest.bytes },
  };
}

/** The work of every stage. */
export function stagesOf(request: PlanRequest): StageWork[] {
  const { config, teacher, workload, settings, lora, engine, rows } = request;
  const { sft, rl } = settings;
  const training = {
    decoder: lora ? ("adapter" as const) : ("whole" as const),
    recompute: rl.gradientCheckpointing === "layers",
    rowsAtOnce: Math.max(1, sft.batchSize / sft.gradientAccumulationSteps),
    groupsAtOnce: Math.max(1, rl.groupsPerStep / rl.updatesPerStep / rl.gradientAccumulationSteps),
  };
  const here = engine === "here";
  const held = here && !lora ? 4 : 2; // a model that is trained whole is in float32 here
  const decoding = { rows, weightBytes: held, cacheBytes: here ? 4 : 2 };
  const prompts = rl.promptsPerCall > 0 ? rl.promptsPerCall : rl.groupsPerGeneration;
  return [
    cotStage(teacher, workload, { ...decoding, weightBytes: 2, rows: here ? null : rows }),
    sftStage(config, workload, { ...training, recompute: sft.gradientCheckpointing === "layers" }),
    rolloutStage(config, workload, here ? { ...decoding, rows: prompts * rl.numGenerations } : decoding),
    updateStage(config, workload, training),
    evaluationStage(config, workload, here ? { ...decoding, rows: settings.eval.batchSize } : decoding),
  ];
}

/** Hours and price of every stage. */
export function planRun(request: PlanRequest): RunPlan {
  const { device, speeds, teacherPrice } = request;
  const { fewest, largest } = fewestDevices(request);
  const devices = request.devices ?? fewest;
  const hourly = request.price ?? device.price;
  const stages = stagesOf(request).map((stage): StageCost => {
    const bought = stage.stage === "CoT construction" ? teacherPrice : undefined;
    if (bought) {
      const price = (stage.tokensRead * bought.read + stage.tokensWritten * bought.written) / 1e6;
      return { ...stage, deviceHours: exactly(0), hours: exactly(0), price: exactly(price) };
    }
    const seconds = sumRanges(stage.work.map((work) => secondsOf(work, speeds)));
    const deviceHours = mapRange(seconds, (one) => one / 3600);
    return {
      ...stage,
      deviceHours,
      hours: mapRange(deviceHours, (one) => one / devices),
      price: hourly === null ? null : mapRange(deviceHours, (one) => one * hourly),
    };
  });
  const prices = stages.map(({ price }) => price);
  return {
    fewestDevices: fewest,
    devices,
    largestPhase: largest,
    stages,
    hours: sumRanges(stages.map(({ hours }) => hours)),
    price: prices.some((price) => price === null) ? null : sumRanges(prices as Range[]),
  };
}
