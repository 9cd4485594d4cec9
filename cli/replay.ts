/** `replay`: a stopped batch run again, and where its first number that is not finite comes from. */
import { openStoppedBatch, replayStopped } from "../lib/experiment/replay";
import { isSound, type Numbers, type Replay } from "../lib/train/replay";
import type { ReplayOptions } from "./commands/replay";
import { openFor } from "./experiment";
import { print, printJson, snakeCase } from "./output";

const DIGITS = 4;

const inWords = (numbers: Numbers): string =>
  Object.entries(numbers)
    .map(([name, value]) => `${name} ${Number.isFinite(value) ? value.toPrecision(DIGITS) : `${value} (not finite)`}`)
    .join(", ");

function lines({ parts, rows, badParameters, largestParameter }: Replay): string[] {
  const bad = rows.filter(({ numbers }) => !isSound(numbers));
  const shown = bad.length > 0 ? bad : rows;
  return [
    badParameters.length > 0
      ? `${badParameters.length} parameters hold values that are not finite, the first is ${badParameters[0]}`
      : `all parameters are finite; the largest value is ${largestParameter.toPrecision(DIGITS)}`,
    ...parts.map(({ name, numbers }) => `${name}: ${inWords(numbers)}`),
    `${bad.length} of ${rows.length} rows are not finite${bad.length > 0 ? ":" : "; all of them:"}`,
    ...shown.map(({ name, numbers }) => `  ${name}: ${inWords(numbers)}`),
  ];
}

/** JSON has no numbers that are not finite: they are printed as text. */
const printable = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, one: unknown) => (typeof one === "number" && !Number.isFinite(one) ? String(one) : one)),
  );

/** @returns exit code: 0 where all is finite this time; 2 where something is not */
export async function run({ json }: ReplayOptions, file: string): Promise<number> {
  const opened = openStoppedBatch(file);
  const experiment = await openFor(opened.settings);
  try {
    const replay = await replayStopped(opened, experiment);
    const { method, saved } = opened;
    if (json) printJson(printable(snakeCase({ method, step: saved.step, ...replay })));
    else print([`${method}, step ${saved.step}, learning rate ${saved.learningRate}`, ...lines(replay)].join("\n"));
    const sound = [...replay.parts, ...replay.rows].every(({ numbers }) => isSound(numbers));
    return sound && replay.badParameters.length === 0 ? 0 : 2;
  } finally {
    experiment.close();
  }
}
