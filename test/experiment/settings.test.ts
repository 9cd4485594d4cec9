import { describe, expect, it } from "vitest";
import { loadSettings, type SettingsSource } from "../../lib/experiment/settings";

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
    ["rl.stepz=3", /unknown setting "rl\.stepz"; known here: steps, /],
    ["nothing=3", /unknown setting "nothing"; known here: scale, run/],
    ["rl=3", /unknown setting "rl"/],
    ["rx.steps=3", /unknown setting "rx\.steps"/],
    ["seed.x=3", /unknown setting "seed\.x"/],
    ["__proto__.x=1", /unknown setting "__proto__\.x"/],
    ["constructor=1", /unknown setting "constructor"/],
    ["rl.steps=many", /setting rl\.steps=many: expected a number/],
    ["rl.steps=", /setting rl\.steps=: expected a number/],
    ["rl.topP=Infinity", /expected a number/],
    ["precision=half", /setting precision=half: expected one of auto, float32, bfloat16/],
    ["rl.reward=kind", /setting rl\.reward=kind: expected one of substring, strict/],
    ["eval.role=fewshot", /expected one of dev, test/],
    ["rl.steps", /setting "rl\.steps": expected name=value/],
    ["=3", /expected name=value/],
    ["rl.positiveGenerations=10", /rl\.positiveGenerations=10: expected 0 to 9/],
    ["rl.positiveGenerations=10", /expected 0 to 9/],
    ["rl.positiveGenerations=-1", /at least 0/],
    ["rl.steps=1.5", /whole number/],
    ["scale=paper", /FINE_R1_SCALE/],
    ["rl.updatesPerStep=3", /rl\.groupsPerStep=16: expected a multiple of rl\.updatesPerStep \(3\)/],
  ])("refuses %s, saying what is wrong", (assignment, message) => expect(set(assignment)).toThrow(message));

  it("refuses an unknown scale", () => {
    expect(() => load({ scale: "tiny" })).toThrow('unknown scale "tiny"; expected one of smoke, default, paper');
    expect(() => load({ environment: { FINE_R1_SCALE: "" } })).toThrow(/unknown scale ""/);
  });

  it.each(["../up", "a/b", ".hidden", "-x", "a b", "x".repeat(65), "é"])("refuses the run name %j", (run) =>
    expect(() => load({ run })).toThrow(`setting run=${run}: expected letters, digits, - and _ only`),
  );
  it.each(["main", "A-1_b", "9"])("takes the run name %j", (run) => expect(load({ run }).run).toBe(run));
});
