/**
 * What must be on the machine before set-up can install the rest. Each missing thing is one line: what, and the command
 * that fixes it. Everything is asked through `probes`, so that tests can stand in for the machine.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";

const GIB = 1024 ** 3;

/** Node versions that every pinned package accepts: 20.19, 22.13, 24 and later. */
export function isNodeSupported(version) {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number);
  return (major === 20 && minor >= 19) || (major === 22 && minor >= 13) || major >= 24;
}

/** TensorFlow 2.21 has wheels for CPython 3.10 to 3.13. */
export function isPythonSupported(version) {
  const [major, minor] = version.split(".").map(Number);
  return major === 3 && minor >= 10 && minor <= 13;
}

const runs = (command, args) => {
  const result = spawnSync(command, args, { encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : null;
};

/** Asks the machine. */
export const machine = {
  platform: () => process.platform,
  arch: () => process.arch,
  isGlibc: () => Boolean(process.report.getReport().header.glibcVersionRuntime),
  nodeVersion: () => process.version,
  /** "3.11.7" for a Python command, null where there is none. */
  pythonVersion: (command) => runs(command, ["-c", "import platform; print(platform.python_version())"]),
  hasVenv: (command) => runs(command, ["-c", "import venv, ensurepip"]) !== null,
  hasCompiler: () => runs("g++", ["--version"]) !== null,
  freeBytes: (folder) => {
    const { bavail, bsize } = fs.statfsSync(folder);
    return bavail * bsize;
  },
  /** The most address space that a process here may have (`ulimit -v`); Infinity where there is no limit. */
  addressSpace: () => {
    const limits = fs.existsSync("/proc/self/limits") ? fs.readFileSync("/proc/self/limits", "utf8") : "";
    return Number(/^Max address space\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
  },
  hasNvidiaDevice: () => fs.existsSync("/dev/nvidiactl") || fs.existsSync("/dev/dxg"),
  packageManager: () =>
    ["apt-get", "dnf", "pacman", "zypper"].find((name) => runs("which", [name]) !== null) || "apt-get",
};

const INSTALL = {
  "apt-get": {
    python: "python3 python3-venv",
    venv: (v) => `python${v}-venv`,
    compiler: "g++",
    command: "sudo apt-get update && sudo apt-get install -y",
  },
  dnf: { python: "python3.12", venv: () => "python3", compiler: "gcc-c++", command: "sudo dnf install -y" },
  pacman: { python: "python312", venv: () => "python", compiler: "gcc", command: "sudo pacman -S --noconfirm" },
  zypper: {
    python: "python312",
    venv: (v) => `python${v.replace(".", "")}`,
    compiler: "gcc-c++",
    command: "sudo zypper install -y",
  },
};

/** First Python that TensorFlow has wheels for: `FINE_R1_PYTHON`, python3, or a versioned name. */
export function findPython(probes, env = process.env) {
  const commands = env.FINE_R1_PYTHON
    ? [env.FINE_R1_PYTHON]
    : ["python3", "python3.13", "python3.12", "python3.11", "python3.10"];
  const found = commands
    .map((command) => ({ command, version: probes.pythonVersion(command) }))
    .filter((p) => p.version !== null);
  const usable = found.filter((p) => isPythonSupported(p.version));
  return { python: usable.find((p) => probes.hasVenv(p.command)) || usable[0] || null, found };
}

/**
 * Node reserves address space far beyond what it uses: some 10 GiB for each WebAssembly memory, of which what loads
 * TypeScript has several. With 16 GiB the loader ends in an error of its own or without a word, with 32 it starts.
 */
const ADDRESS_SPACE = 32 * GIB;

/** What is wrong with the limit of address space, as a line; null where nothing is. Every command asks this. */
export function addressSpaceProblem(probes = machine) {
  const most = probes.addressSpace();
  if (most >= ADDRESS_SPACE) return null;
  return `address space is limited to ${(most / GIB).toFixed(1)} GiB, and Node reserves tens of GiB more than it uses: ulimit -v unlimited; to limit memory: systemd-run --user --scope -p MemoryMax=4G npm start`;
}

/**
 * @param {object} wanted what the pending steps need: `root`, `native`, `device`, `python` and `compiler` (whether
 * those steps run), `gigabytes` of free disk
 * @returns {{problems: string[], python: {command: string, version: string} | null}}
 */
export function checkPrerequisites(wanted, probes = machine, env = process.env) {
  const problems = [];
  if (!isNodeSupported(probes.nodeVersion())) {
    problems.push(
      `Node ${probes.nodeVersion().replace(/^v/, "")} is not supported (needed: 20.19, 22.13, 24 or later): nvm install 22 && nvm use 22`,
    );
  }
  if (probes.platform() !== "linux" || probes.arch() !== "x64") {
    const fix =
      probes.platform() === "win32" ? "wsl --install, then clone inside WSL2" : "open the folder in its devcontainer";
    problems.push(`Linux x64 is needed, this is ${probes.platform()} ${probes.arch()}: ${fix}`);
    return { problems, python: null };
  }
  if (!probes.isGlibc()) {
    problems.push("glibc is needed (TensorFlow has no build for musl): open the folder in its devcontainer");
  }
  const install = INSTALL[probes.packageManager()];
  let python = null;
  if (wanted.python) {
    const search = findPython(probes, env);
    python = search.python;
    if (python === null) {
      const found = search.found.map((p) => `${p.command} is ${p.version}`).join(", ") || "none found";
      problems.push(`Python 3.10 to 3.13 is needed (${found}): ${install.command} ${install.python}`);
    } else if (!probes.hasVenv(python.command)) {
      const minor = python.version.split(".").slice(0, 2).join(".");
      problems.push(`${python.command} has no venv module: ${install.command} ${install.venv(minor)}`);
    }
  }
  if (wanted.compiler && !probes.hasCompiler()) {
    problems.push(`no g++: ${install.command} ${install.compiler}`);
  }
  if (wanted.native && wanted.device === "gpu" && !probes.hasNvidiaDevice()) {
    problems.push("FINE_R1_DEVICE=gpu, but no NVIDIA device is visible: install its driver, or FINE_R1_DEVICE=cpu");
  }
  const free = probes.freeBytes(wanted.root);
  if (free < wanted.gigabytes * GIB) {
    problems.push(
      `${(free / GIB).toFixed(1)} GB free in ${wanted.root}, ${wanted.gigabytes} GB needed: ` +
        `df -h ${wanted.root}, then remove files or clone to another disk`,
    );
  }
  return { problems, python };
}
