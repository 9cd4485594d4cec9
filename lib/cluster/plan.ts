/** What the driver (`driver.py`) is told: the tasks of a job, in a file that every node sees. */
import * as path from "node:path";
import type { Products } from "../engine/precision";
import { writeText } from "../util/files";

/** One command of this project on a part of the work. */
export interface ClusterTask {
  /** What people are shown; no two tasks have the same. */
  id: string;
  /** Words of the command line after `fine-r1`. */
  args: readonly string[];
  /** Tasks that are done before this one starts. */
  after: readonly string[];
  /**
   * What it writes, below the job's folder; `*` stands for any letters, `/` too. Of patterns of several tasks that
   * match a file, the one with the most letters decides; tasks with the same pattern only add files there. Asked for
   * where there is no shared folder.
   */
  writes: readonly string[];
}

/** How tasks are run. */
export interface TaskLimits {
  /** Cores and GPUs of one task. */
  cpus: number;
  gpus: number;
  /** Times that a task whose worker or node died is started again. */
  retries: number;
  /** Seconds to wait for a node that has the cores and GPUs of a task. */
  wait: number;
}

/** A store in place of a shared folder. */
export interface PlanStore {
  /** URL of the job's own folder in it. */
  url: string;
  /** The job's name: the last part of `url`. */
  job: string;
  /** What tasks see, below `data/runs`: the job's folder first, which they write to. */
  tops: readonly string[];
  /** Seconds between two times that a running task's files are put up. */
  every: number;
}

export interface Plan extends TaskLimits {
  /** The project's folder on the nodes, and the folder there that a command line's paths count from. */
  root: string;
  cwd: string;
  /** Node's own path here; taken where a node has it, else `node`. */
  node: string;
  env: Record<string, string>;
  /** Folder on the nodes that locks of a dead task are taken away in. */
  locks: string;
  store?: PlanStore;
  /** Where there is a store, `writes` count from `data/runs`. */
  tasks: readonly ClusterTask[];
}

/** Environment of this process that tasks get: what settings are read from. Keys stay here. */
const PASSED = ["FINE_R1_SCALE", "FINE_R1_RUN", "FINE_R1_SET"] as const;

/** Threads of TensorFlow: how sums round depends on their number. */
const THREADS = "TF_NUM_INTRAOP_THREADS";

/**
 * @param code hash of the code here: a node with another refuses its tasks
 * @param products what matrix products are computed in here: likewise
 * @param cpus cores of a task: so many threads, unless this process was told another number
 */
export function environmentOf(
  environment: Readonly<Record<string, string | undefined>>,
  { code, products, cpus }: { code: string; products: Products; cpus: number },
): Plan["env"] {
  const passed = PASSED.flatMap((name): [string, string][] => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value]];
  });
  const threads = environment[THREADS] ?? String(cpus);
  return {
    ...Object.fromEntries(passed),
    [THREADS]: threads,
    [CODE_VARIABLE]: code,
    [PRODUCTS_VARIABLE]: products,
    NO_COLOR: "1",
  };
}

/** Hash of the code that a task is to run. */
export const CODE_VARIABLE = "FINE_R1_CODE";
/** What a task's matrix products are to be computed in. */
export const PRODUCTS_VARIABLE = "FINE_R1_PRODUCTS";

/** The same place on the nodes, where the project is in `there`; what lies outside the project is the same path. */
export function onNodes(place: string, { here, there }: { here: string; there: string }): string {
  const relative = path.relative(here, place);
  const isOutside = relative === ".." || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative);
  return isOutside ? place : path.join(there, relative);
}

/** @throws Error where two tasks have one id, or one waits for a task that is not before it */
export function checkTasks(tasks: readonly ClusterTask[]): void {
  const known = new Set<string>();
  for (const { id, after } of tasks) {
    const missing = after.find((one) => !known.has(one));
    if (missing !== undefined) throw new Error(`task "${id}" waits for "${missing}", which is not before it`);
    if (known.has(id)) throw new Error(`two tasks are called "${id}"`);
    known.add(id);
  }
}

export function writePlan(file: string, plan: Plan): void {
  checkTasks(plan.tasks);
  writeText(file, `${JSON.stringify(plan, null, 1)}\n`);
}

/** A word as a POSIX shell takes it. */
export const quoted = (word: string): string => `'${word.replace(/'/g, `'\\''`)}'`;

/** The same, as it is where a shell takes it so: for commands that people are shown and copy. */
export const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : quoted(word));

/**
 * The job's command: the driver, by the Python of `--install-ray` where the node has that, else by `python3`, which is
 * the one that Ray runs with in its images.
 * @param plan a file, or a URL in a store
 */
export function entrypoint(root: string, plan: string): string {
  const python = quoted(path.posix.join(root, ".venv-ray/bin/python"));
  const driver = quoted(path.posix.join(root, "lib/cluster/driver.py"));
  return `P=${python}; [ -x "$P" ] || P=python3; exec "$P" ${driver} ${quoted(plan)}`;
}
