/**
 * Parity with Hugging Face transformers, TRL and PEFT, end to end: npm run parity [-- --only NAME] [-- --fixtures]
 * Builds random-weight models with transformers in a temporary folder and runs both sides on the same directory:
 * prompts, pixels, logits, greedy tokens, loss and gradients; saves each model from TypeScript and has transformers
 * load that; the same with LoRA adapters and PEFT; then the losses of RL against the published formulas, and Qwen2.5's
 * tokenizer on 1,000 strings. Exits 1 where a tolerance is broken. `--fixtures` writes test/fixtures/parity anew from
 * two small models instead.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel, saveModel } from "../../lib/model/checkpoint";
import { trainTokenizer } from "../../lib/processor/tokenizer-files";
import { ensureQwenTokenizer } from "../../test/bench/environment";
import { reportFile, sectionLines, violations, writeReport, type Check, type Section } from "./checks";
import { caseChecks, compareCase, compareTokens, torchvisionNotes } from "./compare";
import { adaptersOf, compareAdapter, loraChecks, saveBoth } from "./compare-lora";
import { comparePolicy } from "./compare-policy";
import { writeConversations } from "./compare-records";
import { compareTraining } from "./compare-training";
import { askPython, pythonVersions, runPython } from "./python";
import { tokenizerStrings } from "./strings";
import { writeTokenizerFixture } from "./tokenizer-fixture";

const CORPUS = [
  "What is it? Answer with the name of the sub-category. Two images. Which is larger? The first one is larger than the second.",
  "<think>The image shows an animal with a long tail and red feathers. It could be a cardinal.</think> <answer>northern cardinal</answer>",
  "You are a helpful assistant. A: Boeing 737-800, B: Airbus A320, C: café, D: it's what they'd call a naïve answer",
];

const tokenChecks = (dir: string): Check[] => {
  const tokens = compareTokens(dir);
  return tokens
    ? [
        {
          check: `strings of ${tokens.strings} whose ids or decoded text differ`,
          worst: tokens.differing.length,
          tolerance: 0,
        },
      ]
    : [];
};

/** The model saved from here, as transformers loads it. */
function checkSaved(dir: string): Check[] {
  const saved = path.join(dir, "saved");
  const { config, params, generationConfig } = loadModel(path.join(dir, "model"));
  saveModel(saved, { config, params, generationConfig });
  disposeTree(params);
  const { problems, logits } = askPython<{ problems: number; logits: number }>("reference.py", "check", saved, dir);
  fs.rmSync(saved, { recursive: true });
  return [
    { check: "saved here, loaded by transformers: complaints", worst: problems, tolerance: 0 },
    { check: "saved here, loaded by transformers: logits", worst: logits, tolerance: 1e-4 },
  ];
}

/** What PEFT makes of adapters and of merged models that were saved here, by the adapter's name. */
function checkSavedAdapters(dir: string): Map<string, Check[]> {
  const resaved = path.join(dir, "resaved");
  for (const name of adaptersOf(dir))
    saveBoth(dir, name, path.join(resaved, name, "adapter"), path.join(resaved, name, "merged"));
  const report = askPython<Record<string, { problems: number; adapter: number; merged: number }>>(
    "lora.py",
    "check",
    dir,
  );
  fs.rmSync(resaved, { recursive: true });
  return new Map(
    Object.entries(report).map(([name, { problems, adapter, merged }]) => [
      name,
      [
        { check: "saved here: names that PEFT's file has not, or has alone", worst: problems, tolerance: 0 },
        { check: "saved here, loaded by PEFT: logits", worst: adapter, tolerance: 1e-4 },
        { check: "merged and saved here, loaded by transformers: logits", worst: merged, tolerance: 1e-4 },
      ],
    ]),
  );
}

/** One model on both sides. Fixtures keep two adapters in all. */
async function compareModel(dir: string, fixtures: boolean, show: (section: Section) => void): Promise<void> {
  const name = path.basename(dir);
  writeConversations(dir);
  runPython("training.py", dir);
  const checks = [
    ...caseChecks(await compareCase(dir)),
    ...tokenChecks(dir),
    ...(await compareTraining(dir)),
    ...checkSaved(dir),
  ];
  show({ name, checks, notes: torchvisionNotes(dir) });
  runPython("lora.py", "build", dir, ...(fixtures ? ["--small"] : []));
  const kept = name === "fixture-tied" ? "all-linear" : "attention";
  const resaved = fixtures ? new Map<string, Check[]>() : checkSavedAdapters(dir);
  for (const adapter of adaptersOf(dir)) {
    const ofAdapter = loraChecks(await compareAdapter(dir, adapter));
    show({ name: `${name}, adapter ${adapter}`, checks: [...ofAdapter, ...(resaved.get(adapter) ?? [])] });
    if (fixtures && adapter !== kept) fs.rmSync(path.join(dir, "adapters", adapter), { recursive: true });
  }
}

/** The published tokenizer on generated strings. */
function compareTokenizer(out: string): Section {
  const dir = path.join(out, "qwen");
  fs.cpSync(ensureQwenTokenizer(), path.join(dir, "model"), { recursive: true });
  fs.writeFileSync(path.join(dir, "strings.json"), JSON.stringify(tokenizerStrings(1000, 1)));
  runPython("tokenizer.py", path.join(dir, "model"), path.join(dir, "strings.json"), path.join(dir, "tokens.json"));
  return { name: "Qwen2.5's tokenizer", checks: tokenChecks(dir) };
}

/** Versions of this side. */
function ownVersions(): Record<string, string> {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(__dirname, "../../package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const names = ["@tensorflow/tfjs", "@huggingface/tokenizers", "@huggingface/jinja", "sharp"];
  return { node: process.versions.node, ...Object.fromEntries(names.map((name) => [name, dependencies[name]])) };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { fixtures: { type: "boolean", default: false }, only: { type: "string" } },
  });
  const { fixtures, only } = values;
  const out = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-parity-"));
  const sections: Section[] = [];
  const show = (section: Section): void => {
    sections.push(section);
    console.log(sectionLines(section).join("\n"));
  };
  try {
    fs.mkdirSync(path.join(out, "tokenizer"));
    for (const [name, text] of Object.entries(trainTokenizer(CORPUS, { vocabSize: 400 })))
      fs.writeFileSync(path.join(out, "tokenizer", name), text);
    runPython(
      "reference.py",
      "build",
      out,
      ...(fixtures ? ["--fixtures"] : only === undefined ? [] : ["--only", only]),
    );
    const cases = fs.readdirSync(out).filter((name) => name !== "tokenizer");
    if (cases.length === 0)
      throw new Error(`parity: no model is called ${JSON.stringify(only)}; the names are in tools/parity/reference.py`);
    for (const name of cases) await compareModel(path.join(out, name), fixtures, show);
    const policy = path.join(out, "policy.json");
    if (only === undefined) {
      runPython("policy.py", policy);
      show({ name: "losses of RL, against the published formulas in PyTorch", checks: comparePolicy(policy) });
      show(compareTokenizer(out));
    }
    const checks = sections.flatMap((section) => section.checks);
    const failed = violations(checks).length;
    console.log(`${checks.length - failed} of ${checks.length} checks hold`);
    if (!fixtures && only === undefined) {
      writeReport(sections, { ...ownVersions(), ...pythonVersions() });
      console.log(`report: ${path.relative(process.cwd(), reportFile)}`);
    }
    if (failed > 0) throw new Error(`parity: ${failed} of ${checks.length} checks fail`);
    if (fixtures) {
      const target = path.join(__dirname, "../../test/fixtures/parity");
      fs.rmSync(target, { recursive: true, force: true });
      for (const name of [...cases, "policy.json"])
        fs.cpSync(path.join(out, name), path.join(target, name), { recursive: true });
      writeTokenizerFixture(path.join(out, "qwen"), path.join(target, "qwen2.5-tokenizer"), 4);
    }
  } finally {
    fs.rmSync(out, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
