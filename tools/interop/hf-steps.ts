/** Steps of trainers that are built on Hugging Face's, beside this project's. */
import * as path from "node:path";
import type { Experiment } from "../../lib/experiment/types";
import type { SftLog } from "../../lib/train/sft";
import { readJsonObject } from "../../lib/util/files";
import type { Compared, Training } from "./report";
import { firstLoss, ownSft } from "./sft";

/** A logged step: loss in nats a scored token, norm of the gradient before clipping. */
export interface HfStep {
  step: number;
  loss: number;
  grad_norm: number;
}

/** Logged steps of a Hugging Face trainer. @param folder that has its `trainer_state.json` */
export function hfSteps(folder: string): HfStep[] {
  const { log_history } = readJsonObject(path.join(folder, "trainer_state.json"));
  return (log_history as { step: number; loss?: number; grad_norm: number }[]).flatMap((row) =>
    row.loss === undefined ? [] : [{ ...row, loss: row.loss }],
  );
}

/** Each of their steps beside the same step here. */
export const compared = (theirs: readonly HfStep[], own: readonly SftLog[]): Compared[] =>
  theirs.map(({ step, loss, grad_norm }, i) => ({
    step,
    loss: { theirs: loss, here: own[i].loss! },
    gradNorm: { theirs: grad_norm, here: own[i].gradNorm! },
  }));

/**
 * The same Stage 1 here as that of an engine that counts the line break behind <|im_end|>: the first loss with it, the
 * others as this project trains.
 */
export async function besideLineBreak(
  experiment: Experiment,
  theirs: readonly HfStep[],
  { engine, versions, notes = [] }: Pick<Training, "engine" | "versions"> & { notes?: string[] },
): Promise<Training> {
  const own = await firstLoss(experiment, experiment.base);
  const withBreak = await firstLoss(experiment, experiment.base, { newline: true });
  const log = await ownSft(experiment);
  const [first] = compared(theirs.slice(0, 1), log);
  const losses = (steps: readonly { loss?: number | null }[]): string =>
    steps.map(({ loss }) => loss!.toFixed(4)).join(", ");
  return {
    engine,
    what: "SFT (Stage 1)",
    versions,
    rows: withBreak.rows,
    tokens: withBreak.tokens,
    steps: [{ ...first, loss: { ...first.loss, here: withBreak.loss } }],
    notes: [
      `${engine} counts the line break behind <|im_end|>: the first loss here is taken with it, on ${withBreak.tokens} tokens. Without it, as this project trains, it is ${own.loss.toFixed(5)} on ${own.tokens}; the gradient norm here is of that loss.`,
      `${engine}'s losses of all steps: ${losses(theirs)}; here, without the line break: ${losses(log)}.`,
      ...notes,
    ],
  };
}
