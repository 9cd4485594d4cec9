/**
 * How our times grow with what is asked: `npm run bench -- --growth`. A series is a case at several sizes, ours alone.
 */
import * as path from "node:path";
import { writeText } from "../../lib/util/files";
import { median } from "./driver";
import { BenchProcess } from "./process";
import type { Machine } from "./types";

/** What is measured. */
interface SeriesSpec {
  name: string;
  case: string;
  x_title: string;
  /** The size of a point, from what a run did. */
  x: (work: Record<string, number>) => number;
  /** The entry of `work` that the time is divided by; the whole run where there is none. */
  per?: string;
  /** Variants of the case. */
  points: readonly string[];
}

/** What was measured; times in seconds. */
export interface GrowthSeries {
  name: string;
  case: string;
  x_title: string;
  /** Slope of log(seconds) over log(x), by least squares. */
  exponent: number;
  points: { variant: string; x: number; seconds: number; spread: [number, number] }[];
  machine: Machine;
  inputs: string;
}

export const series: readonly SeriesSpec[] = [
  {
    name: "batch",
    case: "train-step",
    x_title: "Rows of 128 tokens (1.2 M parameters)",
    x: ({ tokens }) => tokens / 128,
    per: "steps",
    points: [4, 8, 16, 32, 64].map((b) => `f32,steps=3,b=${b}`),
  },
  {
    name: "length",
    case: "train-step",
    x_title: "Tokens of a row, 4 rows (1.2 M parameters)",
    x: ({ tokens }) => tokens / 4,
    per: "steps",
    points: [64, 128, 256, 512, 1024].map((t) => `f32,steps=3,b=4,t=${t}`),
  },
  {
    name: "parameters",
    case: "train-step",
    x_title: "Parameters (1,024 tokens)",
    x: ({ parameters }) => parameters,
    per: "steps",
    points: ["d=128,layers=4", "d=192,layers=6,heads=6", "d=256,layers=10,heads=8", "d=384,layers=12,heads=12"].map(
      (size) => `f32,steps=2,b=8,${size}`,
    ),
  },
  {
    name: "group size",
    case: "rollout-group",
    x_title: "Samples of a prompt (16 prompts, 60 tokens each)",
    x: ({ rows, images }) => rows / images,
    points: [2, 5, 10, 20].map((g) => `f32,g=${g}`),
  },
];

export const growthFile = path.join(__dirname, "growth.json");

/** Slope of log y over log x. */
export function powerOf(points: readonly { x: number; seconds: number }[]): number {
  const logs = points.map(({ x, seconds }) => [Math.log(x), Math.log(seconds)]);
  const mean = (i: number): number => logs.reduce((sum, pair) => sum + pair[i], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  return logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}

/** Measures the series, one point after another. */
export async function measureGrowth(options: {
  only?: readonly string[];
  rounds: number;
  machine: Machine;
  inputs: string;
  onPoint?: (line: string) => void;
}): Promise<GrowthSeries[]> {
  const out: GrowthSeries[] = [];
  for (const spec of series.filter(({ name }) => options.only?.includes(name) ?? true)) {
    const points: GrowthSeries["points"] = [];
    for (const variant of spec.points) {
      const { process, ready } = await BenchProcess.start({ case: spec.case, variant });
      const seconds: number[] = [];
      while (seconds.length < options.rounds)
        seconds.push((await process.run()).seconds / (spec.per === undefined ? 1 : ready.work[spec.per]));
      await process.stop();
      points.push({
        variant,
        x: spec.x(ready.work),
        seconds: median(seconds),
        spread: [Math.min(...seconds), Math.max(...seconds)],
      });
      options.onPoint?.(
        `${spec.name}: ${variant}: x ${points[points.length - 1].x}, ${median(seconds).toPrecision(3)} s`,
      );
    }
    const { name, case: of, x_title } = spec;
    out.push({
      name,
      case: of,
      x_title,
      exponent: powerOf(points),
      points,
      machine: options.machine,
      inputs: options.inputs,
    });
  }
  return out;
}

export function writeGrowth(rows: readonly GrowthSeries[]): void {
  writeText(
    growthFile,
    `${JSON.stringify(rows, (_, value: unknown) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value), 1)}\n`,
  );
}
