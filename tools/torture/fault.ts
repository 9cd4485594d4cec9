/** A disk that fails where a test says so: `fault.cc`, compiled where a compiler is, loaded into a child process. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import * as path from "node:path";
import { root } from "../environment";

/** What fails, and where. */
export interface Fault {
  do: "full" | "kill" | "kill-rename" | "kill-renamed" | "readonly";
  /** Part of the paths that it is about. */
  path: string;
  /** Bytes that may be written before it; default none. */
  bytes?: number;
}

const SOURCE = path.join(__dirname, "fault.cc");
const LIBRARY = path.join(root, "data/cache/torture/fault.so");

/** The library; null, with the reason, where it cannot be made: no compiler, or not Linux. */
export function faultLibrary(): { file: string } | { reason: string } {
  if (process.platform !== "linux") return { reason: "LD_PRELOAD is Linux's" };
  if (existsSync(LIBRARY) && statSync(LIBRARY).mtimeMs > statSync(SOURCE).mtimeMs) return { file: LIBRARY };
  mkdirSync(path.dirname(LIBRARY), { recursive: true });
  const made = spawnSync("g++", ["-std=c++17", "-O1", "-shared", "-fPIC", "-o", LIBRARY, SOURCE, "-ldl"], {
    encoding: "utf8",
  });
  if (made.error) return { reason: `g++ cannot be run (${made.error.message})` };
  return made.status === 0 ? { file: LIBRARY } : { reason: made.stderr };
}

/** The environment of a child with a fault. */
export function faultEnvironment(file: string, fault: Fault): Record<string, string> {
  return { LD_PRELOAD: file, FAULT_DO: fault.do, FAULT_PATH: fault.path, FAULT_BYTES: String(fault.bytes ?? 0) };
}
