/**
 * The settings of a run, from a scale, the environment, assignments, or the file that a run left. The scale comes from
 * `FINE_R1_SCALE`, single settings from `FINE_R1_SET="rl.steps=8,seed=1"` or from code: `loadSettings({ scale: "smoke",
 * set: ["sft.epochs=1"] })`. Unknown names and wrong values are errors.
 */
import { groupsOfMicroBatches, MICRO_BATCH_SIZE } from "../loss/micro-batch";
import { DIFFUSION_STEPS } from "../train/noise-schedule";
import { listed, parseAssignment, settingValue, withSetting } from "../util/declared";
import { shortened, shownValue } from "../util/json-text";
import { trainedPrompts } from "./model-folder";
import { runName } from "./run-name";
import { baseOf, fittedSettings, SCALES, scaleSettings, SETTINGS, SHIPPED_BASE, STUDY_BASE } from "./settings";
import type { Settings } from "./settings";

/** Where settings may come from. */
export interface SettingsSource {
  scale?: string;
  run?: string;
  /** `name=value` assignments, applied last. */
  set?: readonly string[];
  environment?: Record<string, string | undefined>;
}

const isSet = (assignments: readonly string[], name: string): string | undefined =>
  assignments.filter((one) => one.slice(0, one.indexOf("=")).trim() === name).pop();

/**
 * Settings from scale, environment (`FINE_R1_SCALE`, `FINE_R1_RUN`, `FINE_R1_SET`) and assignments, in that order.
 * Where no scale is named it is `default`, or `paper` for a model that is not the shipped base. A run that no name is
 * given for has that of `runName`.
 * @throws Error on an unknown scale, name or value, or a run name that is no plain word
 */
export function loadSettings(source: SettingsSource = {}): Settings {
  const environment = source.environment ?? process.env;
  const inEnvironment = (environment.FINE_R1_SET ?? "").split(",").filter((one) => one.trim() !== "");
  const assignments = [...inEnvironment, ...(source.set ?? [])];
  const model = isSet(assignments, "model")?.replace(/^[^=]*=\s*/, "");
  // a published checkpoint is trained with the paper's values, unless a scale is named; one made from the tiny base not
  const isTiny =
    model === undefined || model === SHIPPED_BASE || model === STUDY_BASE || trainedPrompts({ model }) === "tiny";
  const fits = isTiny ? "default" : "paper";
  const name = source.scale ?? (environment.FINE_R1_SCALE || fits);
  const scale = SCALES.find((one) => one === name);
  if (!scale) throw new Error(`unknown scale ${shownValue(name)}; expected one of ${SCALES.join(", ")}`);
  const chosen = (of: string): string[] => {
    const last = isSet(assignments, of);
    return last === undefined ? [] : [last];
  };
  const asked = changeSettings(scaleSettings(scale), chosen("benchmark"));
  const own = scale === "paper" ? asked : { ...asked, model: baseOf(asked.benchmark) };
  const first = changeSettings(own, chosen("model"));
  const settings = changeSettings(fittedSettings(first), assignments);
  const run = source.run ?? (environment.FINE_R1_RUN || undefined);
  const unnamed = { ...settings, run: runName(settings) };
  if (run === undefined && isSet(assignments, "run") === undefined) return unnamed;
  const named = run === undefined ? settings : changeSettings(settings, [`run=${run}`]);
  checkRunName(named, unnamed.run);
  return named;
}

/** @throws Error where a run has the name of a scale that it is not: it would replace that scale's results */
function checkRunName({ run, scale }: Settings, own: string): void {
  const owner = SCALES.find((one) => scaleSettings(one).run === run);
  if (owner === undefined || run === own) return;
  const why = owner === scale ? "settings are changed here" : `the scale here is ${scale}`;
  throw new Error(
    `run ${run}: the name of the scale ${owner} with nothing changed, and ${why}; leave the name out (${own}) or choose another`,
  );
}

/**
 * Settings with some `name=value` assigned, in that order; the run's name stays.
 * @throws Error on an unknown name, a value that is not allowed, or values that do not go together
 */
export function changeSettings(given: Settings, assignments: readonly string[]): Settings {
  let settings = given;
  for (const assignment of assignments) {
    if (/^\s*scale\s*=/.test(assignment))
      throw new Error(
        `setting ${shortened(assignment)}: choose the scale by FINE_R1_SCALE, --scale or loadSettings({ scale })`,
      );
    const { name, value } = parseAssignment(SETTINGS, assignment);
    settings = withSetting(settings, name, value);
  }
  checkTogether(settings);
  return settings;
}

/**
 * Settings as a run left them in a file, checked as those of a command line are.
 * @param where named in errors
 * @throws Error where they are none, or have a value that is not allowed
 */
export function settingsFromJson(json: unknown, where: string): Settings {
  const given = json as Settings | null;
  const scale = SCALES.find((one) => one === given?.scale);
  if (!given || !scale) throw new Error(`${where}: no settings of a run (a scale of ${SCALES.join(", ")} expected)`);
  const assignments = listed(SETTINGS).flatMap(({ name }) => {
    const value = settingValue(given, name);
    return value === undefined ? [] : [`${name}=${String(value)}`];
  });
  try {
    return changeSettings(scaleSettings(scale), assignments);
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws Error where a number lies outside its range */
function checkRanges({ cot, rl, sft }: Settings): void {
  const check = (name: string, value: number, isRight: boolean, expected: string): void => {
    if (!isRight) throw new Error(`setting ${name}=${value}: expected ${expected}`);
  };
  check("cot.temperature", cot.temperature, cot.temperature > 0, "more than 0");
  check("rl.temperature", rl.temperature, rl.temperature > 0, "more than 0: a group of equal answers teaches nothing");
  check("rl.topP", rl.topP, rl.topP > 0 && rl.topP <= 1, "a probability, more than 0 and at most 1");
  check("rl.openShare", rl.openShare, rl.openShare <= 1, "a share from 0 to 1");
  check("rl.maskRatio", rl.maskRatio, rl.maskRatio <= 1, "a share from 0 to 1");
  check(
    "rl.numGenerations",
    rl.numGenerations,
    rl.numGenerations >= 2,
    "at least 2: a group is compared with its mean",
  );
  const most = sft.batchSize - 1;
  check("sft.replayRows", sft.replayRows, sft.replayRows <= most, `0 to ${most} (sft.batchSize - 1)`);
}

/** @throws Error where values do not go together */
function checkTogether(settings: Settings): void {
  checkRanges(settings);
  const { rl } = settings;
  const { numGenerations, positiveGenerations, groupsPerStep, updatesPerStep, gradientAccumulationSteps } = rl;
  if (positiveGenerations >= numGenerations)
    throw new Error(
      `setting rl.positiveGenerations=${positiveGenerations}: expected 0 to ${numGenerations - 1} (rl.numGenerations - 1)`,
    );
  if (rl.gaussianNoiseStep >= DIFFUSION_STEPS)
    throw new Error(`setting rl.gaussianNoiseStep=${rl.gaussianNoiseStep}: expected 0 to ${DIFFUSION_STEPS - 1}`);
  if (groupsPerStep % updatesPerStep !== 0)
    throw new Error(
      `setting rl.groupsPerStep=${groupsPerStep}: expected a multiple of rl.updatesPerStep (${updatesPerStep})`,
    );
  if (rl.replayRows % gradientAccumulationSteps !== 0)
    throw new Error(
      `setting rl.replayRows=${rl.replayRows}: expected a multiple of rl.gradientAccumulationSteps (${gradientAccumulationSteps})`,
    );
  const groups = groupsPerStep / updatesPerStep;
  if (groups % gradientAccumulationSteps !== 0)
    throw new Error(
      `setting rl.gradientAccumulationSteps=${gradientAccumulationSteps}: expected a divisor of the ${groups} groups of an update`,
    );
  checkMicroBatches(rl);
}

/** @throws Error where a part of an update does not split into micro-batches, with what to set */
function checkMicroBatches(rl: Settings["rl"]): void {
  const { lossAverage, groupsPerStep, updatesPerStep, numGenerations, replayRows } = rl;
  if (lossAverage !== "micro-batch") return;
  const fits = groupsOfMicroBatches(numGenerations);
  const groups = groupsPerStep / updatesPerStep;
  const isWhole = (parts: number): boolean => groups % parts === 0 && (groups / parts) % fits === 0;
  const parts = rl.gradientAccumulationSteps;
  if (isWhole(parts)) return;
  const fewer = Array.from({ length: parts }, (_, i) => parts - i).find((p) => isWhole(p) && replayRows % p === 0);
  const rows = (groups / parts) * numGenerations;
  throw new Error(
    `setting rl.lossAverage=micro-batch: a part of an update has ${rows} responses (${groups / parts} of its ${groups} groups, rl.gradientAccumulationSteps=${parts}, rl.numGenerations=${numGenerations}), which do not split into micro-batches of ${MICRO_BATCH_SIZE}; ` +
      (fewer === undefined
        ? `set rl.numGenerations to a multiple of ${MICRO_BATCH_SIZE}, or rl.groupsPerStep so that an update has a multiple of ${fits} groups`
        : `set rl.gradientAccumulationSteps=${fewer}`),
  );
}
