/**
 * Two hosts on one machine: network namespaces with a cable (a veth pair) between them and a name each. Needs root and
 * `ip netns`. A host's processes are ended together, as by a power cut.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";

/** Addresses of documentation (RFC 5737), which nothing else has. */
const NET = "192.0.2";

export interface Host {
  name: string;
  address: string;
  /** Words before a command that run it there. */
  on: readonly string[];
  /** Process ids of all that runs there. */
  pids(): number[];
  /** Kills all that runs there. */
  cut(): void;
}

function ip(...words: string[]): string {
  const { status, stdout, stderr, error } = spawnSync("ip", words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${words.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** Why two hosts cannot be made here; null where they can. */
export function reasonAgainstHosts(): string | null {
  const name = `fr1-probe-${process.pid}`;
  try {
    ip("netns", "add", name);
    ip("netns", "del", name);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Makes two hosts, whose names are those of the arguments. */
export function makeHosts(names: readonly [string, string]): { hosts: [Host, Host]; remove(): void } {
  const spaces = names.map((_, i) => `fr1-${process.pid}-${i}`);
  const cables = names.map((_, i) => `fr1v${process.pid % 100000}${"ab"[i]}`);
  const pids = (space: string): number[] => ip("netns", "pids", space).split("\n").filter(Boolean).map(Number);
  const cut = (space: string): void => {
    for (const pid of pids(space)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        continue; // gone meanwhile
      }
    }
  };
  const remove = (): void => {
    for (const space of spaces) {
      try {
        cut(space);
        ip("netns", "del", space);
      } catch {
        continue; // it was not made
      }
    }
  };
  try {
    for (const space of spaces) ip("netns", "add", space);
    ip("link", "add", cables[0], "type", "veth", "peer", "name", cables[1]);
    const hosts = spaces.map((space, i): Host => {
      const address = `${NET}.${i + 1}`;
      ip("link", "set", cables[i], "netns", space);
      ip("-n", space, "addr", "add", `${address}/24`, "dev", cables[i]);
      ip("-n", space, "link", "set", cables[i], "up");
      ip("-n", space, "link", "set", "lo", "up");
      const name = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', names[i]];
      return {
        name: names[i],
        address,
        on: ["ip", "netns", "exec", space, ...name],
        pids: () => pids(space),
        cut: () => cut(space),
      };
    });
    return { hosts: hosts as [Host, Host], remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Starts a command on a host. */
export function start(
  host: Host,
  words: readonly string[],
  { env, onOutput }: { env: NodeJS.ProcessEnv; onOutput?: (text: string) => void },
): { child: ChildProcess; ended: Promise<{ code: number; output: string }> } {
  const [command, ...args] = [...host.on, ...words];
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => {
      output += data.toString();
      onOutput?.(data.toString());
    });
  const ended = new Promise<{ code: number; output: string }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
  return { child, ended };
}

/** Ports that are listened on there, with their addresses. */
export function listening(host: Host): string[] {
  const { stdout } = spawnSync(host.on[0], [...host.on.slice(1), "ss", "-ltnH"], { encoding: "utf8" });
  return [...new Set(stdout.split("\n").flatMap((line) => line.trim().split(/\s+/)[3] ?? []))];
}
