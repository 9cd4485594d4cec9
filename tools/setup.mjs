#!/usr/bin/env node
/**
 * Set-up: what a fresh clone lacks, and nothing else. Runs before every npm command; about 0.1 s when all is there.
 *
 *   node tools/setup.mjs [--without-native]
 *
 * Written with Node built-ins only, since it runs before any package is there. Each step decides from the files it left
 * whether it has been completed for today's inputs (lock file, requirements, patch, device), so an interrupted set-up
 * goes on where it stopped. Environment: FINE_R1_DEVICE=cpu|gpu, FINE_R1_ENGINE=js (as --without-native),
 * FINE_R1_PYTHON=command.
 */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { addonStep } from "./setup/addon.mjs";
import { imageAddonStep, kernelsStep } from "./setup/native-addons.mjs";
import { npmStep } from "./setup/npm.mjs";
import { checkPrerequisites } from "./setup/prerequisites.mjs";
import { chooseDevice, pythonStep } from "./setup/python.mjs";
import { StepError, tail, takeLock } from "./setup/steps.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const STEPS = [npmStep, pythonStep, imageAddonStep, addonStep, kernelsStep];

function fail(lines) {
  for (const line of lines) process.stderr.write(`set-up: ${line}\n`);
  process.exit(1);
}

async function main() {
  const unknown = process.argv.slice(2).find((argument) => argument !== "--without-native");
  if (unknown !== undefined) fail([`unknown option ${unknown}; the only one is --without-native`]);
  const native = !process.argv.includes("--without-native") && process.env.FINE_R1_ENGINE !== "js";
  const log = (name) => path.join(root, ".setup", `${name}.log`);
  const context = { root, native, log, device: chooseDevice(root) };
  const pending = () => STEPS.filter((step) => !step.isDone(context));
  let steps = pending();
  if (steps.length === 0) return;

  const { problems, python } = checkPrerequisites({
    root,
    native,
    device: context.device,
    python: steps.includes(pythonStep),
    compiler: native,
    gigabytes: steps.includes(pythonStep) ? (context.device === "gpu" ? 14 : 6) : 1,
  });
  if (problems.length > 0) fail(problems);

  await takeLock(path.join(root, ".setup/lock"), (pid) =>
    process.stdout.write(`set-up: waiting for another one (process ${pid})\n`),
  );
  steps = pending(); // another set-up may have done them meanwhile
  const started = Date.now();
  for (const step of STEPS) {
    // Asked again each time: `npm ci` also removes the addon, which lives in node_modules.
    if (step.isDone(context)) continue;
    const begun = Date.now();
    process.stdout.write(`set-up: ${step.title} … `);
    try {
      await step.run({ ...context, python });
    } catch (error) {
      process.stdout.write("failed\n");
      const file = error instanceof StepError ? error.log : null;
      const end = file
        ? tail(file)
            .split("\n")
            .map((line) => `  ${line}`)
        : [];
      fail([
        error.message,
        ...end,
        ...(file && fs.existsSync(file) ? [`full log: ${path.relative(process.cwd(), file)}`] : []),
      ]);
    }
    process.stdout.write(`${((Date.now() - begun) / 1000).toFixed(0)} s\n`);
  }
  if (steps.length > 0) process.stdout.write(`set-up: done in ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
])
  process.on(signal, () => process.exit(code));
main().catch((error) => fail([error && error.message ? error.message : String(error)]));
