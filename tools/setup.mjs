#!/usr/bin/env node
/**
 * Set-up: what a fresh clone lacks, and nothing else. Runs before every npm command; about 0.1 s when all is there.
 *
 *   node tools/setup.mjs [--without-native]
 *
 * Written with Node built-ins only, since it runs before any package is there. Each step decides from the files it left
 * whether it has been completed for today's inputs (lock file, requirements, patch, device), so an interrupted set-up
 * goes on where it stopped. Steps run side by side; each names those that it builds on. Environment:
 * FINE_R1_DEVICE=cpu|gpu, FINE_R1_ENGINE=js (as --without-native), FINE_R1_PYTHON=command, FINE_R1_HOME=folder of the
 * compiled objects that clones share.
 */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { addonStep } from "./setup/addon.mjs";
import { homeFolder } from "./setup/home.mjs";
import { kernelSpecStep } from "./setup/kernel-spec.mjs";
import { imageAddonStep, instructionSetsStep, kernelsStep, opsStep } from "./setup/native-addons.mjs";
import { npmStep } from "./setup/npm.mjs";
import { addressSpaceProblem, checkPrerequisites } from "./setup/prerequisites.mjs";
import { chooseDevice, pythonStep } from "./setup/python.mjs";
import { runSteps } from "./setup/schedule.mjs";
import { endLeftOvers, StepError, tail, takeLock } from "./setup/steps.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const STEPS = [
  npmStep,
  pythonStep,
  kernelSpecStep,
  instructionSetsStep,
  opsStep,
  imageAddonStep,
  addonStep,
  kernelsStep,
];

/** Seconds between two lines that say what still runs. */
const REMINDER = 30;

function fail(lines) {
  for (const line of lines) process.stderr.write(`set-up: ${line}\n`);
  process.exit(1);
}

const say = (line) => process.stdout.write(`set-up: ${line}\n`);
const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(0)} s`;

/** What a failed step says: its error, the end of its log, where the log is. */
function failureLines(error) {
  const file = error instanceof StepError ? error.log : null;
  if (file === null || !fs.existsSync(file)) return [error.message];
  const end = tail(file).split("\n");
  return [error.message, ...end.map((line) => `  ${line}`), `full log: ${path.relative(process.cwd(), file)}`];
}

/** Runs what is pending, with a line as each step begins and ends. @returns lines about what failed */
async function runPending(context) {
  const running = new Map();
  const failures = [];
  const started = Date.now();
  const reminder = setInterval(() => {
    const names = [...running].map(([step, begun]) => `${step.title} (${seconds(Date.now() - begun)})`);
    if (names.length > 0) say(`… after ${seconds(Date.now() - started)} still at: ${names.join(", ")}`);
  }, REMINDER * 1000);
  const hasSucceeded = await runSteps(STEPS, context, {
    started: (step) => {
      running.set(step, Date.now());
      say(`${step.title} …`);
    },
    done: (step) => {
      say(`${step.title}: done in ${seconds(Date.now() - running.get(step))}`);
      running.delete(step);
    },
    failed: (step, error) => {
      running.delete(step);
      const others = [...running.keys()].map((other) => other.title);
      say(`${step.title}: failed${others.length > 0 ? `; waiting for ${others.join(", ")}` : ""}`);
      failures.push(`${step.title}: ${error.message}`, ...failureLines(error).slice(1));
    },
  });
  clearInterval(reminder);
  if (hasSucceeded) say(`done in ${seconds(Date.now() - started)}`);
  return failures;
}

async function main() {
  const unknown = process.argv.slice(2).find((argument) => argument !== "--without-native");
  if (unknown !== undefined) fail([`unknown option ${unknown}; the only one is --without-native`]);
  const narrow = addressSpaceProblem();
  if (narrow !== null) fail([narrow]);
  const native = !process.argv.includes("--without-native") && process.env.FINE_R1_ENGINE !== "js";
  const log = (name) => path.join(root, ".setup", `${name}.log`);
  const context = { root, native, log, device: chooseDevice(root) };
  const pending = () => STEPS.filter((step) => !step.isDone(context));
  const steps = pending();
  if (steps.length === 0) return;
  process.env.HOME = homeFolder(root);

  const { problems, python } = checkPrerequisites({
    root,
    native,
    device: context.device,
    python: steps.includes(pythonStep),
    compiler: native,
    gigabytes: steps.includes(pythonStep) ? (context.device === "gpu" ? 14 : 6) : 1,
  });
  if (problems.length > 0) fail(problems);

  await takeLock(path.join(root, ".setup/lock"), (pid) => say(`waiting for another one (process ${pid})`));
  await endLeftOvers(path.join(root, ".setup"));
  if (pending().length === 0) return; // another set-up has done it all meanwhile
  const failures = await runPending({ ...context, python });
  if (failures.length > 0) fail(failures);
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
])
  process.on(signal, () => process.exit(code));
main().catch((error) => fail([error && error.message ? error.message : String(error)]));
