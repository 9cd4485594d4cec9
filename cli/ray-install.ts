/** `--install-ray`: Ray in an environment of its own, ignored by git. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "../lib/util/root";
import { note, print } from "./output";

/** Installs it, or mends it. @returns exit code @throws Error with pip's last lines */
export function installRay(): number {
  const root = repositoryRoot();
  const venv = path.join(root, ".venv-ray");
  const python = path.join(venv, "bin/python");
  const requirements = path.join(root, "lib/cluster/requirements.txt");
  const pip = ["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-input", "--progress-bar=off", "-r"];
  const make = [path.join(root, ".venv/bin/python"), "-m", "venv", ...(existsSync(python) ? [] : ["--clear"]), venv];
  note("installing Ray into .venv-ray (about 150 MB to download, 400 MB on disk) …");
  for (const [command, ...args] of [make, [python, ...pip, requirements], [python, "-c", "import ray"]]) {
    const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
    if (status === 0) continue;
    const last = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-5).join("\n");
    throw new Error(`--install-ray: ${path.relative(root, command)} failed: ${error?.message ?? last}`);
  }
  print("Ray is in .venv-ray; docs/cluster.md has how a cluster is started, on one machine first:");
  print("  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(openssl rand -hex 32)");
  print("  .venv-ray/bin/ray start --head --node-ip-address=127.0.0.1 --disable-usage-stats");
  return 0;
}
