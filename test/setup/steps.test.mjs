import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { spawn, spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isInstalled, withoutFiles } from "../../tools/setup/npm.mjs";
import { chooseDevice, requirementsFor } from "../../tools/setup/python.mjs";
import { endLeftOvers, run, tail, takeLock } from "../../tools/setup/steps.mjs";

let folder;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-"))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

describe("set-up steps", () => {
  const entry = (version, more = {}) => ({ version, integrity: `sha512-${version}`, ...more });
  const lock = {
    packages: { "": {}, "node_modules/a": entry("1.0.0"), "node_modules/b": entry("2.0.0", { optional: true }) },
  };

  it("knows a whole installation from an interrupted, older or altered one", () => {
    expect(isInstalled(lock, { packages: { "node_modules/a": entry("1.0.0") } })).toBe(true);
    expect(isInstalled(lock, null)).toBe(false);
    expect(isInstalled(lock, { packages: {} })).toBe(false);
    expect(isInstalled(lock, { packages: { "node_modules/a": entry("1.0.1") } })).toBe(false);
    expect(
      isInstalled(lock, { packages: { "node_modules/a": entry("1.0.0"), "node_modules/b": entry("2.0.1") } }),
    ).toBe(false);
    expect(
      isInstalled(lock, { packages: { "node_modules/a": entry("1.0.0"), "node_modules/c": entry("1.0.0") } }),
    ).toBe(false);
  });

  it("chooses TensorFlow for the device, or none", () => {
    const hashed = (line) => `${line} \\\n    --hash=sha256:${"0".repeat(64)}`;
    const [always, shared, cpu, gpu] = [
      "plotly==7.1.0",
      "keras==3 ; python_full_version < '3.11'",
      "t-cpu==2",
      "t==2",
    ].map(hashed);
    const text = `# Made by\n\n# [always]\n${always}\n\n# [tensorflow]\n${shared}\n\n# [cpu]\n${cpu}\n\n# [gpu]\n${gpu}\n`;
    expect(requirementsFor(text, "cpu", true)).toBe([always, shared, cpu].join("\n"));
    expect(requirementsFor(text, "gpu", true)).toBe([always, shared, gpu].join("\n"));
    expect(requirementsFor(text, "cpu", false)).toBe(always);
    expect(() => requirementsFor(text.replace("[gpu]", "[tpu]"), "gpu", true)).toThrow(/no section \[gpu\]/);
    expect(() => requirementsFor(text.replace(/0{64}/, "0"), "cpu", true)).toThrow(
      "requirements.lock, section [always]: plotly==7.1.0 has no version or no hash",
    );
    expect(chooseDevice(folder, {})).toBe("cpu");
    expect(() => chooseDevice(folder, { FINE_R1_DEVICE: "tpu" })).toThrow(/expected cpu or gpu/);
  });

  it("shows the end of the log of a command that fails", async () => {
    const log = path.join(folder, "x.log");
    const failing = run(
      process.execPath,
      ["-e", "console.log('before'); console.error('the reason'); process.exit(3)"],
      { cwd: folder, log },
    );
    await expect(failing).rejects.toThrow("exit code 3");
    expect(tail(log)).toContain("the reason");
    await expect(run("no-such-program", [], { cwd: folder, log })).rejects.toThrow(/no-such-program/);
  });

  it("takes over the lock of a process that is gone, and waits for one that lives", async () => {
    const lockFile = path.join(folder, "lock");
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    fs.writeFileSync(lockFile, String(gone));
    await takeLock(lockFile, () => expect.unreachable());
    expect(fs.readFileSync(lockFile, "utf8")).toBe(String(process.pid));
    let holder = null;
    const second = takeLock(lockFile, (pid) => {
      holder = pid;
      fs.rmSync(lockFile);
    });
    await second;
    expect(holder).toBe(String(process.pid));
  });

  it("finds packages whose files are not there", () => {
    fs.mkdirSync(path.join(folder, "node_modules/a"), { recursive: true });
    fs.mkdirSync(path.join(folder, "node_modules/b"));
    fs.writeFileSync(path.join(folder, "node_modules/a/package.json"), "{}");
    const packages = { "node_modules/a": {}, "node_modules/b": {}, "node_modules/c": {} };
    expect(withoutFiles(folder, { packages })).toEqual(["node_modules/b", "node_modules/c"]);
  });
});

describe("a set-up that is killed", () => {
  const steps = path.join(import.meta.dirname, "../../tools/setup/steps.mjs");
  const isAlive = (pid) => fs.existsSync(`/proc/${pid}`) && !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "utf8"));
  /** A process that runs an installer which starts another, ignores SIGTERM and never ends. @returns both their ids */
  async function installing() {
    const ids = path.join(folder, "ids");
    const script = `trap "" TERM; sleep 100 & echo $$ $! > '${ids}.new' && mv '${ids}.new' '${ids}'; wait`;
    const options = JSON.stringify({ cwd: folder, log: path.join(folder, "x.log") });
    const code = `import { run } from ${JSON.stringify(steps)}; process.on("SIGTERM", () => process.exit(143));
      await run("sh", ["-c", ${JSON.stringify(script)}], ${options});`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "ignore" });
    await expect.poll(() => fs.existsSync(ids), { timeout: 20_000 }).toBe(true);
    return { parent, ids: fs.readFileSync(ids, "utf8").trim().split(" ").map(Number) };
  }
  const ended = (parent) => new Promise((resolve) => parent.on("exit", resolve));

  it("by a signal ends what it has started, and what that has", async () => {
    const { parent, ids } = await installing();
    const end = ended(parent);
    parent.kill("SIGTERM");
    await end;
    await expect.poll(() => ids.some(isAlive), { timeout: 20_000 }).toBe(false);
  });

  it("outright leaves processes that the next one ends, and no others of the same number", async () => {
    const { parent, ids } = await installing();
    const end = ended(parent);
    parent.kill("SIGKILL");
    await end;
    expect(ids.every(isAlive)).toBe(true);
    const bystander = spawn("sleep", ["100"], { detached: true });
    fs.writeFileSync(path.join(folder, "running", String(bystander.pid)), "1");
    await endLeftOvers(folder);
    await expect.poll(() => ids.some(isAlive), { timeout: 20_000 }).toBe(false);
    expect(isAlive(bystander.pid)).toBe(true);
    bystander.kill();
    expect(fs.readdirSync(path.join(folder, "running"))).toEqual([]);
  });

  it("outright leaves nothing to do where all had ended", async () => {
    await run("true", [], { cwd: folder, log: path.join(folder, "x.log") });
    expect(fs.readdirSync(path.join(folder, "running"))).toEqual([]);
    await endLeftOvers(folder);
    await endLeftOvers(path.join(folder, "nowhere"));
  });
});
