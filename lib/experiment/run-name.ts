/** The name of a run, which is that of its folder: from the settings in which it differs from its scale. */
import { createHash } from "node:crypto";
import * as path from "node:path";
import { listed, settingValue } from "../util/declared";
import { fittedSettings, scaleSettings, SETTINGS, type Settings } from "./settings";

/** Settings that say where things are and how a run is watched, not what it computes. */
const NO_RESULT = new Set([
  "run",
  "memory",
  "sft.saveSteps",
  "sft.saveTotalLimit",
  "rl.saveSteps",
  "rl.saveTotalLimit",
  "sets",
]);

/** Settings in which a run differs from its scale, by whole name, with their values. */
export function changedSettings(settings: Settings): { name: string; value: unknown }[] {
  const base = scaleSettings(settings.scale);
  return listed(SETTINGS).flatMap(({ name }) => {
    const value = settingValue(settings, name);
    return NO_RESULT.has(name) || value === settingValue(base, name) ? [] : [{ name, value }];
  });
}

const SLUG = 36;

/** Names of files and folders without their paths: `sets/dog+sets/pet` is `dog+pet`. */
const withoutPaths = (value: unknown): string =>
  String(value)
    .split("+")
    .map((one) => path.basename(one))
    .join("+");

/**
 * Name of the run of some settings: the scale's own (`main`, `smoke`, `paper`) where nothing is changed, else a
 * readable name and a hash, so that no run replaces another's results.
 */
export function runName(settings: Settings): string {
  const { run } = scaleSettings(settings.scale);
  const changed = changedSettings(settings);
  if (changed.length === 0) return run;
  const hash = createHash("sha256")
    .update(JSON.stringify([settings.scale, changed]))
    .digest("hex")
    .slice(0, 8);
  // what follows from the benchmark and the model by itself says nothing more
  const { benchmark, model } = settings;
  const fitted = fittedSettings({ ...scaleSettings(settings.scale), benchmark, model });
  const words = changed.flatMap(({ name, value }) => {
    if (name === "benchmark" || name === "model") return [withoutPaths(value)];
    return value === settingValue(fitted, name) ? [] : [`${name}-${withoutPaths(value)}`];
  });
  const slug = [...(settings.scale === "default" ? [] : [settings.scale]), ...words]
    .join("-")
    .replace(/[^A-Za-z0-9]+/g, "-");
  return `${slug.slice(0, SLUG).replace(/^-+|-+$/g, "")}-${hash}`;
}
