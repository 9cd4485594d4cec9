/**
 * Parity with Hugging Face transformers and PEFT, end to end:
 *   FINE_R1_PARITY_PYTHON=/path/to/python npx tsx scripts/parity/run.ts [--fixtures]
 * Builds random-weight models with transformers in a temporary folder, runs both sides on the same directory, saves each
 * model from TypeScript and has transformers load that; the same with LoRA adapters and PEFT. `--fixtures` writes test/fixtures/parity anew instead.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel, saveModel } from "../../lib/model/checkpoint";
import { trainTokenizer } from "../../lib/processor/tokenizer-files";
import { adaptersOf, compareAdapter, loraViolations, saveBoth } from "./compare-lora";
import { compareCase, compareTokens, violations } from "./compare";

const CORPUS = [
  "What is it? Answer with the name of the sub-category. Two images. Which is larger? The first one is larger than the second.",
  "<think>The image shows an animal with a long tail and red feathers. It could be a cardinal.</think> <answer>northern cardinal</answer>",
  "You are a helpful assistant. A: Boeing 737-800, B: Airbus A320, C: café, D: it's what they'd call a naïve answer",
];

const python = process.env.FINE_R1_PARITY_PYTHON ?? "python3";
const runPython = (script: "reference.py" | "lora.py", ...args: string[]): void => {
  execFileSync(python, [path.join(__dirname, script), ...args], { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, HF_HUB_OFFLINE: "1", TRANSFORMERS_VERBOSITY: "error" } });
};

/** Runs the adapters of a case on both sides; returns how many comparisons failed. Fixtures keep two adapters in all. */
async function compareAdapters(dir: string, fixtures: boolean): Promise<number> {
  runPython("lora.py", "build", dir, ...(fixtures ? ["--small"] : []));
  const kept = path.basename(dir) === "fixture-tied" ? "all-linear" : "attention";
  let failed = 0;
  for (const name of adaptersOf(dir)) {
    const report = await compareAdapter(dir, name);
    const problems = loraViolations(report);
    failed += problems.length;
    console.log(`${path.basename(dir)}, adapter ${name}: ${problems.length === 0 ? "equal" : problems.join("; ")}`, JSON.stringify(report));
    if (fixtures) {
      if (name !== kept) fs.rmSync(path.join(dir, "adapters", name), { recursive: true });
      continue;
    }
    const [adapter, merged] = [path.join(dir, "saved-adapter"), path.join(dir, "saved-merged")];
    saveBoth(dir, name, adapter, merged);
    runPython("lora.py", "check", dir, name, adapter, merged);
    for (const made of [adapter, merged]) fs.rmSync(made, { recursive: true });
  }
  return failed;
}

async function main(): Promise<void> {
  const fixtures = process.argv.includes("--fixtures");
  const out = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-parity-"));
  try {
    fs.mkdirSync(path.join(out, "tokenizer"));
    for (const [name, text] of Object.entries(trainTokenizer(CORPUS, { vocabSize: 400 }))) fs.writeFileSync(path.join(out, "tokenizer", name), text);
    runPython("reference.py", "build", out, ...(fixtures ? ["--only", "fixture"] : []));
    const cases = fs.readdirSync(out).filter((name) => name !== "tokenizer");
    let failed = 0;
    for (const name of cases) {
      const dir = path.join(out, name);
      const report = await compareCase(dir);
      const problems = violations(report);
      failed += problems.length;
      console.log(`${name}: ${problems.length === 0 ? "equal" : problems.join("; ")}`, JSON.stringify(report));
      const tokens = compareTokens(dir);
      if (tokens) console.log(`${name}: ${tokens.strings - tokens.differing.length} of ${tokens.strings} strings give equal tokens`, tokens.differing);
      failed += tokens?.differing.length ?? 0;
      const { config, params, generationConfig } = loadModel(path.join(dir, "model"));
      saveModel(path.join(dir, "saved"), { config, params, generationConfig });
      disposeTree(params);
      runPython("reference.py", "check", path.join(dir, "saved"), dir);
      fs.rmSync(path.join(dir, "saved"), { recursive: true });
      failed += await compareAdapters(dir, fixtures);
    }
    if (failed > 0) throw new Error(`${failed} comparisons failed`);
    if (fixtures) {
      const target = path.join(__dirname, "../../test/fixtures/parity");
      fs.rmSync(target, { recursive: true, force: true });
      for (const name of cases) fs.cpSync(path.join(out, name), path.join(target, name), { recursive: true });
    }
  } finally {
    fs.rmSync(out, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
