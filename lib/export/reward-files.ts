/** The Python files that go with an export, and what the reward counts. */
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Settings } from "../experiment/settings";

/** Share of the format in the reward (lib/reward/reward.ts). */
export const FORMAT_WEIGHT = 0.1;

/** Copies scripts of `lib/export/python`. */
export function copyPython(folder: string, names: readonly string[]): void {
  for (const name of names)
    writeFileSync(path.join(folder, name), readFileSync(path.join(__dirname, "python", name), "utf8"));
}

/** `reward.py` and `reward.json`: the reward as the settings have it. */
export function writeReward(
  folder: string,
  { rl }: Pick<Settings, "rl">,
  names: Readonly<Record<string, readonly string[]>>,
): void {
  copyPython(folder, ["reward.py"]);
  const told = { strict: rl.reward === "strict", format_weight: FORMAT_WEIGHT, names };
  writeFileSync(path.join(folder, "reward.json"), `${JSON.stringify(told, null, 1)}\n`);
}
