/**
 * uv, which installs the Python packages in a sixth of pip's time. It is fetched by pip into `.setup/uv`, and asks the
 * package index that pip is configured for. Whatever fails here, set-up goes on with pip.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { sectionOf } from "./locked.mjs";
import { run, writeFile } from "./steps.mjs";

/** Prints the wheel of pip that Python's own ensurepip holds; distributions move it. */
const FIND_PIP = `
import ensurepip, glob, os
folders = [getattr(ensurepip, "_WHEEL_PKG_DIR", None), os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"),
           "/usr/share/python-wheels"]
print(next(f for folder in folders if folder for f in sorted(glob.glob(os.path.join(folder, "pip-*.whl")))))`;

/**
 * How to run pip for a Python: a module of its own, or else the wheel that ensurepip holds (Debian's python3 has no
 * pip).
 *
 * @returns {NodeJS.ProcessEnv | null} environment in which `python -m pip` runs; null where there is no pip
 */
function pipEnvironment(command) {
  // Settings that do not go with a folder of set-up's own.
  const env = { ...process.env, PIP_REQUIRE_VIRTUALENV: "0", PIP_USER: "0", PIP_DISABLE_PIP_VERSION_CHECK: "1" };
  const works = (more) =>
    spawnSync(command, ["-m", "pip", "--version"], { env: { ...env, ...more }, stdio: "ignore" }).status === 0;
  if (works({})) return env;
  const found = spawnSync(command, ["-c", FIND_PIP], { encoding: "utf8" });
  const wheel = { PYTHONPATH: found.status === 0 ? found.stdout.trim() : "" };
  return wheel.PYTHONPATH !== "" && works(wheel) ? { ...env, ...wheel } : null;
}

/**
 * Settings of `pip config list`, by option; of several, the one that `pip install` would take.
 *
 * @param {string} text lines such as `global.index-url='https://…'`
 * @returns {Map<string, string>}
 */
export function pipSettings(text) {
  const sections = ["global", "install", ":env:"];
  const settings = new Map();
  for (const section of sections) {
    for (const line of text.split("\n")) {
      const match = line.match(/^([\w:]+)\.([\w-]+)=(['"])(.*)\3\s*$/);
      if (match !== null && match[1] === section) settings.set(match[2].replaceAll("_", "-"), unescaped(match[4]));
    }
  }
  return settings;
}

/** The value of Python's notation of a string. */
const unescaped = (text) => text.replace(/\\(.)/g, (_all, c) => ({ n: "\n", t: "\t" })[c] ?? c).trim();

/**
 * pip's settings as uv takes them. As variables, not arguments: an index's address may hold a password, and arguments
 * are logged. What the user has set for uv itself stays.
 *
 * @param {Map<string, string>} settings of `pipSettings`
 * @param {Record<string, string | undefined>} env
 */
export function uvEnvironment(settings, env = process.env) {
  const words = (name, separator) => settings.get(name)?.split(/\s+/).join(separator);
  const wanted = {
    UV_DEFAULT_INDEX: env.UV_INDEX_URL ? undefined : settings.get("index-url"),
    UV_INDEX: env.UV_EXTRA_INDEX_URL ? undefined : words("extra-index-url", " "),
    // pip takes a version from whichever index has it
    UV_INDEX_STRATEGY: settings.has("extra-index-url") ? "unsafe-best-match" : undefined,
    UV_FIND_LINKS: words("find-links", ","),
    UV_NO_INDEX: /^(1|true|yes|on)$/i.test(settings.get("no-index") ?? "") ? "1" : undefined,
    UV_INSECURE_HOST: words("trusted-host", " "),
    UV_HTTP_TIMEOUT: settings.get("timeout") ?? settings.get("default-timeout"),
    SSL_CERT_FILE: settings.get("cert"),
    SSL_CLIENT_CERT: settings.get("client-cert"),
    HTTPS_PROXY: settings.get("proxy"),
    HTTP_PROXY: settings.get("proxy"),
    // set-up has chosen the Python, and a progress bar is no use in a log
    UV_PYTHON_DOWNLOADS: "never",
    UV_NO_PROGRESS: "1",
  };
  const set = Object.entries(wanted).filter(([name, value]) => value !== undefined && !env[name]);
  return { ...env, ...Object.fromEntries(set) };
}

/** The version of uv in requirements.lock. @throws where there is none */
export function uvVersion(lock) {
  const match = sectionOf(lock, "uv").match(/^uv==([\d.]+)/m);
  if (match === null) throw new Error("requirements.lock, section [uv]: no line uv==VERSION");
  return match[1];
}

/**
 * uv and the environment it is to run in, or null where it cannot be had; the log says why.
 *
 * @param {{root: string, python: string, lock: string, log: string}} options `python` is a command,
 *   `lock` the text of requirements.lock
 * @returns {Promise<{command: string, env: NodeJS.ProcessEnv} | null>}
 */
export async function obtainUv({ root, python, lock, log }) {
  const wanted = uvVersion(lock);
  const folder = path.join(root, ".setup/uv");
  const command = path.join(folder, "bin/uv");
  const pip = pipEnvironment(python);
  if (pip === null) return null;
  const version = () => spawnSync(command, ["--version"], { encoding: "utf8" }).stdout?.split(" ")[1];
  if (version() !== wanted) {
    fs.rmSync(folder, { recursive: true, force: true });
    const requirement = path.join(root, ".setup/uv.txt");
    writeFile(requirement, `${sectionOf(lock, "uv")}\n`);
    const options = ["--no-input", "--no-deps", "--only-binary=:all:", "--no-compile", "--progress-bar=off"];
    const what = ["--target", folder, "--require-hashes", "-r", requirement];
    try {
      await run(python, ["-m", "pip", "install", ...options, ...what], {
        cwd: root,
        log,
        env: pip,
      });
    } catch {
      return null;
    }
  }
  const settings = spawnSync(python, ["-m", "pip", "config", "list"], { env: pip, encoding: "utf8" });
  return { command, env: uvEnvironment(pipSettings(settings.stdout ?? "")) };
}
