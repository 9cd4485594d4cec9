/** A study that is ended half-way: what was finished is archived, and is not made again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Products } from "../../../lib/engine/precision";
import type { PredictionRow } from "../../../lib/eval/rows";
import type { SweepOptions, VariantResult } from "../../../lib/experiment/ablations/run";
import { chooseVariants, VARIANTS } from "../../../lib/experiment/ablations/variants";
import { loadSettings } from "../../../lib/experiment/load-settings";
import { archived } from "../../../lib/experiment/study/archive";
import { planStudy, runStudy, studyRows } from "../../../lib/experiment/study/run";
import { CONTRASTIVE, MAIN_VARIANTS } from "../../../lib/experiment/study/variants";
import type { Experiment } from "../../../lib/experiment/types";

const root = mkdtempSync(path.join(tmpdir(), "fine-r1-study-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What stands for training and evaluation: `name seed` of each that was made, and where they end in an error. */
const work = vi.hoisted(() => ({
  made: [] as string[],
  stopAt: "",
  onDisk: [] as [string, number][],
  folder: "",
  products: undefined as Products | undefined,
}));

vi.mock("../../../lib/experiment/study/places", () => ({
  groupFolder: () => work.folder,
  archiveOf: (folder: string) => `${folder}/predictions`,
}));

const row = (method: string, seed: number): PredictionRow => ({
  method,
  seed,
  domain: "mammal",
  split: "seen",
  setting: "open",
  image_path: "wolf.png",
  question: "What mammal is this?",
  ground_truth: "wolf",
  output: "<answer> wolf</answer>",
});

function make(name: string, seed: number): void {
  if (`${name} ${seed}` === work.stopAt) throw new Error("ended");
  work.made.push(`${name} ${seed}`);
}

vi.mock("../../../lib/experiment/ablations/run", async (original) => ({
  ...(await original<object>()),
  runSweep: (_: Experiment, { variants, seeds }: SweepOptions) => {
    for (const seed of seeds)
      for (const { name } of variants) {
        make(name, seed);
        work.onDisk.push([name, seed]);
      }
    return Promise.resolve();
  },
  finishedVariants: () => ({
    outdated: 0,
    results: work.onDisk.map(([name, seed]): VariantResult => ({
      variant: VARIANTS.find((one) => one.name === name)!,
      seed,
      rows: [row(name, seed)],
      seconds: null,
      ...(work.products === undefined ? {} : { products: work.products }),
    })),
  }),
}));

vi.mock("../../../lib/experiment/open", async (original) => ({
  ...(await original<object>()),
  variantOf: (_: Experiment, own: object) => own,
}));

vi.mock("../../../lib/experiment/baselines/contrastive", async (original) => ({
  ...(await original<object>()),
  evaluateContrastive: ({ settings }: Experiment, name: string) => {
    make(name, settings.seed);
    return Promise.resolve([row(name, settings.seed)]);
  },
}));

const settings = loadSettings({ environment: {}, set: ["benchmark=emoji-study-dev"] });
const experiment = { settings, folder: "run", benchmark: { fingerprint: "f" } } as Experiment;
const all = (seed: number): string[] =>
  [...chooseVariants(settings, MAIN_VARIANTS).map(({ name }) => name), CONTRASTIVE].map((name) => `${name} ${seed}`);
const inArchive = (): string[] =>
  archived(path.join(work.folder, "predictions")).map(({ variant, seed }) => `${variant} ${seed}`);

beforeEach(() => {
  Object.assign(work, {
    made: [],
    stopAt: "",
    onDisk: [],
    products: undefined,
    folder: mkdtempSync(path.join(root, "group-")),
  });
});

describe("runStudy", () => {
  it("makes every method of every seed, the contrastive model last, and says which comes", async () => {
    const heard: [number, number][] = [];
    await runStudy(experiment, {
      part: "main",
      seeds: [0, 3],
      onStart: (_, index, total) => void heard.push([index, total]),
    });
    expect(work.made).toEqual([...all(0), ...all(3)]);
    expect(inArchive().sort()).toEqual([...all(0), ...all(3)].sort());
    expect(heard.filter(([, total]) => total !== 24)).toEqual([]);
    expect(heard.map(([index]) => index)).toEqual([...heard.map(([index]) => index)].sort((a, b) => a - b));
  });

  it("archives each as it is finished, and goes on without the folder of the run", async () => {
    work.stopAt = "tapo 0";
    await expect(runStudy(experiment, { part: "main", seeds: [0] })).rejects.toThrow("ended");
    const before = all(0).slice(0, all(0).indexOf("tapo 0"));
    expect(inArchive().sort()).toEqual([...before].sort());
    Object.assign(work, { stopAt: "", made: [], onDisk: [] }); // another machine
    await runStudy(experiment, { part: "main", seeds: [0] });
    expect(work.made).toEqual(all(0).slice(before.length));
    expect(inArchive().sort()).toEqual(all(0).sort());
    work.made = [];
    await runStudy(experiment, { part: "main", seeds: [0] });
    expect(work.made).toEqual([]);
  });

  it("is refused where a seed was begun with other products, but for what starts from no SFT model", async () => {
    const here = { ...experiment, settings: { ...settings, precision: "float32" } } as Experiment;
    const there = { ...experiment, settings: { ...settings, precision: "bfloat16" } } as Experiment;
    work.products = "bfloat16";
    work.stopAt = "tapo 0";
    await expect(runStudy(there, { part: "main", seeds: [0] })).rejects.toThrow("ended");
    Object.assign(work, { stopAt: "", made: [], onDisk: [] });
    await expect(runStudy(here, { part: "main", seeds: [1, 0] })).rejects.toThrow(
      /seed 0 was begun with products in bfloat16 .*in float32.*--set precision=bfloat16/,
    );
    expect(work.made).toEqual([]);
    work.stopAt = `${CONTRASTIVE} 0`;
    await expect(runStudy(there, { part: "main", seeds: [0] })).rejects.toThrow("ended");
    Object.assign(work, { stopAt: "", made: [], onDisk: [] });
    await runStudy(here, { part: "main", seeds: [0] }); // the contrastive model alone is left
    expect(work.made).toEqual([`${CONTRASTIVE} 0`]);
  });

  it("labels what is on disk with the products that it was made in, not with this machine's", async () => {
    const bySeed = (precision: string) => {
      const home = { ...experiment, settings: { ...settings, precision } } as Experiment;
      return studyRows(home, [0]).sources.map(({ variant, products }) => [variant, products]);
    };
    work.onDisk = [["base", 0]];
    for (const made of ["bfloat16", "float32", undefined] as const) {
      work.products = made;
      for (const here of ["float32", "bfloat16"]) expect(bySeed(here)).toEqual([["base", made]]);
    }
    work.products = "bfloat16";
    await runStudy(experiment, { part: "main", seeds: [0] });
    const archivedProducts = archived(path.join(work.folder, "predictions")).filter((one) => one.variant === "tapo");
    expect(archivedProducts.map(({ products }) => products)).toEqual(["bfloat16"]);
  });

  it("is planned without what is archived, and refused then where a seed has other products", async () => {
    const bf16 = { ...experiment, settings: { ...settings, precision: "bfloat16" } } as Experiment;
    work.products = "bfloat16";
    work.stopAt = "tapo 0";
    await expect(runStudy(bf16, { part: "main", seeds: [0] })).rejects.toThrow("ended");
    const { isArchived } = planStudy(bf16, { part: "main", seeds: [0, 1] });
    expect(["base", "sft", "tapo", CONTRASTIVE].map((name) => isArchived(name, 0))).toEqual([true, true, false, false]);
    expect(isArchived("base", 1)).toBe(false);
    const float32 = { ...experiment, settings: { ...settings, precision: "float32" } } as Experiment;
    expect(() => planStudy(float32, { part: "main", seeds: [0] })).toThrow(
      /seed 0 was begun with products in bfloat16/,
    );
    expect(planStudy(float32, { part: "main", seeds: [1] }).isArchived("base", 1)).toBe(false);
  });

  it("is refused for another benchmark", async () => {
    const other = { ...experiment, settings: loadSettings({ environment: {}, set: [] }) };
    await expect(runStudy(other, { part: "main", seeds: [0] })).rejects.toThrow(/expected emoji-study-dev or/);
    expect(work.made).toEqual([]);
  });
});
