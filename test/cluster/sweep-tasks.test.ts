import { describe, expect, it } from "vitest";
import { checkTasks } from "../../lib/cluster/plan";
import { parseStep, stepText, sweepTasks } from "../../lib/cluster/sweep-tasks";
import { CONTRASTIVE } from "../../lib/experiment/study/variants";
import { VARIANTS, type Variant } from "../../lib/experiment/ablations/variants";

const named = (...names: string[]): Variant[] => names.map((name) => VARIANTS.find((one) => one.name === name)!);
const words = ["ablations", "--run=x"];
const run = { words, ownSeed: 0, role: "dev" } as const;

describe("a sweep as tasks", () => {
  it("a seed's SFT model comes before what starts from it", () => {
    const tasks = sweepTasks({ variants: named("base", "sft", "kl-0"), seeds: [0, 3], embeds: false, ...run });
    expect(tasks.map(({ id, after }) => [id, after])).toEqual([
      ["SFT model, seed 0", []],
      ["SFT model, seed 3", []],
      ["base, seed 0", []],
      ["sft, seed 0", ["SFT model, seed 0"]],
      ["kl-0, seed 0", ["SFT model, seed 0"]],
      ["base, seed 3", []],
      ["sft, seed 3", ["SFT model, seed 3"]],
      ["kl-0, seed 3", ["SFT model, seed 3"]],
    ]);
    expect(tasks[0].args).toEqual(["ablations", "--run=x", "--seeds=0", "--ray-task=sft-model"]);
    expect(tasks[4].args).toEqual(["ablations", "--run=x", "--seeds=0", "--ray-task=variant:kl-0"]);
    checkTasks(tasks);
  });

  it("similarities come first where they are embedded, the contrastive model beside all", () => {
    const tasks = sweepTasks({ variants: named("base", "tapo"), seeds: [1], embeds: true, contrastive: true, ...run });
    expect(tasks.map(({ id, after }) => [id, after])).toEqual([
      ["similarities", []],
      ["SFT model, seed 1", ["similarities"]],
      ["base, seed 1", ["similarities"]],
      ["tapo, seed 1", ["SFT model, seed 1"]],
      ["contrastive, seed 1", ["similarities"]],
    ]);
    checkTasks(tasks);
  });

  it("what is there already needs no task, nor does its SFT model", () => {
    const isThere = (name: string, seed: number): boolean => seed === 0 || name === "base";
    const sweep = { variants: named("base", "sft"), seeds: [0, 1], embeds: true, ...run, isThere };
    expect(sweepTasks(sweep).map(({ id }) => id)).toEqual(["similarities", "SFT model, seed 1", "sft, seed 1"]);
    expect(sweepTasks({ ...sweep, isThere: () => true })).toEqual([]);
    expect(sweepTasks({ ...sweep, contrastive: true, isThere: () => true })).toEqual([]);
  });

  it("a contrastive model that is there needs none either; one that is not has the similarities first", () => {
    const isThere = (name: string, seed: number): boolean => name !== CONTRASTIVE || seed === 0;
    const sweep = { variants: named("base", "sft"), seeds: [0, 1], embeds: true, contrastive: true, ...run, isThere };
    expect(sweepTasks(sweep).map(({ id }) => id)).toEqual(["similarities", "contrastive, seed 1"]);
  });

  it("each says what it writes: the run's own seed in its folder, others in theirs", () => {
    const variants = named("base", "sft");
    const tasks = sweepTasks({ variants, seeds: [0, 3], embeds: true, contrastive: true, ...run });
    const writes = new Map(tasks.map((one) => [one.id, one.writes]));
    expect(writes.get("SFT model, seed 0")).toContain("models/sft*");
    expect(writes.get("SFT model, seed 3")).toContain("seeds/3/checkpoints/sft-*");
    expect(writes.get("sft, seed 3")).toEqual(["ablations/dev/sft/seed-3/*"]);
    expect(writes.get("contrastive, seed 3")).toContain("seeds/3/baselines/clip-*");
    expect(writes.get("similarities")).toContain("similarity.json*");
    expect(CONTRASTIVE).toMatch(/^clip-/);
  });

  it("variants without an SFT model wait for none", () => {
    const tasks = sweepTasks({ variants: named("base", "sft-direct"), seeds: [0], embeds: false, ...run });
    expect(tasks.map(({ after }) => after)).toEqual([[], []]);
  });

  it("a step is read as it is written", () => {
    for (const text of ["neighbours", "sft-model", "contrastive", "variant:n1-9-n2-1"])
      expect(stepText(parseStep(text))).toBe(text);
    for (const text of ["", "variant", "variant:", "rm -rf"])
      expect(() => parseStep(text)).toThrow(/expected neighbours/);
  });
});

describe("tasks", () => {
  const task = (id: string, ...after: string[]) => ({ id, args: [], after, writes: [] });
  it("wait for tasks before them alone, and have names of their own", () => {
    expect(() => checkTasks([task("a", "b"), task("b")])).toThrow('task "a" waits for "b", which is not before it');
    expect(() => checkTasks([task("a"), task("a")])).toThrow('two tasks are called "a"');
  });
});
