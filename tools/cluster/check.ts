/**
 * `npm run cluster-check`: a smoke sweep and an evaluation on two hosts that are network namespaces of this machine,
 * one of which is cut off mid-way, and rationales, beside the same on one machine; the sweep also without a shared
 * folder, through a store. Exits 1 where their results differ. Not a part of `npm test`: it needs root, `ip netns` and
 * Ray (`npm run -s fine-r1 -- ablations --install-ray`). With `--speed` it times eight variants on one node and on two
 * instead, on a machine that has nothing else to do, and exits 1 where two are less than 1.7 times as fast. What it
 * found is written to docs/cluster.json and docs/cluster.md. `study` is left out: it writes to docs/study.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import { manifestFile } from "../../lib/eval/prediction-log";
import { root } from "../environment";
import { listening, makeHosts, reasonAgainstHosts, start, type Host } from "./hosts";
import { circumstances, LEAST_SPEED_UP, record, speedUp, type Finding } from "./report";
import { differences } from "./same-results";
import { SPEED_STEPS, SPEED_SWEEP, SPEED_VARIANTS } from "./speed-sweep";

const ray = path.join(root, ".venv-ray/bin/ray");
const runs = path.join(root, "data/runs");
const SWEEP = ["ablations", "--scale=smoke", "--only=base,sft,cls-rl", "--seeds=0,1", "--set=rl.steps=4"];
const QUESTIONS = [
  "evaluate",
  "--model=data/base",
  "--setting=closed",
  "--scale=smoke",
  "--limit=60",
  "--batch-size=8",
];
const RATIONALES = [
  "cot",
  "--scale=smoke",
  "--teacher=self",
  "--set=cot.subCategories=13",
  "--set=cot.descriptionsPerImage=2",
  "--set=cot.beliefSamples=2",
];
const say = (text: string): void => void process.stderr.write(`cluster-check: ${text}\n`);
const fineR1 = (...args: string[]): string[] => [
  process.execPath,
  "--import",
  "tsx",
  path.join(root, "cli/fine-r1.ts"),
  ...args,
];
/** One thread, as a task of one core has it: how sums round depends on their number. */
const ONE_THREAD = { ...process.env, TF_NUM_INTRAOP_THREADS: "1", NO_COLOR: "1" };

function onOneMachine(args: string[]): void {
  const [command, ...rest] = fineR1(...args);
  const { status, stderr } = spawnSync(command, rest, { cwd: root, env: ONE_THREAD, encoding: "utf8" });
  if (status !== 0) throw new Error(`on one machine: ${stderr.trim().split("\n").slice(-1)[0]}`);
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits for something. @throws Error naming it, where it does not come */
async function until(what: string, seconds: number, there: () => boolean): Promise<void> {
  for (const begun = Date.now(); !there(); await pause(50))
    if (Date.now() - begun > 1000 * seconds) throw new Error(`${what} did not come in ${seconds} s`);
}

/** A lock below a folder that a process of a host holds. */
function lockOf(folder: string, host: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  return (readdirSync(folder, { recursive: true }) as string[]).find((file) => {
    if (!file.endsWith(".lock")) return false;
    try {
      return (JSON.parse(readFileSync(path.join(folder, file), "utf8")) as { host?: string }).host === host;
    } catch {
      return false; // given back meanwhile
    }
  });
}

const NODE = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"];
const temporary = `/tmp/fr1-${process.pid}`;
const headWords = (address: string, place: string): string[] => [
  ray,
  "start",
  "--head",
  "--port=6379",
  `--node-ip-address=${address}`,
  `--dashboard-host=${address}`,
  `--temp-dir=${path.join(temporary, place)}`,
  ...NODE,
];

/** Starts a node. @returns whether it came up */
async function startNode(host: Host, words: readonly string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  let output = "";
  let isOver = false;
  const { ended } = start(host, words, { env, onOutput: (text) => (output += text) });
  void ended.then(() => (isOver = true));
  const isUp = (): boolean => /Ray runtime started/.test(output);
  await until("a node", 240, () => isUp() || isOver);
  if (!isUp()) say(output.trim().split("\n").slice(-3).join(" | "));
  return isUp();
}

async function startHead(head: Host, address: string, env: NodeJS.ProcessEnv): Promise<void> {
  if (!(await startNode(head, headWords(address, address), env))) throw new Error("the first node did not start");
}

const joinCluster = (head: Host, worker: Host, env: NodeJS.ProcessEnv): Promise<boolean> =>
  startNode(
    worker,
    [ray, "start", `--address=${head.address}:6379`, `--node-ip-address=${worker.address}`, ...NODE],
    env,
  );

/** Kills a Ray worker of a host that runs a task. @returns whether there was one */
function killWorker(host: Host, task: RegExp): boolean {
  const title = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      return ""; // gone meanwhile
    }
  };
  const pid = host.pids().find((one) => task.test(title(one)));
  if (pid !== undefined) process.kill(pid, "SIGKILL");
  return pid !== undefined;
}

const onAllInterfaces = (host: Host): string[] =>
  listening(host).filter((place) => /^(\*|0\.0\.0\.0|\[::\]):/.test(place));

const existsPid = (hosts: readonly Host[]): boolean => hosts.some((host) => host.pids().length > 0);

/** The same host with a `data/runs` of its own, at the path that all have. */
const apart = (host: Host, own: string): Host => ({
  ...host,
  on: [...host.on, "unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', own, runs],
});

interface StoreCheck {
  head: Host;
  worker: Host;
  address: string;
  env: NodeJS.ProcessEnv;
  /** The run of one machine, and this one. */
  one: string;
  name: string;
}

/** The sweep on hosts with nothing between them but a store; the second is cut off while it trains. */
async function checkStore({ head, worker, address, env, one, name }: StoreCheck): Promise<Finding[]> {
  const own = (place: string): string => path.join(temporary, place);
  for (const place of ["head-runs", "worker-runs", "store"]) mkdirSync(own(place), { recursive: true });
  say("the sweep on two hosts without a shared folder; the second is cut off while it trains …");
  await startHead(apart(head, own("head-runs")), head.address, env);
  if (!(await joinCluster(head, apart(worker, own("worker-runs")), env)))
    throw new Error("the second node did not join");
  const store = `file://${own("store")}`;
  const words = [...SWEEP, `--run=${name}`, `--ray=${address}`, `--ray-store=${store}`, "--ray-store-every=1"];
  const sweep = start(head, fineR1(...words), { env, onOutput: (text) => process.stderr.write(text) });
  const there = path.join(own("worker-runs"), name);
  await until("a lock of the second host", 240, () => lockOf(there, worker.name) !== undefined);
  worker.cut();
  const { code, output } = await sweep.ended;
  const { compared, differ } = differences(path.join(runs, one), path.join(runs, name));
  const left = readdirSync(own("store"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const findings = [
    {
      what: "without a shared folder, a node that dies is done without",
      good: code === 0 && /started again/.test(output),
      details: `exit code ${code}`,
    },
    {
      what: "the files from the store are those of one machine",
      good: compared > 0 && differ.length === 0,
      details: differ.join(", ") || `${compared} files equal`,
    },
    { what: "the store is empty in the end", good: left.length === 0, details: `${left.length} files left` },
  ];
  for (const { what, good, details } of findings) say(`${good ? "good" : "WRONG"}: ${what}: ${details}`);
  return findings;
}

async function check(): Promise<Finding[]> {
  const findings: Finding[] = [];
  const find = (what: string, good: boolean, details: string): void => {
    findings.push({ what, good, details });
    say(`${good ? "good" : "WRONG"}: ${what}: ${details}`);
  };
  const names = {
    one: `cluster-check-one-${process.pid}`,
    two: `cluster-check-two-${process.pid}`,
    three: `cluster-check-three-${process.pid}`,
    cotOne: `cluster-check-cot-one-${process.pid}`,
    cotTwo: `cluster-check-cot-two-${process.pid}`,
  };
  const folder = (name: string): string => path.join(runs, name);
  const env = { ...ONE_THREAD, RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN: randomBytes(32).toString("hex") };
  const { hosts, remove } = makeHosts(["fr1-head", "fr1-worker"]);
  const [head, worker] = hosts;
  const address = `http://${head.address}:8265`;
  try {
    say("the sweep on one machine …");
    onOneMachine([...SWEEP, `--run=${names.one}`]);
    say("Ray on the loopback address …");
    await startHead(head, "127.0.0.1", env);
    const beyond = onAllInterfaces(head);
    find("Ray on 127.0.0.1 listens there alone", beyond.length === 0, beyond.join(", ") || listening(head).join(", "));
    head.cut();
    await until("the end of Ray on the loopback address", 30, () => head.pids().length === 0);

    say("Ray on two hosts …");
    await startHead(head, head.address, env);
    const wrong = { ...env, RAY_AUTH_TOKEN: "0".repeat(64) };
    find("a node with another token is refused", !(await joinCluster(head, worker, wrong)), "it did not join");
    worker.cut();
    if (!(await joinCluster(head, worker, env))) throw new Error("the second node did not join");
    say(`on all interfaces, behind the token: ${onAllInterfaces(head).join(", ")}`);

    const refused = start(head, fineR1(...SWEEP, `--run=${names.two}`, `--ray=${address}`), {
      env: wrong,
    });
    const { code, output } = await refused.ended;
    find("a wrong token is refused", code === 1 && /refuses the token/.test(output), output.trim().split("\n").at(-1)!);

    say("the sweep on two hosts; the second is cut off while it trains …");
    const sweep = start(head, fineR1(...SWEEP, `--run=${names.two}`, `--ray=${address}`), {
      env,
      onOutput: (text) => process.stderr.write(text),
    });
    await until("a lock of the second host", 180, () => lockOf(folder(names.two), worker.name) !== undefined);
    const held = lockOf(folder(names.two), worker.name);
    worker.cut();
    const cutAt = Date.now();
    say(`${worker.name} is cut off; it held ${held}`);
    const swept = await sweep.ended;
    const retried = /started again/.test(swept.output);
    find(
      "a node that dies is done without",
      swept.code === 0 && retried,
      `exit code ${swept.code}, ${retried ? "" : "not "}retried, ended ${Math.round((Date.now() - cutAt) / 1000)} s after the cut`,
    );
    const { compared, differ } = differences(folder(names.one), folder(names.two));
    find(
      "the sweep's files are those of one machine",
      compared > 0 && differ.length === 0,
      differ.join(", ") || `${compared} files equal`,
    );

    say("an evaluation on two hosts; a worker of the second is killed …");
    await joinCluster(head, worker, env);
    const places = [names.one, names.two].map((name) => path.join(folder(name), "asked.jsonl"));
    onOneMachine([...QUESTIONS, `--out=${places[0]}`]);
    const asking = start(head, fineR1(...QUESTIONS, `--out=${places[1]}`, `--ray=${address}`), { env });
    await until("a task on the second host", 120, () => killWorker(worker, /^ray::rows/));
    const asked = await asking.ended;
    const texts = places.map((place) => (existsSync(place) ? readFileSync(place, "utf8") : ""));
    const again = /started again/.test(asked.output) && asked.output.includes(`on ${worker.name}`);
    find(
      "a worker that is killed is done without",
      asked.code === 0 && again,
      /.*started again.*/.exec(asked.output)?.[0] ?? "no task was started again",
    );
    const areEqual = texts[0] === texts[1] && texts[0] !== "";
    const rows = texts[0].split("\n").length - 1;
    find("the evaluation's bytes are those of one machine", areEqual, `${rows} rows`);

    say("rationales on two hosts …");
    onOneMachine([...RATIONALES, `--run=${names.cotOne}`]);
    const thinking = start(head, fineR1(...RATIONALES, `--run=${names.cotTwo}`, `--ray=${address}`), { env });
    const thought = await thinking.ended;
    const records = differences(folder(names.cotOne), folder(names.cotTwo));
    find(
      "rationales are those of one machine",
      thought.code === 0 && records.compared > 0 && records.differ.length === 0,
      records.differ.join(", ") || `exit code ${thought.code}, ${records.compared} files equal`,
    );
    // the sweep's files alone are compared once more
    for (const file of [places[0], manifestFile(places[0])]) rmSync(file);
    await until("the end of both hosts", 60, () => (hosts.forEach((host) => host.cut()), !existsPid(hosts)));
    findings.push(...(await checkStore({ head, worker, address, env, one: names.one, name: names.three })));
  } finally {
    remove();
    for (const name of Object.values(names)) rmSync(folder(name), { recursive: true, force: true });
    rmSync(temporary, { recursive: true, force: true });
  }
  return findings;
}

/**
 * The same sweep on one node and on two, each with one core of its own. The seed's SFT model is trained before: a sweep
 * has it once, whatever the number of nodes, and its task only loads it.
 * @returns seconds of both
 */
async function speed(): Promise<{ one: number; two: number }> {
  const name = `cluster-speed-${process.pid}`;
  const run = path.join(runs, name);
  const trained = path.join(temporary, "trained");
  const env = { ...ONE_THREAD, RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN: randomBytes(32).toString("hex") };
  const words = [...SPEED_SWEEP, `--run=${name}`];
  const { hosts, remove } = makeHosts(["fr1-head", "fr1-worker"]);
  const pinned = hosts.map((host, core): Host => ({ ...host, on: [...host.on, "taskset", "-c", String(core)] }));
  const [head, worker] = pinned;
  const timed = async (nodes: number): Promise<number> => {
    rmSync(run, { recursive: true, force: true });
    cpSync(trained, run, { recursive: true, preserveTimestamps: true });
    const begun = Date.now();
    const { code, output } = await start(head, fineR1(...words, `--ray=http://${head.address}:8265`), { env }).ended;
    if (code !== 0) throw new Error(output.trim().split("\n").at(-1));
    const seconds = (Date.now() - begun) / 1000;
    say(`${nodes} node${nodes === 1 ? "" : "s"} of one core: ${seconds.toFixed(0)} s`);
    return seconds;
  };
  try {
    say("the SFT model, which is not timed …");
    onOneMachine([...words, "--ray-task=sft-model"]);
    cpSync(run, trained, { recursive: true, preserveTimestamps: true });
    await startHead(head, head.address, env);
    const one = await timed(1);
    if (!(await joinCluster(head, worker, env))) throw new Error("the second node did not join");
    const two = await timed(2);
    say(
      `${speedUp({ one, two }).toFixed(2)} times as fast, at least ${LEAST_SPEED_UP} asked for; on a machine that has something else to do this says little`,
    );
    return { one, two };
  } finally {
    remove();
    rmSync(run, { recursive: true, force: true });
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  if (!existsSync(ray)) {
    say("Ray is not in .venv-ray; npm run -s fine-r1 -- ablations --install-ray puts it there");
    return 1;
  }
  const reason = reasonAgainstHosts();
  if (reason !== null) {
    say(`no network namespaces here (${reason}); it needs root and iproute2`);
    return 1;
  }
  if (process.argv.includes("--speed")) {
    const found = await speed();
    record({ speed: { ...circumstances(), variants: [...SPEED_VARIANTS], steps: SPEED_STEPS, ...found } });
    return speedUp(found) >= LEAST_SPEED_UP ? 0 : 1;
  }
  const begun = Date.now();
  const findings = await check();
  record({ check: { ...circumstances(), seconds: (Date.now() - begun) / 1000, findings } });
  return findings.every(({ good }) => good) ? 0 : 1;
}

void main()
  .catch((error: unknown) => {
    say((error as Error).message);
    return 1;
  })
  .then((code) => {
    process.exitCode = code;
  });
