/**
 * `npm run supply`: where the packages come from.
 *
 *   npm run supply            advisories and licences of all packages into docs/supply.json
 *   npm run supply -- sbom    bill of materials (CycloneDX 1.5) into sbom.cdx.json, which git ignores
 *   npm run supply -- lock    requirements.lock anew, from requirements.txt and constraints.txt
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { writeText } from "../lib/util/files";
import { root, venvPython } from "./environment";
import { askNpm, askPython } from "./supply/audit";
import { installedLicences, lockedRequirements, npmDependencies, pythonDependencies } from "./supply/dependencies";
import { licenceReport } from "./supply/licences";
import { lockText, packagesOf, type LockedPackage } from "./supply/lock";
import { npmBom, withPython } from "./supply/sbom";
// @ts-expect-error: set-up is JavaScript
import * as setUp from "./setup/uv.mjs";

const { pipSettings, uvEnvironment } = setUp as {
  pipSettings: (text: string) => Map<string, string>;
  uvEnvironment: (settings: Map<string, string>) => NodeJS.ProcessEnv;
};

const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** uv's environment, from what pip is configured for. */
function environment(): NodeJS.ProcessEnv {
  const { stdout } = spawnSync(venvPython, ["-m", "pip", "config", "list"], { encoding: "utf8" });
  return uvEnvironment(pipSettings(stdout ?? ""));
}

/** Resolves requirements under constraints.txt for all Pythons. */
function resolve(folder: string, requirements: readonly string[]): LockedPackage[] {
  const input = path.join(folder, "requirements.in");
  const output = path.join(folder, "pylock.toml");
  writeFileSync(input, `${requirements.join("\n")}\n`);
  const versions = ["--universal", "--python-version", "3.10", "--python", venvPython, "--only-binary", ":all:"];
  const files = [
    "--format",
    "pylock.toml",
    "--no-header",
    "-o",
    output,
    "-q",
    "-c",
    path.join(root, "constraints.txt"),
  ];
  const uv = path.join(root, ".setup/uv/bin/uv");
  execFileSync(uv, ["pip", "compile", input, ...versions, ...files], { env: environment(), stdio: "inherit" });
  return packagesOf(readFileSync(output, "utf8"));
}

function lock(): void {
  const wanted = read("requirements.txt")
    .split("\n")
    .filter((line) => /^[\w-]+==/.test(line));
  const build = wanted.find((line) => line.startsWith("tensorflow-cpu=="));
  if (build === undefined) throw new Error("requirements.txt: no line tensorflow-cpu==VERSION");
  const base = [...wanted.filter((line) => line !== build), "pip", "uv"];
  const folder = mkdtempSync(path.join(tmpdir(), "fine-r1-lock-"));
  try {
    const text = lockText({
      always: resolve(folder, base),
      cpu: resolve(folder, [...base, build]),
      gpu: resolve(folder, [...base, build.replace("tensorflow-cpu", "tensorflow[and-cuda]")]),
    });
    writeText(path.join(root, "requirements.lock"), text);
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log("requirements.lock written; look at the difference, then run set-up");
}

function dependencies() {
  const python = pythonDependencies(read("requirements.lock"), installedLicences());
  return { npm: npmDependencies(read("package-lock.json")), python };
}

function report(): void {
  const { npm, python } = dependencies();
  const cpu = read("requirements.lock").split(/^# \[gpu\]$/m)[0];
  const audits = [askNpm(), askPython(cpu, "pypi"), askPython(cpu, "osv")];
  for (const { tool, asked, vulnerabilities, unanswered } of audits) {
    const found = vulnerabilities.map((line) => `\n  ${line}`).join("");
    console.log(`${tool}: ${asked} packages answered for, ${vulnerabilities.length} known vulnerabilities${found}`);
    if (unanswered !== null) console.log(`  ${unanswered}`);
  }
  const { byLicence, others } = licenceReport([...npm, ...python]);
  for (const [licence, count] of Object.entries(byLicence)) console.log(`${String(count).padStart(5)}  ${licence}`);
  const day = new Date().toISOString().slice(0, 10);
  const names = Object.fromEntries(python.map(({ name, version, licence }) => [`${name}==${version}`, licence]));
  const value = { audited: day, audits, licences: byLicence, others, python: names };
  writeText(path.join(root, "docs/supply.json"), `${JSON.stringify(value, null, 1)}\n`);
  console.log("docs/supply.json written");
}

function sbom(): void {
  const bom = withPython(npmBom(), dependencies().python, lockedRequirements(read("requirements.lock")));
  writeText(path.join(root, "sbom.cdx.json"), `${JSON.stringify(bom, null, 1)}\n`);
  console.log(`sbom.cdx.json written: ${bom.components.length} components`);
}

const COMMANDS: Record<string, () => void> = { report, sbom, lock };
const [command = "report", ...rest] = process.argv.slice(2);
if (!Object.hasOwn(COMMANDS, command) || rest.length > 0) {
  console.error(`unknown: ${[command, ...rest].join(" ")}; expected nothing, sbom or lock`);
  process.exitCode = 64;
} else {
  COMMANDS[command]();
}
