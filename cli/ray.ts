/** From a command's `--ray` options to a job on a Ray cluster that runs the same command on slices. */
import { existsSync, rmSync } from "node:fs";
import * as path from "node:path";
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { tokenWarning } from "../lib/cluster/address";
import { clusterDisplay } from "../lib/cluster/display";
import { openJobStore, type JobStore } from "../lib/cluster/job-store";
import { createJobsApi } from "../lib/cluster/jobs-api";
import {
  checkTasks,
  entrypoint,
  environmentOf,
  onNodes,
  writePlan,
  type ClusterTask,
  type Plan,
} from "../lib/cluster/plan";
import { runJob } from "../lib/cluster/run-job";
import { productsAsked } from "../lib/cluster/same-products";
import { wordsOf } from "../lib/cluster/words";
import { codeHash } from "../lib/experiment/identity";
import { runsFolder } from "../lib/experiment/run";
import type { Settings } from "../lib/experiment/settings";
import { repositoryRoot } from "../lib/util/root";
import { note } from "./output";
import { UsageError } from "./values";

export interface RayOptions {
  ray?: string;
  rayRoot?: string;
  rayStore?: string;
  rayStoreEvery: number;
  rayCpus: number;
  rayGpus: number;
  rayRetries: number;
  rayWait: number;
}

/** Options that are no task's: those of `--ray` itself, and what is printed at the end. */
const NOT_OF_A_TASK = [
  "ray",
  "rayRoot",
  "rayStore",
  "rayStoreEvery",
  "rayCpus",
  "rayGpus",
  "rayRetries",
  "rayWait",
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

/** What tasks are, and where. */
export interface RayWork {
  /** Here: the plan is left in it, and locks of dead tasks are looked for. All nodes share it, or there is a store. */
  folder: string;
  tasks: readonly ClusterTask[];
  name: string;
  /** Of the run: a model below `data/runs` that it names is put into the store. */
  settings: Settings;
  /** Files and folders that tasks read besides. */
  reads?: readonly string[];
  /** What a killed command has left in the store is not gone on with. */
  anew?: boolean;
  signal?: AbortSignal;
}

/** Settings that name a file or folder. */
const PLACES = ["model", "start", "triplets", "teacher", "similarity"] as const satisfies readonly (keyof Settings)[];

/** A place below `data/runs`, with `/`; null where it is elsewhere. */
function belowRuns(place: string): string | null {
  const relative = path.relative(runsFolder(), place).split(path.sep).join("/");
  return relative === "" || relative === ".." || relative.startsWith("../") || path.isAbsolute(relative)
    ? null
    : relative;
}

/** The store of a job; null where all nodes share a folder. @throws UsageError where its folder cannot be in one */
function storeOf(options: RayOptions, { folder, settings, reads = [] }: RayWork): JobStore | null {
  const { rayStore: url, rayStoreEvery: every } = options;
  if (url === undefined) return null;
  const top = belowRuns(folder);
  if (top === null || /[*\\]|^\.|\/\./.test(top))
    throw new UsageError(
      `--ray-store carries what is below data/runs, and ${folder} is not, or its name has a * or a folder that begins with a dot; choose another place (--out)`,
    );
  const named = PLACES.map((name) => path.resolve(repositoryRoot(), settings[name]));
  const inputs = [...named, ...reads].flatMap((place) => (existsSync(place) ? (belowRuns(place) ?? []) : []));
  return openJobStore(repositoryRoot(), { url, tops: [...new Set([top, ...inputs])], every });
}

/** Fetches what is done. Where the job failed, a store that fails too is said, and the job's own error stays. */
async function collected(store: JobStore, plan: Plan): Promise<void> {
  const { fetched, moved } = await store.collect(plan);
  note(`${fetched} files fetched from ${store.told.url}`);
  for (const place of moved)
    note(`files that had changed here are in data/runs/${place}; remove it when you need them no more`);
}

/**
 * Runs tasks on the cluster, with how they come on; Ctrl-C, or the signal where one is given, stops the job.
 * @throws Error where the cluster does not answer, a task failed, or the store cannot be used
 */
export async function runOnRay(options: RayOptions, work: RayWork): Promise<void> {
  const { folder, name, signal, anew = false } = work;
  const { rayRoot, rayCpus: cpus, rayGpus: gpus, rayRetries: retries, rayWait: wait } = options;
  const address = options.ray!;
  const here = repositoryRoot();
  const there = rayRoot ?? here;
  if (!path.isAbsolute(there))
    throw new UsageError(`--ray-root is ${JSON.stringify(there)}; expected an absolute path`);
  const store = storeOf(options, work);
  const token = process.env.RAY_AUTH_TOKEN?.trim() || undefined;
  const warning = tokenWarning(address, token);
  if (warning !== null) note(warning);
  const api = createJobsApi(address, token);
  await api.version(); // says what is wrong with the address before anything is written
  const file = path.join(folder, "ray-plan.json");
  const common = {
    root: there,
    cwd: onNodes(process.cwd(), { here, there }),
    node: process.execPath,
    env: environmentOf(process.env, { code: codeHash(), products: productsAsked(work.settings), cpus }),
    locks: onNodes(folder, { here, there }),
    cpus,
    gpus,
    retries,
    wait,
  };
  const plan: Plan = store === null ? { ...common, tasks: work.tasks } : planInStore(common, store, work.tasks);
  if (store === null) writePlan(file, plan);
  else for (const left of await store.begin(plan, anew)) note(`an earlier job in the store, not taken: ${left}`);
  const stop = new AbortController();
  const interrupted = (): void => {
    note("stopping the job; the same command goes on from what is saved (Ctrl-C again leaves it running)");
    stop.abort(new Error("the job was stopped; what was finished is saved, and the same command goes on from there"));
    process.off("SIGINT", interrupted);
  };
  if (signal === undefined) process.on("SIGINT", interrupted);
  try {
    await runJob(api, {
      entrypoint: entrypoint(there, store?.plan ?? onNodes(file, { here, there })),
      tasks: work.tasks.map(({ id }) => id),
      name,
      display: clusterDisplay(),
      signal: signal ?? stop.signal,
    });
  } catch (error) {
    if (store !== null) await collected(store, plan).catch((other: unknown) => note((other as Error).message));
    throw error;
  } finally {
    process.off("SIGINT", interrupted);
  }
  if (store === null) return rmSync(file, { force: true }); // one machine leaves none; of a job that failed it stays to be looked at
  await collected(store, plan);
  await store.end();
}

/** The plan of a job with a store: what tasks write counts from `data/runs`. */
function planInStore(common: Omit<Plan, "tasks">, { told }: JobStore, tasks: readonly ClusterTask[]): Plan {
  const whole = tasks.map((task) => ({ ...task, writes: task.writes.map((name) => `${told.tops[0]}/${name}`) }));
  checkTasks(whole);
  return { ...common, store: told, tasks: whole };
}
