/** `plan` with --size, --device or --subcategories: tokens, operations, hours and price of each stage. */
import * as path from "node:path";
import { loraConfig } from "../lib/experiment/models";
import { parseConfig, type ModelConfig } from "../lib/model/config";
import { parseLoraConfig, type LoraConfig } from "../lib/model/lora-config";
import {
  bigError,
  calibrateCpu,
  calibrateGpu,
  carriedErrors,
  meanError,
  planFor,
  readMeasurements,
  SIZES,
  TEACHER_PHASE,
  WORKLOAD,
  worstFactor,
  type HeldOut,
  type Measurements,
  type Range,
  type Size,
  type StageCost,
} from "../lib/plan";
import { readJson } from "../lib/util/files";
import { gib } from "../lib/util/room";
import type { PlanOptions } from "./commands/plan";
import { settingsOf } from "./experiment";
import { note, print, printJson, snakeCase } from "./output";
import { UsageError } from "./values";

const PREFIXES = ["", "k", "M", "G", "T", "P", "E", "Z"];

/** Three digits with a prefix of a thousand each: `12.3M`. */
export function short(value: number): string {
  if (value === 0) return "-";
  const power = Math.min(PREFIXES.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(value)) / 3 + 1e-9)));
  const scaled = value / 1000 ** power;
  return `${scaled >= 100 ? Math.round(scaled) : Number(scaled.toPrecision(3))}${PREFIXES[power]}`;
}

/** Two digits: more are not known. */
const two = (value: number): string => String(Number(value.toPrecision(2)));

const shown = ({ low, central, high }: Range): string =>
  low === high ? two(central) : `${two(central)} (${two(low)} to ${two(high)})`;

/** The configuration of the adapter that is given. */
export function adapterOf({ adapter }: PlanOptions): LoraConfig | null {
  if (adapter === undefined) return null;
  const file = path.join(adapter, "adapter_config.json");
  return parseLoraConfig(readJson(file), file);
}

/** A published size, or a checkpoint's configuration. */
function modelsOf({ size, model }: PlanOptions): { name: string; model: Size | ModelConfig }[] {
  if (size !== undefined)
    return size.map((name) => {
      const known = SIZES.find((one) => one === name.toUpperCase());
      if (!known) throw new UsageError(`--size: no ${JSON.stringify(name)}; expected ${SIZES.join(", ")}`);
      return { name: `Qwen2.5-VL-${known}`, model: known };
    });
  if (model === undefined) throw new UsageError("--model is missing: DIR, or --size for a published one");
  const file = path.join(model, "config.json");
  return [{ name: model, model: parseConfig(readJson(file), file) }];
}

function stageLine({
  stage,
  images,
  tokensRead,
  tokensWritten,
  tokensTrained,
  flops,
  hours,
  price,
}: StageCost): string {
  const counts = [images, tokensRead, tokensWritten, tokensTrained, flops].map((n) => short(n).padStart(8));
  const time = hours.high === 0 ? "bought" : shown(hours);
  return `  ${stage.padEnd(17)}${counts.join("")}  ${time.padEnd(26)} ${price ? shown(price) : "-"}`;
}

const HEAD = `  ${"stage".padEnd(17)}${["images", "read", "written", "trained", "FLOP"].map((one) => one.padStart(8)).join("")}  ${"hours".padEnd(26)} USD`;

/** What makes the largest phase smaller. */
const forOne = (phase: string): string =>
  phase === TEACHER_PHASE ? "a smaller --teacher-size or an endpoint (--teacher-price)" : "lora.rank";

/** A plan for each size, number of sub-categories and device. */
export function printTimes(options: PlanOptions): void {
  const measurements = readMeasurements();
  const { engine, devices, price, rows, teacherSize, teacherPrice, textTokens, responseTokens } = options;
  const settings = settingsOf({ ...options, scale: options.scale ?? "paper" });
  const report: unknown[] = [];
  for (const { name, model } of modelsOf(options))
    for (const subcategories of options.subcategories ?? [WORKLOAD.subcategories])
      for (const device of options.device ?? ["h100"]) {
        const patch = typeof model === "string" ? 28 : model.vision.patchSize * model.vision.spatialMergeSize;
        const imageTokens =
          options.maxPixels === undefined
            ? WORKLOAD.imageTokens
            : Math.max(1, Math.floor(options.maxPixels / patch ** 2));
        const plan = planFor(
          {
            model,
            device,
            engine,
            devices,
            price,
            rows,
            teacher: teacherSize,
            teacherPrice,
            settings,
            lora: adapterOf(options) ?? loraConfig(settings),
            memory: options.memory === undefined ? undefined : options.memory * 2 ** 30,
            workload: { subcategories, textTokens, responseTokens, imageTokens },
          },
          measurements,
        );
        const { stages, device: own, speeds } = plan;
        if (options.json) {
          report.push({
            model: name,
            subcategories,
            engine,
            ...plan,
            stages: stages.map(({ work: _, ...rest }) => rest),
          });
          continue;
        }
        const held = `${plan.largestPhase.name} holds ${gib(plan.largestPhase.bytes)}`;
        print(
          `${name}, ${subcategories} sub-categories, ${plan.devices} x ${own.title}, engine ${engine} (${held}: at least ${plan.fewestDevices})`,
        );
        print([HEAD, ...stages.map(stageLine)].join("\n"));
        print(`  ${"all".padEnd(57)}  ${shown(plan.hours).padEnd(26)} ${plan.price ? shown(plan.price) : "-"}`);
        print(`  speeds: ${speeds.basis}; ${speeds.note}`);
        print(`  device: ${own.source}`);
        const hourly = price ?? own.price;
        if (hourly !== null) print(`  an hour: $${hourly}, ${price === undefined ? own.priceSource : "as given"}`);
        if (engine === "here" && plan.devices > 1)
          note(
            `plan: this project computes on one device; ${plan.devices} would take another engine: --engine elsewhere, or ${forOne(plan.largestPhase.name)} for one`,
          );
        if (plan.devices < plan.fewestDevices)
          note(`plan: ${held}; ${plan.devices} of these devices cannot hold it, ${plan.fewestDevices} could`);
      }
  if (options.json) printJson(snakeCase(report));
  else
    print("hours: if devices shared the work without loss; in brackets what the errors on held-out times leave open");
}

const percent = (error: number): string => `${error < 0 ? "−" : "+"}${Math.abs(100 * error).toFixed(0)} %`;

function lines(title: string, errors: readonly HeldOut[]): string[] {
  const mean = meanError(errors);
  if (mean === null) return [`${title}: too few measurements to hold one out`];
  return [
    `${title}: mean error ${(100 * mean).toFixed(0)} %, at worst a factor of ${worstFactor(errors).toFixed(2)}`,
    ...errors.map(
      ({ name, measured, predicted, error }) =>
        `  ${name.padEnd(50)} ${measured.toPrecision(3).padStart(8)} s, predicted ${predicted.toPrecision(3).padStart(8)} s  ${percent(error)}`,
    ),
  ];
}

/** Every error on a time that the fit did not see. */
export function heldOutErrors(measurements: Measurements): Record<string, HeldOut[]> {
  const cpus = (["amx", "avx512"] as const).map((kind) => ({ kind, ...calibrateCpu(measurements, kind) }));
  return {
    ...Object.fromEntries(
      cpus.flatMap(({ kind, training, sampling, tapo }) => [
        [`cpu-${kind}, training steps, one left out at a time`, training.errors],
        [`cpu-${kind}, sampling, one left out at a time`, sampling.errors],
        [`cpu-${kind}, a TAPO step, of which nothing is fitted`, tapo ? [tapo] : []],
      ]),
    ),
    "h100, an update in float32, and decoding steps one left out": calibrateGpu(measurements).errors,
    "carried from cpu-avx512 to cpu-amx by the ratio of products": carriedErrors(measurements),
    "a 3B model, by the fit of cpu-avx512, measured on another CPU": [bigError(measurements)],
  };
}

/** Prints what speeds are fitted to. @returns exit code */
export function printCalibration({ json }: PlanOptions): number {
  const errors = heldOutErrors(readMeasurements());
  if (json) printJson(Object.entries(errors).map(([name, times]) => ({ name, mean_error: meanError(times), times })));
  else
    print(
      Object.entries(errors)
        .flatMap(([title, times]) => lines(title, times))
        .join("\n"),
    );
  return 0;
}
