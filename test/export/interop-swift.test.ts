/** What `npm run interop` makes of the logs of Hugging Face's trainers and of ms-swift's folders, without them. */
import { mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { compared, hfSteps } from "../../tools/interop/hf-steps";
import { checkpointIn } from "../../tools/interop/swift";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();

describe("a Hugging Face trainer's steps", () => {
  it("are those with a loss, each beside the same step here", () => {
    const log_history = [
      { step: 1, loss: 2.5, grad_norm: 24, learning_rate: 1e-3 },
      { step: 2, loss: 1.75, grad_norm: 3, learning_rate: 1e-3 },
      { step: 2, train_runtime: 9, train_loss: 2 },
    ];
    writeFileSync(path.join(folder, "trainer_state.json"), JSON.stringify({ log_history }));
    const steps = hfSteps(folder);
    expect(steps.map(({ step, loss }) => [step, loss])).toEqual([
      [1, 2.5],
      [2, 1.75],
    ]);
    const rest = { skipped: 0, learningRate: 1e-3, tokens: 9 };
    const own = [2.25, 1.5].map((loss, step) => ({ step, loss, gradNorm: 4 - step, ...rest }));
    expect(compared(steps, own)).toEqual([
      { step: 1, loss: { theirs: 2.5, here: 2.25 }, gradNorm: { theirs: 24, here: 4 } },
      { step: 2, loss: { theirs: 1.75, here: 1.5 }, gradNorm: { theirs: 3, here: 3 } },
    ]);
  });
});

describe("ms-swift's output", () => {
  it("has one checkpoint, whose log is read", () => {
    const output = path.join(folder, "output");
    mkdirSync(path.join(output, "runs"), { recursive: true });
    expect(() => checkpointIn(output)).toThrow(/0 checkpoints, one expected/);
    mkdirSync(path.join(output, "checkpoint-4"));
    expect(checkpointIn(output)).toBe(path.join(output, "checkpoint-4"));
    mkdirSync(path.join(output, "checkpoint-2"));
    expect(() => checkpointIn(output)).toThrow(/2 checkpoints, one expected/);
  });
});
