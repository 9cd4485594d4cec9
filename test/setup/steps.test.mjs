import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isInstalled } from "../../tools/setup/npm.mjs";
import { chooseDevice, requirementsFor } from "../../tools/setup/python.mjs";
import { run, tail, takeLock } from "../../tools/setup/steps.mjs";

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
    const text = "# comment\nplotly==7.1.0\ntensorflow-cpu==2.21.0\n";
    expect(requirementsFor(text, "cpu", true)).toBe("plotly==7.1.0\ntensorflow-cpu==2.21.0");
    expect(requirementsFor(text, "gpu", true)).toBe("plotly==7.1.0\ntensorflow[and-cuda]==2.21.0");
    expect(requirementsFor(text, "cpu", false)).toBe("plotly==7.1.0");
    expect(() => requirementsFor("plotly==7.1.0", "cpu", true)).toThrow(/tensorflow-cpu==VERSION/);
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
});
