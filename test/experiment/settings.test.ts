import { describe, expect, it } from "vitest";
import { changeSettings, loadSettings, type SettingsSource } from "../../lib/experiment/load-settings";
import { changedSettings, runName } from "../../lib/experiment/run-name";
import { scaleSettings } from "../../lib/experiment/settings";

const load = (source: SettingsSource = {}) => loadSettings({ environment: {}, ...source });
const set =
  (...assignments: string[]) =>
  () =>
    load({ set: assignments });

describe("loadSettings", () => {
  it("has three scales; the environment chooses one, code another", () => {
    expect([load().scale, load().run]).toEqual(["default", "main"]);
    expect(load({ scale: "smoke" })).toMatchObject({
      scale: "smoke",
      run: "smoke",
      rl: { steps: 2, topP: 0.99 },
      eval: { role: "dev" },
    });
    expect(load({ scale: "paper" })).toMatchObject({
      rl: {
        learningRate: 1e-6,
        groupsPerStep: 384,
        numGenerations: 10,
        positiveGenerations: 5,
        clipRatioHigh: 0.28,
        reward: "substring",
      },
      sft: { visionLearningRateScale: 0 },
    });
    expect(load({ environment: { FINE_R1_SCALE: "smoke" } }).scale).toBe("smoke");
    expect(load({ scale: "default", environment: { FINE_R1_SCALE: "smoke" } }).scale).toBe("default");
    expect(load()).toEqual(load({ scale: "default" }));
  });

  it("applies the environment first, assignments last, and leaves the defaults alone", () => {
    const environment = { FINE_R1_RUN: "mine", FINE_R1_SET: "rl.steps=8, seed=3 ,,precision=float32" };
    expect(load({ environment })).toMatchObject({
      run: "mine",
      seed: 3,
      precision: "float32",
      rl: { steps: 8, topP: 0.99 },
    });
    expect(
      load({ environment, run: "yours", set: ["rl.steps=9", "rl.schedule=constant", "model=models/x=y"] }),
    ).toMatchObject({ run: "yours", seed: 3, model: "models/x=y", rl: { steps: 9, schedule: "constant" } });
    expect(load({ set: ["sft.learningRate=1e-5"] }).sft.learningRate).toBe(1e-5);
    expect(load()).toMatchObject({ seed: 0, precision: "auto", rl: { steps: 16 } });
  });

  it.each([
    ["rl.stepz=3", /unknown setting "rl\.stepz"; did you mean rl\.steps\? Known here: rl\.steps, rl\.groupsPerStep, /],
    ["nothing=3", /unknown setting "nothing"; known here: run, seed, benchmark, /],
    ["rl=3", /unknown setting "rl"/],
    ["rx.steps=3", /unknown setting "rx\.steps"/],
    ["seed.x=3", /unknown setting "seed\.x"/],
    ["__proto__.x=1", /unknown setting "__proto__\.x"/],
    ["constructor=1", /unknown setting "constructor"/],
    ["rl.steps=many", /setting rl\.steps=many: expected a whole number of at least 1/],
    ["rl.steps=", /setting rl\.steps=: expected a whole number of at least 1/],
    ["rl.topP=Infinity", /expected a number/],
    ["precision=half", /setting precision=half: expected one of auto, float32, bfloat16/],
    ["rl.reward=kind", /setting rl\.reward=kind: expected one of substring, strict/],
    ["eval.role=fewshot", /expected one of dev, test/],
    ["rl.steps", /setting "rl\.steps": expected name=value/],
    ["=3", /expected name=value/],
    ["rl.positiveGenerations=10", /rl\.positiveGenerations=10: expected 0 to 9/],
    ["rl.gradientAccumulationSteps=3", /rl\.gradientAccumulationSteps=3: expected a divisor of the 8 groups/],
    ["sft.learningRate=-1", /setting sft\.learningRate=-1: expected a number of at least 0/],
    ["rl.positiveGenerations=-1", /at least 0/],
    ["rl.gaussianNoiseStep=1000", /rl\.gaussianNoiseStep=1000: expected 0 to 999/],
    ["rl.maskRatio=1.1", /rl\.maskRatio=1\.1: expected a share from 0 to 1/],
    ["rl.openShare=50", /rl\.openShare=50: expected a share from 0 to 1/],
    ["rl.topP=95", /rl\.topP=95: expected a probability, more than 0 and at most 1/],
    ["rl.topP=0", /rl\.topP=0: expected a probability/],
    ["rl.temperature=0", /rl\.temperature=0: expected more than 0/],
    ["cot.temperature=0", /cot\.temperature=0: expected more than 0/],
    ["sft.replayRows=32", /sft\.replayRows=32: expected 0 to 31 \(sft\.batchSize - 1\)/],
    ["rl.secondView=negative", /expected one of positive, noisy/],
    ["rl.steps=1.5", /whole number/],
    ["scale=paper", /FINE_R1_SCALE/],
    ["rl.updatesPerStep=3", /rl\.groupsPerStep=16: expected a multiple of rl\.updatesPerStep \(3\)/],
  ])("refuses %s, saying what is wrong", (assignment, message) => expect(set(assignment)).toThrow(message));

  it("refuses a group of one, which has no mean to be compared with", () =>
    expect(() => load({ set: ["rl.positiveGenerations=0", "rl.numGenerations=1"] })).toThrow(
      /rl\.numGenerations=1: expected at least 2/,
    ));

  it("refuses parts of an update that do not split into micro-batches, saying what to set", () => {
    const released = ["rl.lossAverage=micro-batch"];
    expect(() => load({ scale: "paper", set: released })).toThrow(
      "setting rl.lossAverage=micro-batch: a part of an update has 10 responses (1 of its 128 groups, rl.gradientAccumulationSteps=128, rl.numGenerations=10), which do not split into micro-batches of 4; set rl.gradientAccumulationSteps=64",
    );
    expect(load({ scale: "paper", set: [...released, "rl.gradientAccumulationSteps=64"] }).rl.lossAverage).toBe(
      "micro-batch",
    );
    // a divisor of the replayed rows too
    expect(set(...released, "rl.groupsPerStep=24", "rl.gradientAccumulationSteps=4", "rl.replayRows=4")).toThrow(
      /30 responses \(3 of its 12 groups, .*; set rl\.gradientAccumulationSteps=2$/,
    );
    expect(set(...released, "rl.groupsPerStep=6")).toThrow(
      /30 responses \(3 of its 3 groups, .*; set rl\.numGenerations to a multiple of 4, or rl\.groupsPerStep so that an update has a multiple of 2 groups$/,
    );
    expect(load({ set: released }).rl.lossAverage).toBe("micro-batch");
    expect(load({ set: [...released, "rl.groupsPerStep=6", "rl.numGenerations=8"] }).rl.numGenerations).toBe(8);
  });

  it("refuses an unknown scale", () => {
    expect(() => load({ scale: "tiny" })).toThrow('unknown scale "tiny"; expected one of smoke, default, paper');
    expect(() => load({ environment: { FINE_R1_SCALE: "Smoke" } })).toThrow('unknown scale "Smoke"');
  });

  it("reads empty variables as ones that are not there", () =>
    expect(load({ environment: { FINE_R1_SCALE: "", FINE_R1_RUN: "", FINE_R1_SET: "" } })).toEqual(load()));

  it.each(["../up", "a/b", ".hidden", "-x", "a b", "x".repeat(65), "é"])("refuses the run name %j", (run) =>
    expect(() => load({ run })).toThrow(`setting run=${run}: expected letters, digits, - and _ only`),
  );
  it.each(["main", "A-1_b", "9"])("takes the run name %j", (run) => expect(load({ run }).run).toBe(run));
});

describe("what a setting brings with it", () => {
  it("a published model: the paper's scale and prompts, unless a scale is named", () => {
    const qwen = "model=models/Qwen2.5-VL-7B-Instruct";
    expect(load({ set: [qwen] })).toMatchObject({ scale: "paper", prompts: "paper", rl: { groupsPerStep: 384 } });
    expect(load({ environment: { FINE_R1_SET: qwen } })).toEqual(load({ set: [qwen] }));
    expect(load({ scale: "default", set: [qwen] })).toMatchObject({
      scale: "default",
      prompts: "paper",
      sft: { replayRows: 0, augmentation: 0.6 }, // still drawings
      rl: { groupsPerStep: 16 },
    });
    expect(load({ environment: { FINE_R1_SCALE: "smoke", FINE_R1_SET: qwen } }).scale).toBe("smoke");
    expect(load({ set: ["model=data/base"] }).scale).toBe("default");
    expect(load({ set: [qwen, "model=data/base"] }).scale).toBe("default"); // the last counts
  });

  it("photographs: no augmentation, which is for squares, and no replayed drawings", () => {
    expect(load({ set: ["benchmark=pet"] })).toMatchObject({
      scale: "default",
      prompts: "tiny",
      sft: { replayRows: 0, augmentation: 0 },
      rl: { augmentation: 0 },
    });
  });

  it("never against an assignment, in whatever order", () => {
    const own = ["sft.replayRows=4", "rl.augmentation=0.2", "prompts=tiny"];
    const expected = { prompts: "tiny", sft: { replayRows: 4, augmentation: 0 }, rl: { augmentation: 0.2 } };
    expect(load({ set: [...own, "benchmark=pet", "model=models/x"] })).toMatchObject(expected);
    expect(load({ set: ["benchmark=pet", "model=models/x", ...own] })).toMatchObject(expected);
    expect(load({ set: ["benchmark=pet"], environment: { FINE_R1_SET: own.join() } })).toMatchObject(expected);
  });
});

describe("runName", () => {
  const nameOf = (...assignments: string[]): string => load({ set: assignments }).run;

  it.each(["smoke", "default", "paper"] as const)("of the scale %s with nothing changed is the scale's", (scale) => {
    expect(load({ scale }).run).toBe(scale === "default" ? "main" : scale);
    expect(runName(scaleSettings(scale))).toBe(load({ scale }).run);
    expect(changedSettings(load({ scale }))).toEqual([]);
  });

  it("says what is changed, and a hash of it", () => {
    expect(nameOf("seed=3")).toMatch(/^seed-3-[0-9a-f]{8}$/);
    expect(nameOf("rl.steps=8", "seed=3")).toMatch(/^seed-3-rl-steps-8-[0-9a-f]{8}$/);
    expect(nameOf("benchmark=aircraft+pet")).toMatch(/^aircraft-pet-[0-9a-f]{8}$/); // not what follows from photographs
    expect(nameOf("benchmark=/sets/dog/+sets/pet", "sft.augmentation=0.5")).toMatch(/^dog-pet-sft-augmentation-0-5-/);
    expect(load({ scale: "smoke", set: ["seed=3"] }).run).toMatch(/^smoke-seed-3-/);
    expect(changedSettings(load({ set: ["rl.steps=8", "seed=3"] }))).toEqual([
      { name: "seed", value: 3 },
      { name: "rl.steps", value: 8 },
    ]);
    const long = nameOf("benchmark=/a/folder of bïrds", "rl.steps=8", "rl.topP=0.5", "eval.role=dev");
    expect(long).toMatch(/^[A-Za-z0-9][A-Za-z0-9-]{0,35}-[0-9a-f]{8}$/);
    expect(load({ run: long }).run).toBe(long); // may be given
  });

  it("is the same for the same settings, however they are given, and another for any other", () => {
    const environment = { FINE_R1_SET: "seed=3" };
    expect(load({ environment, set: ["rl.steps=8"] }).run).toBe(nameOf("rl.steps=8", "seed=3"));
    expect(nameOf("seed=5", "seed=3")).toBe(nameOf("seed=3"));
    expect(nameOf("seed=3", "seed=0")).toBe("main");
    const names = [
      nameOf("seed=3"),
      nameOf("seed=3", "rl.steps=8"),
      nameOf("benchmark=/a/x"),
      nameOf("benchmark=/b/x"),
      nameOf("eval.limit=3"),
      load({ scale: "smoke", set: ["seed=3"] }).run,
    ];
    expect(new Set(names).size).toBe(names.length);
  });

  it("does not depend on what changes no result", () =>
    expect(nameOf("memory=8", "sets=/elsewhere", "sft.saveSteps=1", "rl.saveSteps=9")).toBe("main"));

  it("of a scale is no name for other settings, whose results it would replace", () => {
    expect(() => load({ run: "main", set: ["seed=3"] })).toThrow(
      /run main: the name of the scale default with nothing changed, and settings are changed here; leave the name out \(seed-3-/,
    );
    expect(() => load({ environment: { FINE_R1_RUN: "paper" } })).toThrow(/the scale here is default/);
    expect(() => load({ set: ["run=smoke"] })).toThrow(/name of the scale smoke/);
    expect(load({ run: "mine", set: ["seed=3"] }).run).toBe("mine");
    expect(load({ set: ["run=mine", "seed=3"] }).run).toBe("mine");
    expect(load({ run: "yours", set: ["run=mine"], environment: { FINE_R1_RUN: "env" } }).run).toBe("yours");
  });
});

describe("changeSettings", () => {
  it("assigns in order, keeps the run's name and what was given", () => {
    const given = load();
    const changed = changeSettings(given, ["seed=1", "seed=2", "rl.topP=0.5"]);
    expect(changed).toEqual({ ...given, seed: 2, rl: { ...given.rl, topP: 0.5 } });
    expect(given).toEqual(load());
    expect(() => changeSettings(given, ["rl.updatesPerStep=3"])).toThrow(/expected a multiple/);
  });
});

describe("the study's values", () => {
  const study = (scale: "smoke" | "default", set: string[] = []) =>
    loadSettings({ scale, environment: {}, set: ["benchmark=emoji-study-dev", ...set] });

  it("are its recipe at the default scale, and the lengths of its texts at every scale", () => {
    const [recipe, smoke] = [study("default"), study("smoke")];
    expect(recipe).toMatchObject({ cot: { comparedWords: 0 }, rl: { replayRows: 16, maxNewTokens: 128 } });
    expect(smoke).toMatchObject({ cot: { comparedWords: 0 }, rl: { replayRows: 0, maxNewTokens: 128 } });
    expect(smoke.rl.steps).toBeLessThan(recipe.rl.steps);
  });

  it("give way to what is set", () => {
    expect(study("default", ["rl.steps=3", "cot.images=2"])).toMatchObject({ cot: { images: 2 }, rl: { steps: 3 } });
  });
});
