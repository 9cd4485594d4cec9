/**
 * `npm run cluster-check`: a smoke sweep and an evaluation on two hosts that are network namespaces of this machine,
 * one of which is cut off mid-way, beside the same on one machine. Exits 1 where their results differ. Not a part of
 * `npm test`: it needs root, `ip netns` and Ray (`npm run -s fine-r1 -- ablations --install-ray`).
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import { root } from "../environment";
import { listening, makeHosts, reasonAgainstHosts, start, type Host } from "./hosts";
import { differences } from "./same-results";

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

/** Starts Ray on both hosts, one core each, with a token. */
async function startCluster([head, worker]: [Host, Host], env: NodeJS.ProcessEnv): Promise<void> {
  const common = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"];
  const headWords = ["--head", "--port=6379", `--dashboard-host=${head.address}`, `--temp-dir=/tmp/fr1-${process.pid}`];
  const first = start(head, [ray, "start", ...headWords, `--node-ip-address=${head.address}`, ...common], { env });
  await until("the head's dashboard", 90, () => listening(head).includes(`${head.address}:8265`));
  await joinCluster(head, worker, env);
  void first.ended;
}

async function joinCluster(head: Host, worker: Host, env: NodeJS.ProcessEnv): Promise<void> {
  const common = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"];
  const words = [`--address=${head.address}:6379`, `--node-ip-address=${worker.address}`, ...common];
  let output = "";
  void start(worker, [ray, "start", ...words], { env, onOutput: (text) => (output += text) }).ended;
  await until("the second node", 90, () => /Ray runtime started/.test(output));
}

interface Finding {
  what: string;
  good: boolean;
  details: string;
}

async function check(): Promise<Finding[]> {
  const findings: Finding[] = [];
  const find = (what: string, good: boolean, details: string): void => {
    findings.push({ what, good, details });
    say(`${good ? "good" : "WRONG"}: ${what}: ${details}`);
  };
  const names = { one: `cluster-check-one-${process.pid}`, two: `cluster-check-two-${process.pid}` };
  const folder = (name: string): string => path.join(runs, name);
  const env = { ...ONE_THREAD, RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN: randomBytes(32).toString("hex") };
  const { hosts, remove } = makeHosts(["fr1-head", "fr1-worker"]);
  const [head, worker] = hosts;
  const address = `http://${head.address}:8265`;
  try {
    say("the sweep on one machine …");
    onOneMachine([...SWEEP, `--run=${names.one}`]);
    say("Ray on two hosts …");
    await startCluster(hosts, env);
    const open = hosts.flatMap(listening).filter((place) => /^(\*|0\.0\.0\.0|\[::\]):/.test(place));
    find(
      "listens on the addresses it was given only",
      open.length === 0,
      open.join(", ") || "no port on all interfaces",
    );

    const refused = start(head, fineR1(...SWEEP, `--run=${names.two}`, `--ray=${address}`), {
      env: { ...env, RAY_AUTH_TOKEN: "0".repeat(64) },
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

    say("an evaluation on two hosts …");
    await joinCluster(head, worker, env);
    const places = [names.one, names.two].map((name) => path.join(folder(name), "asked.jsonl"));
    onOneMachine([...QUESTIONS, `--out=${places[0]}`]);
    const asked = await start(head, fineR1(...QUESTIONS, `--out=${places[1]}`, `--ray=${address}`), { env }).ended;
    const texts = places.map((place) => (existsSync(place) ? readFileSync(place, "utf8") : ""));
    const onBoth = hosts.every(({ name }) => asked.output.includes(`on ${name}`));
    find(
      "the evaluation's bytes are those of one machine",
      asked.code === 0 && onBoth && texts[0] === texts[1] && texts[0] !== "",
      `${texts[0].split("\n").length - 1} rows, ${onBoth ? "by both hosts" : "not by both hosts"}`,
    );
  } finally {
    remove();
    for (const name of Object.values(names)) rmSync(folder(name), { recursive: true, force: true });
    rmSync(`/tmp/fr1-${process.pid}`, { recursive: true, force: true });
  }
  return findings;
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
  const findings = await check();
  return findings.every(({ good }) => good) ? 0 : 1;
}

void main().then((code) => {
  process.exitCode = code;
});
