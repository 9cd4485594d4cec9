import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import {
  addressSpaceProblem,
  checkPrerequisites,
  isNodeSupported,
  isPythonSupported,
} from "../../tools/setup/prerequisites.mjs";

const GIB = 1024 ** 3;
const good = {
  platform: () => "linux",
  arch: () => "x64",
  isGlibc: () => true,
  nodeVersion: () => "v22.14.0",
  pythonVersion: (command) => (command === "python3" ? "3.11.7" : null),
  hasVenv: () => true,
  hasCompiler: () => true,
  freeBytes: () => 50 * GIB,
  hasNvidiaDevice: () => false,
  packageManager: () => "apt-get",
};
const wanted = { root: "/clone", native: true, device: "cpu", python: true, compiler: true, gigabytes: 6 };
const check = (machine, more = {}) => checkPrerequisites({ ...wanted, ...more }, { ...good, ...machine }, {});

describe("prerequisites", () => {
  it("finds nothing missing on a machine that has all", () => {
    expect(check({})).toEqual({ problems: [], python: { command: "python3", version: "3.11.7" } });
  });

  it.each([
    ["an old Node", { nodeVersion: () => "v18.20.1" }, /Node 18\.20\.1 .*nvm install 22/],
    ["no Python", { pythonVersion: () => null }, /Python 3\.10 to 3\.13 .*none found.*apt-get install -y python3/],
    ["an old Python", { pythonVersion: (c) => (c === "python3" ? "3.9.2" : null) }, /python3 is 3\.9\.2/],
    ["no venv", { hasVenv: () => false }, /no venv module.*apt-get install -y python3\.11-venv/],
    ["no compiler", { hasCompiler: () => false }, /no g\+\+: .*apt-get install -y g\+\+/],
    ["no compiler on Fedora", { hasCompiler: () => false, packageManager: () => "dnf" }, /dnf install -y gcc-c\+\+/],
    ["a full disk", { freeBytes: () => 2 * GIB }, /2\.0 GB free in \/clone, 6 GB needed: df -h/],
    ["Windows", { platform: () => "win32" }, /win32 x64: wsl --install/],
    ["another processor", { arch: () => "arm64" }, /linux arm64: .*devcontainer/],
    ["musl", { isGlibc: () => false }, /glibc is needed/],
  ])("names %s and its fix in one line", (_name, machine, message) => {
    const { problems } = check(machine);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(message);
    expect(problems[0]).not.toContain("\n");
  });

  it("names everything that is missing at once", () => {
    expect(check({ hasCompiler: () => false, hasVenv: () => false, freeBytes: () => 0 }).problems).toHaveLength(3);
  });

  it("asks for a GPU only when one is wanted, and for no compiler without the engine", () => {
    expect(check({}, { device: "gpu" }).problems[0]).toMatch(/no NVIDIA device/);
    expect(check({ hasCompiler: () => false }, { native: false, compiler: false }).problems).toEqual([]);
  });

  it("takes another Python when python3 is too new", () => {
    const versions = { python3: "3.14.0", "python3.12": "3.12.3" };
    expect(check({ pythonVersion: (c) => versions[c] ?? null }).python).toEqual({
      command: "python3.12",
      version: "3.12.3",
    });
  });

  it("asks for address space that Node's reservations fit into", () => {
    const problem = (bytes) => addressSpaceProblem({ ...good, addressSpace: () => bytes });
    expect([problem(Infinity), problem(48 * GIB)]).toEqual([null, null]);
    expect(problem(8 * GIB)).toMatch(/^address space is limited to 8\.0 GiB, .*: ulimit -v unlimited; .*MemoryMax=4G/);
  });

  it("ends set-up, and so every command, with that one line", () => {
    const setup = new URL("../../tools/setup.mjs", import.meta.url).pathname;
    const { status, stderr } = spawnSync("bash", ["-c", `ulimit -v 8388608; exec "$0" "$1"`, process.execPath, setup], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/address space is limited to 8\.0 GiB/);
    expect(stderr.trim().split("\n").length).toBeLessThan(4);
  });

  it("knows the supported versions", () => {
    expect(
      ["v20.18.9", "v20.19.0", "v21.7.0", "v22.12.0", "v22.13.0", "v23.9.0", "v24.0.0"].map(isNodeSupported),
    ).toEqual([false, true, false, false, true, false, true]);
    expect(["3.9.9", "3.10.0", "3.13.5", "3.14.0", "2.7.18"].map(isPythonSupported)).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
  });
});
