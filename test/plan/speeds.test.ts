import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { GPUS } from "../../lib/plan/devices";
import { meanError, worstFactor } from "../../lib/plan/fit";
import { gptSample, readMeasurements } from "../../lib/plan/measurements";
import {
  allDevices,
  bigError,
  calibrateCpu,
  calibrateGpu,
  carriedErrors,
  ENGINES,
  speedsOf,
  type Speeds,
} from "../../lib/plan/speeds";
import { repositoryRoot } from "../../lib/util/root";

const measurements = readMeasurements();
const device = (name: string) => allDevices(measurements).find((one) => one.name === name)!;

describe("measured work", () => {
  it("of the benchmark's small decoder, counted by hand", () => {
    // d 128, 4 layers: 16 d² each, 1,048,576 in all; 2,048 tokens; v 1,024; pairs 128² / 2 in each of 16 rows
    const forward = 2 * 1048576 * 2048 + 4 * 128 * 8192 * 4 * 16 + 2 * 128 * 1024 * 2048;
    expect(gptSample("train-step", "f32", 1).work).toEqual([3 * forward, 4]);
    expect(gptSample("x", "bf16,xla,b=8,t=512,d=768,layers=12,heads=12", 1).work[1]).toBe(12);
  });
});

describe("speeds", () => {
  it("predict times that they were not fitted to, as docs/planning.md says", () => {
    const { training, sampling, tapo } = calibrateCpu(measurements, "avx512");
    expect(meanError(training.errors)).toBeLessThan(0.1);
    expect(meanError(sampling.errors)).toBeLessThan(0.12);
    expect(Math.abs(tapo!.error)).toBeLessThan(0.1);
    expect(Math.abs(calibrateCpu(measurements, "amx").tapo!.error)).toBeLessThan(0.15);
    expect(worstFactor(carriedErrors(measurements))).toBeGreaterThan(1.5); // why other GPUs' ranges are wide
    const gpu = calibrateGpu(measurements);
    expect(gpu.rates.high / 989.5e12).toBeLessThan(0.5);
    expect(gpu.rates.low).toBeLessThan(gpu.rates.central);
  });

  it("have the errors that docs/planning.md shows", () => {
    const [amx, avx512] = (["amx", "avx512"] as const).map((kind) => calibrateCpu(measurements, kind));
    const errors = [
      ...[avx512, amx].flatMap(({ training, sampling, tapo }) => [training.errors, sampling.errors, [tapo!]]),
      calibrateGpu(measurements).errors,
      carriedErrors(measurements),
      [bigError(measurements)],
    ];
    const page = readFileSync(path.join(repositoryRoot(), "docs/planning.md"), "utf8");
    const shown = [...page.matchAll(/^\|.*\| +(\d+) % \| +(\d\.\d\d) \|$/gm)].map(([, mean, worst]) => [mean, worst]);
    expect(shown).toEqual(errors.map((one) => [(100 * meanError(one)!).toFixed(0), worstFactor(one).toFixed(2)]));
  });

  it("are in order, and nowhere above the data sheet", () => {
    for (const { name } of allDevices(measurements))
      for (const engine of ENGINES) {
        if (name.startsWith("cpu") && engine === "elsewhere") continue;
        const speeds = speedsOf(device(name), engine, measurements);
        for (const range of [speeds.products, speeds.decoding, speeds.bandwidth])
          expect(range.low <= range.central && range.central <= range.high, `${name} ${engine}`).toBe(true);
        for (const { low, central, high } of [speeds.trainingLayer, speeds.decodingLayer])
          expect(low >= central && central >= high, `${name} ${engine}`).toBe(true);
        if (!name.startsWith("cpu")) {
          expect(speeds.products.high).toBeLessThanOrEqual(device(name).flops);
          expect(speeds.bandwidth.high).toBeLessThanOrEqual(device(name).bandwidth);
        }
      }
  });

  it("of a device that was never measured are an assumption, with a wider range than the H100's", () => {
    const spread = ({ products }: Speeds): number => products.high / products.low;
    const h100 = speedsOf(device("h100"), "here", measurements);
    expect(h100.basis).toBe("extrapolated");
    for (const { name } of GPUS.filter((one) => one.name !== "h100")) {
      const speeds = speedsOf(device(name), "here", measurements);
      expect([speeds.basis, speeds.note.startsWith("ASSUMPTION")], name).toEqual(["carried", true]);
      expect(spread(speeds), name).toBeGreaterThan(spread(h100));
    }
    expect(speedsOf(device("h100"), "elsewhere", measurements).basis).toBe("assumed");
    expect(() => speedsOf(device("cpu-amx"), "elsewhere", measurements)).toThrow(/on GPUs only; 2 cores, AMX is none/);
  });

  it("come with a source for every number and a day for every price", () => {
    for (const { source, price, priceSource } of GPUS) {
      expect(source).toMatch(/NVIDIA .* data sheet \(20\d\d\)/);
      expect(price).toBeGreaterThan(0);
      expect(priceSource).toMatch(/20\d\d-\d\d/);
    }
  });
});
