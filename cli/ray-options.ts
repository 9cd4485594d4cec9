/** Which options go with `--ray` and which do not: none is ignored without a word. */

/** Options that say how `--ray` works, each with what it goes with. */
const GOES_WITH: readonly (readonly [string, string, string])[] = [
  ["rayRoot", "--ray-root", "ray"],
  ["rayStore", "--ray-store", "ray"],
  ["rayStoreEvery", "--ray-store-every", "ray"],
  ["rayCpus", "--ray-cpus", "ray"],
  ["rayGpus", "--ray-gpus", "ray"],
  ["rayRetries", "--ray-retries", "ray"],
  ["rayWait", "--ray-wait", "ray"],
  ["rayParts", "--ray-parts", "ray"],
  ["rayStoreEvery", "--ray-store-every", "rayStore"],
];
const SHOWN: Readonly<Record<string, string>> = { ray: "--ray ADDRESS", rayStore: "--ray-store URL" };

/** Options with which nothing is run, so that there is nothing to spread. */
const RUNS_NOTHING = [
  ["list", "--list"],
  ["table", "--table"],
] as const;

/**
 * What is wrong with a command line; null for nothing.
 * @param isGiven whether an option stands on it, by its name as a property
 */
export function rayFault(isGiven: (name: string) => boolean): string | null {
  const alone = GOES_WITH.find(([name, , other]) => isGiven(name) && !isGiven(other));
  if (alone !== undefined) return `${alone[1]} goes with ${SHOWN[alone[2]]}`;
  const idle = RUNS_NOTHING.find(([name]) => isGiven("ray") && isGiven(name));
  return idle === undefined ? null : `${idle[1]} runs nothing, so it does not go with --ray`;
}
