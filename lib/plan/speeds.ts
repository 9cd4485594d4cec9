/**
 * How fast a device works: from measurements of it where there are any; carried over from another, or assumed, where
 * there are none, and then said so.
 */
import { GPUS, type Device } from "./devices";
import { fitCosts, heldOut, leaveOneOut, predict, worstFactor, type Costs, type HeldOut, type Sample } from "./fit";
import { CPU_KINDS, type CpuKind, type Measurements } from "./measurements";
import { exactly, within, type Range } from "./range";

/** Whose code runs: this project's, or another's (TRL and vLLM, by `export` and `serve`'s protocol). */
export const ENGINES = ["here", "elsewhere"] as const;
export type EngineName = (typeof ENGINES)[number];

/**
 * `extrapolated`: measured on this device, with far smaller models than a plan is about. `carried`: from the H100.
 * `assumed`: from publications, nothing of it was measured here.
 */
export type Basis = "extrapolated" | "carried" | "assumed";

/** Speeds of a device. */
export interface Speeds {
  /** Operations a second, in training and in reading prompts. */
  products: Range;
  /** Operations a second while decoding. */
  decoding: Range;
  /** Bytes of weights and cache read a second while decoding. */
  bandwidth: Range;
  /** Seconds that each layer of a training step, and of a decoding step, costs besides; `low` is the slow end. */
  trainingLayer: Range;
  decodingLayer: Range;
  basis: Basis;
  note: string;
}

/** A fit, and the times that it did not see. */
export interface Calibration {
  name: string;
  /** Seconds an operation, seconds a layer; the second 0 where too few were measured to tell. */
  costs: Costs;
  measured: number;
  errors: HeldOut[];
}

/** Two costs where at least four measurements tell them apart, else operations alone. */
function calibrate(name: string, samples: readonly Sample[]): Calibration {
  if (samples.length >= 4)
    return { name, costs: fitCosts(samples), measured: samples.length, errors: leaveOneOut(samples) };
  const simple = samples.map((sample) => ({ ...sample, work: sample.work.slice(0, 1) }));
  return { name, costs: [...fitCosts(simple), 0], measured: samples.length, errors: leaveOneOut(simple) };
}

/** Fits of a CPU: training, sampling, and the whole TAPO step that neither saw. */
export interface CpuCalibration {
  training: Calibration;
  sampling: Calibration;
  tapo: HeldOut | null;
}

export function calibrateCpu({ cpu }: Measurements, kind: CpuKind): CpuCalibration {
  const { training, sampling, tapo } = cpu[kind];
  const fits = {
    training: calibrate(`${kind}, training`, training),
    sampling: calibrate(`${kind}, sampling`, sampling),
  };
  if (!tapo) return { ...fits, tapo: null };
  const predicted = predict(fits.training.costs, tapo.update) + predict(fits.sampling.costs, tapo.sampling);
  return {
    ...fits,
    tapo: { name: `${kind}, ${tapo.name}`, measured: tapo.seconds, predicted, error: predicted / tapo.seconds - 1 },
  };
}

/** Fits of the H100. Two steps give two costs of each kind exactly; only the update and decoding are held out. */
export interface GpuCalibration {
  graph: Costs;
  xla: Costs;
  decodingLayer: number;
  /** Operations a second: of both, and of a lone product. */
  rates: Range;
  errors: HeldOut[];
}

export function calibrateGpu({ h100 }: Measurements): GpuCalibration {
  const [graph, xla] = [fitCosts(h100.graph), fitCosts(h100.xla)];
  const rates = [1 / graph[0], 1 / xla[0], h100.productRate].sort((a, b) => a - b);
  return {
    graph,
    xla,
    decodingLayer: fitCosts(h100.decoding)[0],
    rates: { low: rates[0], central: rates[1], high: rates[2] },
    errors: [heldOut(fitCosts(h100.float32), h100.update), ...leaveOneOut(h100.decoding)],
  };
}

/**
 * What comes of carrying speeds from one device to another by the ratio of their products: from the CPU with AVX-512 to
 * the one with AMX, whose steps were measured.
 */
export function carriedErrors(measurements: Measurements): HeldOut[] {
  const { amx, avx512 } = measurements.cpu;
  const ratio = avx512.productRate / amx.productRate;
  const { training, sampling } = calibrateCpu(measurements, "avx512");
  const carried = ({ costs }: Calibration): Costs => costs.map((cost) => cost * ratio);
  return [
    ...amx.training.map((sample) => heldOut(carried(training), sample)),
    ...amx.sampling.map((sample) => heldOut(carried(sampling), sample)),
  ];
}

/** Parameters of the largest model that was timed on each, in words. */
const LARGEST: Readonly<Record<CpuKind, string>> = { amx: "3.2 M", avx512: "29 M" };

const CPU_TITLES: Readonly<Record<CpuKind, string>> = { amx: "2 cores, AMX", avx512: "2 cores, AVX-512" };

/** The CPUs of the benchmark as devices: no data sheet names them, so their numbers are those measured. */
export const cpuDevices = ({ cpu, cpuWeightBytesPerSecond }: Measurements): Device[] =>
  CPU_KINDS.map((kind) => ({
    name: `cpu-${kind}`,
    title: CPU_TITLES[kind],
    flops: cpu[kind].productRate,
    bandwidth: cpuWeightBytesPerSecond,
    memory: 24 * 2 ** 30,
    source: "measured: products in test/bench/results.json, bytes of weights a second in docs/parity-big.json",
    price: null,
    priceSource: "none: --price says it",
  }));

export const allDevices = (measurements: Measurements): Device[] => [...cpuDevices(measurements), ...GPUS];

/**
 * Share of the products a second that training reaches with other engines: PaLM reports 0.46 (arXiv:2204.02311, table
 * 3), Llama 3 0.38 to 0.43 on H100 (arXiv:2407.21783, section 3.3), both with far larger batches than these.
 */
const ELSEWHERE_PRODUCTS: Range = { low: 0.25, central: 0.35, high: 0.45 };
/** Share of the bandwidth that decoding reaches: an assumption for any engine; nothing of it was measured here. */
const BANDWIDTH: Range = { low: 0.4, central: 0.6, high: 0.8 };

const times = ({ low, central, high }: Range, by: number): Range => ({
  low: low * by,
  central: central * by,
  high: high * by,
});

/** A cost in seconds, `low` the slow end as with speeds. */
const fromSeconds = (seconds: number, factor: number): Range => ({
  low: seconds * factor,
  central: seconds,
  high: seconds / factor,
});

/** What the CPUs' fits say of the one time measured with a 3B model, which was on another CPU. */
export function bigError(measurements: Measurements): HeldOut {
  const { costs } = calibrateCpu(measurements, "avx512").training;
  return heldOut(costs, measurements.bigFirstToken);
}

function cpuSpeeds(measurements: Measurements, kind: CpuKind): Speeds {
  const { training, sampling } = calibrateCpu(measurements, kind);
  const carried = worstFactor(carriedErrors(measurements));
  const big = worstFactor([bigError(measurements)]);
  /** Slower by what the one time of a 3B model was slower than such a fit says. */
  const rate = ({ costs, errors }: Calibration): Range => ({
    ...within(1 / costs[0], worstFactor(errors)),
    low: 1 / costs[0] / Math.max(worstFactor(errors), big),
  });
  const slowest = ({ costs, errors }: Calibration): Range => fromSeconds(costs[1], worstFactor(errors));
  return {
    products: rate(training),
    decoding: rate(sampling),
    bandwidth: within(measurements.cpuWeightBytesPerSecond, carried),
    trainingLayer: slowest(training),
    decodingLayer: slowest(sampling),
    basis: "extrapolated",
    note: `fitted to ${training.measured} training steps of at most ${LARGEST[kind]} parameters and ${sampling.measured} runs of sampling; bytes a second of a 3B model on another CPU`,
  };
}

function gpuSpeeds(measurements: Measurements, device: Device): Speeds {
  const { rates, errors, graph, xla, decodingLayer } = calibrateGpu(measurements);
  const h100 = GPUS.find(({ name }) => name === "h100")!;
  const own = device.name === "h100";
  const shares = times(rates, 1 / h100.flops);
  const slower = worstFactor(errors) * (own ? 1 : worstFactor(carriedErrors(measurements)));
  const faster = own ? 1 : worstFactor(carriedErrors(measurements));
  const products = times(
    { low: shares.low / slower, central: shares.central, high: Math.min(1, shares.high * faster) },
    device.flops,
  );
  return {
    products,
    decoding: products,
    bandwidth: times(BANDWIDTH, device.bandwidth),
    trainingLayer: { low: graph[1] * slower, central: graph[1], high: xla[1] },
    decodingLayer: fromSeconds(decodingLayer, slower),
    basis: own ? "extrapolated" : "carried",
    note: own
      ? "fitted to steps of at most 114 M parameters; the share of the bandwidth is an assumption"
      : "ASSUMPTION: no measurement of this device; the H100's shares of the data sheet, its range widened by what carrying cost between two CPUs",
  };
}

/** The speeds of a device. */
export function speedsOf(device: Device, engine: EngineName, measurements: Measurements): Speeds {
  const kind = CPU_KINDS.find((one) => device.name === `cpu-${one}`);
  if (kind) {
    if (engine === "elsewhere")
      throw new Error(`engine elsewhere: other engines are planned on GPUs only; ${device.title} is none`);
    return cpuSpeeds(measurements, kind);
  }
  if (engine === "here") return gpuSpeeds(measurements, device);
  const products = times(ELSEWHERE_PRODUCTS, device.flops);
  return {
    products,
    decoding: products,
    bandwidth: times(BANDWIDTH, device.bandwidth),
    trainingLayer: exactly(0),
    decodingLayer: exactly(0),
    basis: "assumed",
    note: "ASSUMPTION: shares of the data sheet from publications (PaLM, Llama 3); nothing of it was measured here",
  };
}
