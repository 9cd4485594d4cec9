/** From a command's `--ray` options to a job on a Ray cluster that runs the same command on slices. */
import { rmSync } from "node:fs";
import * as path from "node:path";
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { tokenWarning } from "../lib/cluster/address";
import { clusterDisplay } from "../lib/cluster/display";
import { createJobsApi } from "../lib/cluster/jobs-api";
import { entrypoint, environmentOf, onNodes, writePlan, type ClusterTask } from "../lib/cluster/plan";
import { runJob } from "../lib/cluster/run-job";
import { wordsOf } from "../lib/cluster/words";
import { codeHash } from "../lib/experiment/identity";
import { repositoryRoot } from "../lib/util/root";
import { note } from "./output";
import { UsageError } from "./values";

export interface RayOptions {
  ray?: string;
  rayRoot?: string;
  rayCpus: number;
  rayGpus: number;
  rayRetries: number;
}

/** Options that are no task's: those of `--ray` itself, and what is printed at the end. */
const NOT_OF_A_TASK = [
  "ray",
  "rayRoot",
  "rayCpus",
  "rayGpus",
  "rayRetries",
  "rayParts",
  "rayTask",
  "installRay",
  "json",
];

/** The words of a task that it shares with the command line that was given. @param leave what its slice replaces */
export function sharedWords(build: () => unknown, values: object, leave: readonly string[]): string[] {
  const command = build() as CommandUnknownOpts;
  const options = command.options as Option[];
  return [command.name(), ...wordsOf(options, values as Record<string, unknown>, [...NOT_OF_A_TASK, ...leave])];
}

/** Where a task writes or reads on the nodes what is `place` here. */
export function placeOnNodes(place: string, { rayRoot }: Pick<RayOptions, "rayRoot">): string {
  const here = repositoryRoot();
  return onNodes(path.resolve(place), { here, there: rayRoot ?? here });
}

/**
 * Runs tasks on the cluster, with how they come on; Ctrl-C, or the signal where one is given, stops the job.
 * @param folder here, within what all nodes share: the plan is left in it, and locks of dead tasks are looked for
 * @throws Error where the cluster does not answer, or a task failed
 */
export async function runOnRay(
  options: RayOptions,
  {
    folder,
    tasks,
    name,
    signal,
  }: { folder: string; tasks: readonly ClusterTask[]; name: string; signal?: AbortSignal },
): Promise<void> {
  const { rayRoot, rayCpus: cpus, rayGpus: gpus, rayRetries: retries } = options;
  const address = options.ray!;
  const here = repositoryRoot();
  const there = rayRoot ?? here;
  if (!path.isAbsolute(there))
    throw new UsageError(`--ray-root is ${JSON.stringify(there)}; expected an absolute path`);
  const token = process.env.RAY_AUTH_TOKEN?.trim() || undefined;
  const warning = tokenWarning(address, token);
  if (warning !== null) note(warning);
  const api = createJobsApi(address, token);
  await api.version(); // says what is wrong with the address before anything is written
  const file = path.join(folder, "ray-plan.json");
  writePlan(file, {
    root: there,
    cwd: onNodes(process.cwd(), { here, there }),
    node: process.execPath,
    env: environmentOf(process.env, { code: codeHash(), cpus }),
    locks: onNodes(folder, { here, there }),
    cpus,
    gpus,
    retries,
    tasks,
  });
  const stop = new AbortController();
  const interrupted = (): void => {
    note("stopping the job; the same command goes on from what is saved (Ctrl-C again leaves it running)");
    stop.abort(new Error("the job was stopped; what was finished is saved, and the same command goes on from there"));
    process.off("SIGINT", interrupted);
  };
  if (signal === undefined) process.on("SIGINT", interrupted);
  try {
    await runJob(api, {
      entrypoint: entrypoint(there, onNodes(file, { here, there })),
      tasks: tasks.map(({ id }) => id),
      name,
      display: clusterDisplay(),
      signal: signal ?? stop.signal,
    });
    rmSync(file, { force: true }); // one machine leaves none; of a job that failed it stays to be looked at
  } finally {
    process.off("SIGINT", interrupted);
  }
}
