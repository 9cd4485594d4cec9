/**
 * `npm test`: types, lint, import order, format, unit tests, every notebook at `smoke` scale through the real kernel,
 * and JupyterLab in a browser. Checks that use one core run two at a time. The whole output of each goes to
 * .setup/test/; what failed is shown, then one screen of summary with "N passed, N failed" as its last line.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { findChromium } from "../test/helpers/chromium";
import { writeMiniature } from "../test/helpers/miniature-sets";
import { openBenchmark } from "../lib/benchmark/open";
import { writeSharegpt } from "../lib/formats/sharegpt";
import { root } from "./environment";
import { exampleRecords } from "./example-records";
import { longOutputs } from "./notebooks/long-outputs";
import { allNotebooks, runNotebook } from "./notebooks/run";
import { clock, ProgressLines } from "./notebooks/progress-lines";

interface CheckResult {
  name: string;
  passed: number;
  failed: number;
  milliseconds: number;
  /** What to read first when something failed. */
  details: string[];
}

const logFolder = path.join(root, ".setup/test");
const bin = (name: string): string => path.join(root, "node_modules", name);

/** Runs Node on a script, everything it says into a log; returns its exit code and what it said. */
async function runTool(
  name: string,
  args: string[],
  environment: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", ...environment },
  });
  let output = "";
  child.stdout.on("data", (data: Buffer) => (output += data.toString()));
  child.stderr.on("data", (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number>((resolve) => {
    child.once("error", (error) => {
      output += error.message;
      resolve(1);
    });
    child.once("close", (exitCode) => resolve(exitCode ?? 1));
  });
  fs.writeFileSync(path.join(logFolder, `${name}.log`), output);
  return { code, output };
}

/** A tool that passes or fails as a whole. */
async function checkTool(name: string, args: string[]): Promise<Omit<CheckResult, "milliseconds">> {
  const { code, output } = await runTool(name, args);
  const lines = output.trim().split("\n");
  return {
    name,
    passed: code === 0 ? 1 : 0,
    failed: code === 0 ? 0 : 1,
    details: code === 0 ? [] : lines.slice(0, 25),
  };
}

/** The parts of vitest's JSON report that are read. */
interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
  }[];
}

/** Runs vitest on all its tests, or with arguments: files, folders, what to leave out. */
async function checkVitest(
  name: string,
  chosen: readonly string[] = [],
  environment: Record<string, string> = {},
): Promise<Omit<CheckResult, "milliseconds">> {
  const file = path.join(logFolder, `${name}.json`);
  fs.rmSync(file, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const { code, output } = await runTool(name, [bin("vitest/vitest.mjs"), "run", ...chosen, ...reporters], environment);
  if (!fs.existsSync(file)) return { name, passed: 0, failed: 1, details: output.trim().split("\n").slice(-25) };
  const report = JSON.parse(fs.readFileSync(file, "utf8")) as VitestReport;
  const details: string[] = [];
  let broken = 0;
  for (const suite of report.testResults) {
    const failures = suite.assertionResults.filter((test) => test.status === "failed");
    if (suite.status === "failed" && failures.length === 0) {
      broken++; // the file itself could not be loaded
      details.push(`${path.relative(root, suite.name)}: ${(suite.message ?? "").split("\n")[0]}`);
    }
    for (const test of failures) {
      details.push(
        `${path.relative(root, suite.name)}: ${test.fullName}`,
        `    ${(test.failureMessages?.[0] ?? "").split("\n").slice(0, 4).join("\n    ")}`,
      );
    }
  }
  const failed = report.numFailedTests + broken;
  // An error outside any test fails the run without failing a test.
  const stray = code !== 0 && failed === 0 ? 1 : 0;
  if (stray > 0) details.push(...output.trim().split("\n").slice(-25));
  return { name, passed: report.numPassedTests, failed: failed + stray, details };
}

/** The web site, whose checks measure no time. */
const SITE = "test/browser/site.test.ts";

/** Tests in a browser; where there is none, a line says so and nothing has failed. */
async function checkBrowser(name: string, chosen: readonly string[]): Promise<Omit<CheckResult, "milliseconds">> {
  if (findChromium() !== null) return await checkVitest(name, chosen, { FINE_R1_BROWSER: "1" });
  console.log(
    `${name}: skipped, no Chromium here (chromium, chromium-browser or google-chrome on PATH, or FINE_R1_CHROMIUM)`,
  );
  return { name, passed: 0, failed: 0, details: [] };
}

/** Two kernels that each use both cores slow one another down. */
const ONE_CORE = { TF_NUM_INTRAOP_THREADS: "1" };

/** Runs notebooks at `smoke` scale; one fails where a cell fails or prints pages of text. */
async function checkRun(
  name: string,
  files: string[],
  run: string,
  environment: Record<string, string> = {},
): Promise<Omit<CheckResult, "milliseconds">> {
  fs.rmSync(path.join(root, "data/runs", run), { recursive: true, force: true }); // of earlier settings, perhaps
  // two checks share the terminal: whole lines only
  const lines = new ProgressLines({ write: (text) => process.stdout.write(text) });
  const details: string[] = [];
  for (const file of files) {
    const result = await runNotebook(
      file,
      { scale: "smoke", run, environment: { ...ONE_CORE, ...environment } },
      lines,
    );
    const problems = result.ok && result.path !== null ? longOutputs(result.path) : ["see above"];
    if (problems.length > 0) details.push(`${path.relative(root, file)}: ${problems.join("; ")}`);
  }
  return { name, passed: files.length - details.length, failed: details.length, details };
}

const checkNotebooks = (): Promise<Omit<CheckResult, "milliseconds">> => checkRun("notebooks", allNotebooks(), "test");

/**
 * SFT, TAPO and the benchmark on what is no drawing: a small image set of JPEGs of unequal sizes, and the checkpoint of
 * the parity fixture with Qwen2.5-VL's tokenizer classes. The code that a real model goes through is thereby run at
 * every check.
 */
async function checkPhotographs(): Promise<Omit<CheckResult, "milliseconds">> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-photographs-"));
  try {
    const set = await writeMiniature("grocery", path.join(folder, "grocery"));
    const model = path.join(root, "test/fixtures/parity/fixture-tied/model");
    const records = path.join(folder, "records.json");
    writeSharegpt(records, exampleRecords(await openBenchmark({ benchmark: set })));
    // its answers are noise, so that no group holds right and wrong ones
    const rest = `model=${model},teacher=${records},rl.whenNoGroupSurvives=keep-all`;
    const files = allNotebooks().filter((file) => /^0[2-4]-/.test(path.basename(file)));
    return await checkRun("photographs", files, "test-photographs", { FINE_R1_SET: `benchmark=${set},${rest}` });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Without the native engine `smoke` must run as well, on tfjs's JavaScript backend: generation and CoT construction.
 */
async function checkJavaScriptEngine(): Promise<Omit<CheckResult, "milliseconds">> {
  const files = allNotebooks().filter((file) => path.basename(file).startsWith("01-"));
  if (files.length === 0) throw new Error("notebooks/01-*.ipynb is missing");
  return await checkRun("js engine", files, "test-js", { FINE_R1_ENGINE: "js" });
}

async function main(): Promise<void> {
  const begun = Date.now();
  fs.mkdirSync(logFolder, { recursive: true });
  const results: CheckResult[] = [];
  const check = async (work: () => Promise<Omit<CheckResult, "milliseconds">>): Promise<void> => {
    const started = Date.now();
    const result = await work();
    const milliseconds = Date.now() - started;
    results.push({ ...result, milliseconds });
    console.log(`${result.name.padEnd(12)} ${result.failed > 0 ? "FAILED" : "ok"}  ${clock(milliseconds)}`);
  };
  /** Lanes run side by side, the checks of a lane one after the other. */
  const sideBySide = async (...lanes: (() => Promise<Omit<CheckResult, "milliseconds">>)[][]): Promise<void> => {
    await Promise.all(
      lanes.map(async (lane) => {
        for (const work of lane) await check(work);
      }),
    );
  };
  const cruise = ["lib", "cli", "tools", "--config", ".dependency-cruiser.cjs"];
  await sideBySide(
    [() => checkTool("lint", [bin("eslint/bin/eslint.js"), ".", "--max-warnings", "0"])],
    [
      () => checkTool("types", [bin("typescript/bin/tsc"), "-p", "."]),
      () => checkTool("page-types", [bin("typescript/bin/tsc"), "-p", "lib/report/client"]),
      () => checkTool("format", [bin("prettier/bin/prettier.cjs"), "--check", "."]),
      () => checkTool("imports", [bin("dependency-cruiser/bin/dependency-cruise.mjs"), ...cruise]),
    ],
  );
  await check(() => checkVitest("unit"));
  const checkSite = (): Promise<Omit<CheckResult, "milliseconds">> => checkBrowser("site", [SITE]);
  await sideBySide([checkNotebooks], [checkJavaScriptEngine, checkPhotographs, checkSite]);
  // JupyterLab alone: it measures how soon a cell stops
  await check(() => checkBrowser("browser", ["test/browser", "--exclude", SITE]));

  for (const { name, failed, details } of results) {
    if (failed > 0) console.log(`\n── ${name}: failed (.setup/test/${name}.log)\n${details.slice(0, 60).join("\n")}`);
  }
  console.log("");
  for (const { name, passed, failed, milliseconds } of results) {
    console.log(
      `${name.padEnd(12)} ${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed  ${clock(milliseconds)}`,
    );
  }
  const total = (key: "passed" | "failed"): number => results.reduce((sum, result) => sum + result[key], 0);
  console.log(`\n${clock(Date.now() - begun)} in all\n${total("passed")} passed, ${total("failed")} failed`);
  process.exitCode = total("failed") > 0 ? 1 : 0;
}

main().catch((error: unknown) => {
  console.error(error);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
});
