import { describe, expect, it } from "vitest";
import { loadSettings } from "../../lib/experiment/load-settings";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import { planFor } from "../../lib/plan/choose";
import { cacheFloats, parameterCounts } from "../../lib/model/memory-plan";
import { readMeasurements } from "../../lib/plan/measurements";
import { sizeConfig } from "../../lib/plan/models";
import { secondsOf } from "../../lib/plan/plan";
import { exactly } from "../../lib/plan/range";
import {
  cotStage,
  decodingWork,
  evaluationStage,
  rolloutStage,
  sftStage,
  updateStage,
  WORKLOAD,
} from "../../lib/plan/stages";
import type { Speeds } from "../../lib/plan/speeds";
import { TEACHER_PHASE } from "../../lib/plan/teacher";
import { workloadOf } from "../../lib/plan/workload";

const measurements = readMeasurements();
const config = sizeConfig("3B");
const training = { decoder: "whole" as const, recompute: true, rowsAtOnce: 4, groupsAtOnce: 1 };
const decoding = { rows: 100, weightBytes: 2, cacheBytes: 2 };

const toy: Speeds = {
  products: { low: 50, central: 100, high: 200 },
  decoding: exactly(100),
  bandwidth: exactly(10),
  trainingLayer: exactly(0.5),
  decodingLayer: exactly(0.25),
  basis: "assumed",
  note: "",
};

describe("seconds", () => {
  it("of products: operations over speed, and a cost a layer; a high speed gives the low time", () => {
    expect(secondsOf({ kind: "products", flops: 1000, layers: 4 }, toy)).toEqual({ low: 7, central: 12, high: 22 });
  });
  it("of decoding: the longer of products and of reading weights and cache", () => {
    const step = { kind: "decoding" as const, steps: 2, layers: 8 };
    expect(secondsOf({ ...step, flops: 1000, bytes: 20 }, toy).central).toBe(10 + 2);
    expect(secondsOf({ ...step, flops: 1000, bytes: 500 }, toy).central).toBe(50 + 2);
  });
});

describe("stages", () => {
  const w = { ...WORKLOAD, subcategories: 10, seenShare: 0.5, taughtImages: 4, keptShare: 0.5, testImages: 3 };

  it("count what a run does: 5 seen sub-categories of 4 images", () => {
    const row = 752 + 256 + 750;
    // half of 20 images, ten epochs
    expect(sftStage(config, w, training)).toMatchObject({ images: 100, tokensTrained: 100 * row });
    // 200 groups are used, two prompts each, ten responses
    const rollouts = rolloutStage(config, { ...w, sampledPerUsed: 2 }, decoding);
    expect(rollouts).toMatchObject({ images: 800, tokensRead: 800 * 1008, tokensWritten: 4000 * 750 });
    // own and negative image, the prompt once a group
    expect(updateStage(config, w, training)).toMatchObject({ images: 400, tokensTrained: 400 * (1008 + 7500) });
    expect(evaluationStage(config, w, decoding)).toMatchObject({ images: 60, tokensWritten: 60 * 750 });
  });

  it("teach one image of each of the paper's 452 seen sub-categories, of which 404 have a record", () => {
    expect(cotStage(config, WORKLOAD, decoding).images).toBe(2 * 452);
    expect(sftStage(config, WORKLOAD, training).images).toBe(404 * WORKLOAD.sftEpochs);
  });

  it("train with eight operations a parameter and token, attention and vision tower besides", () => {
    const { flops, tokensTrained } = sftStage(config, w, training);
    const products = 2774532096; // 36 x (2 x 2048² + 2 x 2048 x 256 + 3 x 2048 x 11008)
    expect(flops / (8 * products * tokensTrained)).toBeGreaterThan(1);
    expect(flops / (8 * products * tokensTrained)).toBeLessThan(1.25);
  });

  it("read the weights once for all rows of a decoding step, and each row's cache", () => {
    const few = decodingWork(config, w, 1, 10, decoding);
    const many = decodingWork(config, w, 100, 10, decoding);
    expect([few.steps, many.steps, decodingWork(config, w, 101, 10, decoding).steps]).toEqual([10, 10, 20]);
    const cache = 2 * 2 * 36 * 256 * (1008 + 5); // bytes of one row
    expect(many.bytes - few.bytes).toBe(99 * 10 * cache);
    expect(many.flops).toBe(100 * few.flops);
  });
});

describe("the work that settings count", () => {
  const settingsWith = (...set: string[]) => loadSettings({ scale: "paper", environment: {}, set });
  const work = (...set: string[]) => workloadOf(settingsWith(...set));

  it("is the paper's of the paper's scale", () => {
    expect({ ...WORKLOAD, ...work() }).toEqual(WORKLOAD);
  });

  it.each([
    ["shots=8", { shots: 8, rlEpochs: 5 }], // as many steps over twice the images
    ["cot.images=0", { taughtImages: 4 }],
    ["cot.images=3", { taughtImages: 3 }],
    ["cot.images=9", { taughtImages: 4 }],
    ["cot.descriptionsPerImage=2", { descriptions: 2 }],
    ["cot.rationalesPerImage=1", { rationales: 1 }],
    ["sft.epochs=1", { sftEpochs: 1 }],
    ["rl.numGenerations=20", { rollouts: 20 }],
    ["rl.updatesPerStep=1", { rescoredShare: 0 }],
    ["rl.steps=94", { rlEpochs: 20 }],
    ["rl.groupsPerStep=768", { rlEpochs: 20 }],
  ])("follows %s", (set, changed) => {
    expect(work(set)).toEqual({ ...work(), ...changed });
  });

  it("reaches every stage of a plan, unless a workload says otherwise", () => {
    const of = (set: string[], workload = {}) =>
      planFor({ model: "3B", device: "h100", settings: settingsWith(...set), workload }, measurements).stages;
    const [cot, sft, rollouts, updates] = of([]);
    const changed = of(["cot.descriptionsPerImage=5", "sft.epochs=1", "rl.numGenerations=20", "rl.updatesPerStep=1"]);
    expect(changed[0].tokensWritten).toBeLessThan(cot.tokensWritten);
    expect(changed[1].flops).toBeCloseTo(sft.flops / 10, -6);
    expect(changed[2].tokensWritten).toBeCloseTo(2 * rollouts.tokensWritten, 0);
    expect(changed[3].tokensTrained).toBeGreaterThan(1.5 * updates.tokensTrained);
    expect(of(["sft.epochs=1"], { sftEpochs: 10 })[1].flops).toBe(sft.flops);
  });
});

describe("a teacher", () => {
  const on = (engine: "here" | "elsewhere", more: object) =>
    planFor({ model: "3B", device: "h200", engine, ...more }, measurements);

  it("decodes an image's answers alone here, --rows of them with another engine", () => {
    const teacher = sizeConfig("32B");
    const steps = (rows: number | null) =>
      cotStage(
        teacher,
        { ...WORKLOAD, subcategories: 10, seenShare: 0.5, taughtImages: 4 },
        { ...decoding, rows },
      ).work.map((one) => (one.kind === "decoding" ? one.steps : 0));
    // 20 images: 10 descriptions of 100 tokens, 4 rationales of 750
    expect(steps(null)).toEqual([0, 20 * 100, 20 * 750]);
    expect(steps(100)).toEqual([0, 2 * 100, 750]);
    expect(on("here", { rows: 1 }).stages).toEqual(on("here", { rows: 1000 }).stages);
    expect(on("elsewhere", { rows: 1 }).stages).not.toEqual(on("elsewhere", { rows: 1000 }).stages);
  });

  it("has to be held too, unless it is bought", () => {
    const { model } = parameterCounts(sizeConfig("72B"), null, false);
    const large = on("elsewhere", { teacher: "72B" });
    const cache = 2 * 128 * cacheFloats(sizeConfig("72B"), 752 + 256 + 375);
    expect(large.largestPhase).toEqual({ name: TEACHER_PHASE, bytes: 2 * model + cache });
    expect([large.fewestDevices, large.devices]).toEqual([2, 2]);
    expect(on("here", { teacher: "72B" }).fewestDevices).toBe(2);
    expect(on("here", { teacher: "72B" }).largestPhase.name).toBe(TEACHER_PHASE);
    const bought = on("elsewhere", { teacher: "72B", teacherPrice: { read: 1, written: 1 } });
    expect([bought.fewestDevices, bought.largestPhase.name]).toEqual([1, "TAPO update"]);
    expect(on("elsewhere", {}).fewestDevices).toBe(1);
  });
});

describe("plans", () => {
  const plan = (more: object) => planFor({ model: "3B", device: "h100", ...more }, measurements);

  it("grow with model and sub-categories, and a price is hours by the hour's price", () => {
    const hours = (["3B", "7B", "32B", "72B"] as const).map(
      (model) => planFor({ model, device: "h100", engine: "elsewhere", devices: 1 }, measurements).hours.central,
    );
    expect([...hours].sort((a, b) => a - b)).toEqual(hours);
    const by = (subcategories: number) => plan({ workload: { subcategories }, engine: "elsewhere" }).hours.central;
    expect(by(10000) / by(1000)).toBeCloseTo(10, 1);
    const { stages, price, hours: all, devices } = plan({ price: 2 });
    expect(price!.central).toBeCloseTo(2 * devices * all.central, 6);
    for (const { hours: range } of stages) expect(range.low <= range.central && range.central <= range.high).toBe(true);
  });

  it("need as many devices as hold the largest phase; more devices, fewer hours, the same price", () => {
    const [one, four] = [plan({ devices: 1 }), plan({ devices: 4 })];
    expect(one.fewestDevices).toBe(2);
    expect(plan({ device: "h200" }).fewestDevices).toBe(1);
    expect(four.hours.central).toBeCloseTo(one.hours.central / 4, 9);
    expect(four.price!.central).toBeCloseTo(one.price!.central, 9);
  });

  it("buy the teacher's tokens where it has a price, and have none where a device has none", () => {
    const { stages } = plan({ teacherPrice: { read: 1, written: 2 } });
    const [{ tokensRead, tokensWritten, price, hours }] = stages;
    expect(hours.high).toBe(0);
    expect(price!.central).toBeCloseTo((tokensRead + 2 * tokensWritten) / 1e6, 9);
    expect(plan({ device: "cpu-amx" }).price).toBeNull();
    expect(() => plan({ device: "tpu" })).toThrow(/no device "tpu"; expected cpu-amx, .*, b200/);
  });

  it("cost less with an adapter: two devices for the whole 3B model, one for the adapter", () => {
    const adapter = plan({ lora: { ...LORA_DEFAULTS, rank: 16, targetModules: "all-linear" } });
    expect(adapter.fewestDevices).toBe(1);
    const sft = (one: typeof adapter) => one.stages[1].flops;
    // 3 passes for 4, the frozen vision tower the same
    expect(sft(adapter) / sft(plan({}))).toBeGreaterThan(0.75);
    expect(sft(adapter) / sft(plan({}))).toBeLessThan(0.8);
  });
});
