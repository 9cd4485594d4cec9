/** A job's files in a store, from the machine that gave the command: `store_job.py` moves them. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import * as path from "node:path";
import type { Plan, PlanStore } from "./plan";

/** Of a store, what a command asks. */
export interface JobStore {
  /** What the plan says of it. */
  readonly told: PlanStore;
  /** URL of the plan. */
  readonly plan: string;
  /**
   * Fetches what jobs of an earlier, killed command have left (not with `anew`), then puts up what is here, and the
   * plan.
   * @returns what of earlier jobs was not taken, and why, for people
   * @throws Error where the store cannot be used; nothing runs then
   */
  begin(plan: Plan, anew: boolean): Promise<string[]>;
  /**
   * Fetches what tasks have left, each whole or not at all. What is here, unlike before the job, is moved aside.
   * @returns how many files, and the folders below `data/runs` that hold what was moved
   * @throws Error where it cannot be fetched; a task that was not fetched has changed nothing here
   */
  collect(plan: Plan): Promise<{ fetched: number; moved: string[] }>;
  /** Removes the job, and earlier ones that `begin` found, from the store. */
  end(): Promise<void>;
}

const two = (n: number): string => String(n).padStart(2, "0");

/** `job-20260131235959-0123abcd`: in order of time. */
export function jobName(now: Date = new Date(), random: string = randomBytes(4).toString("hex")): string {
  const parts = [now.getUTCMonth() + 1, now.getUTCDate(), now.getUTCHours(), now.getUTCMinutes(), now.getUTCSeconds()];
  return `job-${now.getUTCFullYear()}${parts.map(two).join("")}-${random}`;
}

/** Runs `store_job.py`. @throws Error with its last line */
function ask(root: string, request: Record<string, unknown>): Promise<Record<string, unknown>> {
  const own = path.join(root, ".venv-ray/bin/python");
  const child = spawn(existsSync(own) ? own : "python3", ["-B", path.join(root, "lib/cluster/store_job.py")], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => (output[name] += text));
  child.stdin.on("error", () => undefined); // its end says why
  child.stdin.end(JSON.stringify(request));
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`--ray-store: Python cannot be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      const last = output.stderr.trim().split("\n").slice(-1)[0];
      if (code === 0) resolve(JSON.parse(output.stdout) as Record<string, unknown>);
      else reject(new Error(last === "" ? `--ray-store: store_job.py ended with ${signal ?? code}` : last));
    });
  });
}

/**
 * @param root the project here
 * @param url of the store
 * @param tops below `data/runs`: the job's folder, then what its tasks read besides
 * @param every seconds between two times that a running task's files are put up
 */
export function openJobStore(
  root: string,
  { url, tops, every }: { url: string; tops: readonly string[]; every: number },
): JobStore {
  const [folder] = tops;
  const job = jobName();
  const told = { url: `${url}/${folder}/${job}`, job, tops, every };
  const common = { url, folder, runs: path.join(root, "data/runs") };
  let jobs = [job];
  return {
    told,
    plan: `${told.url}/plan.json`,
    begin: async (plan, anew) => {
      const answer = await ask(root, { ...common, action: "begin", plan, anew });
      const { earlier, left, broken } = answer as Record<"earlier" | "left" | "broken", string[]>;
      jobs = [...earlier, job];
      return [...left.map((task) => `${task}: its files have changed here since`), ...broken];
    },
    collect: async (plan) =>
      (await ask(root, { ...common, action: "collect", plan })) as { fetched: number; moved: string[] },
    end: async () => void (await ask(root, { ...common, action: "end", jobs })),
  };
}
