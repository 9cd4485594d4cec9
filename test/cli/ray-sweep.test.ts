/** What of a sweep goes to the cluster: neither what is archived nor what is on disk in the same products. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { openVariants, sweepOnRay } from "../../cli/ray-sweep";
import type { RayOptions, RayWork } from "../../cli/ray";
import type { Products } from "../../lib/engine/precision";
import type { VariantResult } from "../../lib/experiment/ablations/run";
import { VARIANTS, type Variant } from "../../lib/experiment/ablations/variants";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { RunHome } from "../../lib/experiment/publish";

const work = vi.hoisted(() => ({ onDisk: [] as [string, number, Products | undefined][], tasks: [] as string[] }));

const named = (name: string): Variant => VARIANTS.find((one) => one.name === name)!;

vi.mock("../../lib/experiment/ablations/run", async (original) => ({
  ...(await original<object>()),
  finishedVariants: () => ({
    outdated: 0,
    results: work.onDisk.map(([name, seed, products]): VariantResult => ({
      variant: named(name),
      seed,
      rows: [],
      seconds: null,
      ...(products === undefined ? {} : { products }),
    })),
  }),
}));
vi.mock("../../lib/experiment/open", async (original) => ({
  ...(await original<object>()),
  benchmarkOf: () => Promise.resolve({ fingerprint: "f", subcategories: () => [], neighbours: () => null }),
}));
vi.mock("../../cli/ray", () => ({
  runOnRay: (_: RayOptions, { tasks }: RayWork) => {
    for (const { id } of tasks) {
      work.tasks.push(id);
      const [, name, seed] = /^(.*), seed (\d+)$/.exec(id)!;
      if (VARIANTS.some((one) => one.name === name)) work.onDisk.push([name, Number(seed), "float32"]);
    }
    return Promise.resolve();
  },
}));

const settings = loadSettings({ environment: {}, set: ["benchmark=emoji-study-dev", "precision=float32"] });
const home = { settings, folder: "run", benchmark: { fingerprint: "f" } } as RunHome;
const sweep = { variants: ["base", "sft", "tapo"].map(named), seeds: [0, 1], role: "test" } as const;
const study = (isArchived?: (name: string, seed: number) => boolean): Promise<void> =>
  sweepOnRay(settings, {} as RayOptions, { ...sweep, words: ["study"], contrastive: true, isArchived });

beforeEach(() => void Object.assign(work, { onDisk: [], tasks: [] }));

describe("a sweep on a cluster", () => {
  it("trains nothing that is archived, the contrastive model included", async () => {
    await study(() => true);
    expect(work.tasks).toEqual([]);
    await study((name, seed) => seed === 0 && name !== "tapo");
    expect(work.tasks).toEqual([
      "SFT model, seed 0",
      "SFT model, seed 1",
      "tapo, seed 0",
      "base, seed 1",
      "sft, seed 1",
      "tapo, seed 1",
      "contrastive, seed 1",
    ]);
  });

  it("trains all where nothing is archived", async () => {
    await study();
    expect(work.tasks).toHaveLength(2 + 6 + 2);
    expect(work.tasks).toContain("contrastive, seed 0");
  });

  it("takes from disk what was made in the same products alone", () => {
    work.onDisk = [
      ["base", 0, "float32"],
      ["sft", 0, "bfloat16"],
      ["tapo", 0, undefined],
    ];
    const open = openVariants(home, { ...sweep, seeds: [0] }, () => false);
    expect(open.map(({ variant }) => variant.name)).toEqual(["sft", "tapo"]);
    const other = { ...home, settings: { ...settings, precision: "bfloat16" } } as RunHome;
    expect(openVariants(other, { ...sweep, seeds: [0] }, () => false).map(({ variant }) => variant.name)).toEqual([
      "base",
      "tapo",
    ]);
  });
});
