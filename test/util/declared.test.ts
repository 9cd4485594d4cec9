import { describe, expect, it } from "vitest";
import {
  amount,
  choice,
  count,
  defaultsOf,
  listed,
  parseAssignment,
  text,
  withSetting,
  type Values,
} from "../../lib/util/declared";

const DECLARED = {
  run: text("main", "Name.", /^[a-z]+$/, "small letters only"),
  model: text("base", "Folder."),
  seed: count(0, "Seed.", 0),
  rl: {
    steps: count(16, "Steps."),
    topP: amount(0.99, "Nucleus."),
    schedule: choice(["constant", "cosine"], "cosine", "Schedule."),
  },
  sft: { epochs: count(3, "Passes.") },
};

const of = (assignment: string): unknown => {
  const { name, value } = parseAssignment(DECLARED, assignment);
  return [name, value];
};

describe("parseAssignment", () => {
  it.each([
    ["seed=0", "seed", 0],
    ["rl.steps=8", "rl.steps", 8],
    [" rl.steps = 8 ", "rl.steps", 8],
    ["rl.steps=1e2", "rl.steps", 100],
    ["rl.topP=.5", "rl.topP", 0.5],
    ["rl.topP=0", "rl.topP", 0],
    ["rl.topP=1e-6", "rl.topP", 1e-6],
    ["rl.schedule=constant", "rl.schedule", "constant"],
    ["run=mine", "run", "mine"],
    ["model=a=b/c", "model", "a=b/c"], // the first sign ends the name
  ])("reads %j", (assignment, name, value) => expect(of(assignment)).toEqual([name, value]));

  it.each([
    ["rl.steps=many", "setting rl.steps=many: expected a whole number of at least 1"],
    ["rl.steps=1.5", "setting rl.steps=1.5: expected a whole number of at least 1"],
    ["rl.steps=0", "setting rl.steps=0: expected a whole number of at least 1"],
    ["rl.steps=", "setting rl.steps=: expected a whole number of at least 1"],
    ["rl.steps=NaN", "expected a whole number"],
    ["rl.steps=Infinity", "expected a whole number"],
    ["seed=-1", "setting seed=-1: expected a whole number of at least 0"],
    ["rl.topP=-0.1", "setting rl.topP=-0.1: expected a number of at least 0"],
    ["rl.topP=Infinity", "expected a number of at least 0"],
    ["rl.topP=", "expected a number of at least 0"],
    ["rl.topP=0.5x", "expected a number of at least 0"],
    ["rl.schedule=Cosine", "setting rl.schedule=Cosine: expected one of constant, cosine"],
    ["run=A b", "setting run=A b: expected small letters only"],
    ["model=", "setting model=: expected a text"],
    ["seed", 'setting "seed": expected name=value'],
    ["=3", 'setting "=3": expected name=value'],
    ["", 'setting "": expected name=value'],
  ])("refuses %j, saying what is allowed", (assignment, message) => expect(() => of(assignment)).toThrow(message));

  it.each([
    [
      "rl.stepz=3",
      'unknown setting "rl.stepz"; did you mean rl.steps? Known here: rl.steps, rl.topP, rl.schedule (docs/settings.md)',
    ],
    ["sed=3", 'unknown setting "sed"; did you mean seed? Known here: run, model, seed (docs/settings.md)'],
    ["rl=3", 'unknown setting "rl"; known here: rl.steps, rl.topP, rl.schedule (docs/settings.md)'],
    ["steps=3", 'unknown setting "steps"; did you mean rl.steps? Known here: run, model, seed'],
    [
      "rx.steps=3",
      "did you mean rl.steps? Known here: run, model, seed, rl.steps, rl.topP, rl.schedule, sft.epochs (docs/settings.md)",
    ],
    ["seed.x=3", 'unknown setting "seed.x"'],
    ["rl.steps.default=3", 'unknown setting "rl.steps.default"'],
    ["__proto__.x=1", 'unknown setting "__proto__.x"'],
    ["constructor=1", 'unknown setting "constructor"'],
  ])("names the settings beside an unknown one: %j", (assignment, message) =>
    expect(() => of(assignment)).toThrow(message),
  );
});

describe("values", () => {
  it("are the defaults, in groups as declared", () => {
    const values: Values<typeof DECLARED> = defaultsOf(DECLARED);
    expect(values).toEqual({
      run: "main",
      model: "base",
      seed: 0,
      rl: { steps: 16, topP: 0.99, schedule: "cosine" },
      sft: { epochs: 3 },
    });
    expect(listed(DECLARED).map(({ name }) => name)).toEqual([
      "run",
      "model",
      "seed",
      "rl.steps",
      "rl.topP",
      "rl.schedule",
      "sft.epochs",
    ]);
  });

  it("are changed in a copy", () => {
    const values = defaultsOf(DECLARED);
    const changed = withSetting(withSetting(values, "rl.steps", 2), "seed", 7);
    expect(changed).toEqual({ ...values, seed: 7, rl: { ...values.rl, steps: 2 } });
    expect(values).toEqual(defaultsOf(DECLARED));
    expect(changed.sft).toBe(values.sft);
  });
});
