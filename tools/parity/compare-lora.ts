/** The TypeScript side of PEFT's parity: a case's adapters (lora.py), unmerged and merged, against PEFT's logits. */
import * as fs from "node:fs";
import * as path from "node:path";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadAdapter, saveAdapter } from "../../lib/model/adapter";
import { loadModel, saveModel } from "../../lib/model/checkpoint";
import { forward } from "../../lib/model/forward";
import { mergeLora } from "../../lib/model/lora";
import { readHeader, readValues } from "../../lib/model/safetensors";
import { collate, modelInputs } from "../../lib/processor/collate";
import { loadProcessor } from "../../lib/processor/processor";
import type { Check } from "./checks";
import { withPaths, type ReferenceRow } from "./compare";

/** Largest |difference| / max(1, |reference|) of logits. */
export interface LoraReport {
  unmerged: number;
  merged: number;
  /** How far the model without its adapter is, to see that the comparison means something. */
  withoutAdapter: number;
}

/** Names of a case's adapters. */
export const adaptersOf = (dir: string): string[] =>
  fs.existsSync(path.join(dir, "adapters")) ? fs.readdirSync(path.join(dir, "adapters")).sort() : [];

/** Compares one adapter of a case. @param adapterDir read in place of the case's own */
export async function compareAdapter(
  dir: string,
  name: string,
  adapterDir = path.join(dir, "adapters", name),
): Promise<LoraReport> {
  const { rows } = JSON.parse(fs.readFileSync(path.join(dir, "reference.json"), "utf8")) as { rows: ReferenceRow[] };
  const reference = readHeader(path.join(dir, "adapters", name, "logits.safetensors"));
  const every = Number(reference.metadata.every);
  const processor = loadProcessor(path.join(dir, "model"));
  const { config, params } = loadModel(path.join(dir, "model"));
  const adapter = loadAdapter(adapterDir, config).params;
  const merged = mergeLora({ ...params, ...adapter });
  const host = collate(config, await Promise.all(rows.map((row) => processor.prompt(withPaths(row.messages, dir)))), {
    padTokenId: processor.tokenizer.padTokenId ?? 0,
  });
  const inputs = modelInputs(config, host);
  const vocab = config.text.vocabSize;
  const distance = (of: Params): number => {
    const logits = tf.tidy(() => forward(of, config, inputs).dataSync());
    let worst = 0;
    rows.forEach((_, b) => {
      readValues(reference, String(b)).forEach((wanted, i) => {
        const ours = logits[(b * host.length + Math.floor(i / vocab) * every) * vocab + (i % vocab)];
        worst = Math.max(worst, Math.abs(ours - wanted) / Math.max(1, Math.abs(wanted)));
      });
    });
    return worst;
  };
  const report = {
    unmerged: distance({ ...params, ...adapter }),
    merged: distance(merged),
    withoutAdapter: distance(params),
  };
  disposeTree(inputs, params, adapter, merged);
  return report;
}

/** The report as checks. */
export const loraChecks = (report: LoraReport): Check[] => [
  { check: "logits, unmerged, |difference| / max(1, |logit|)", worst: report.unmerged, tolerance: 1e-4 },
  { check: "logits, merged, |difference| / max(1, |logit|)", worst: report.merged, tolerance: 1e-4 },
  {
    check: "share of 0.01 that the adapter fails to move logits by",
    worst: Math.max(0, 1 - report.withoutAdapter / 0.01),
    tolerance: 0,
  },
];

/** Saves an adapter of a case and the model with it merged, for Python to read. */
export function saveBoth(dir: string, name: string, adapterDir: string, mergedDir: string): void {
  const { config, params, generationConfig } = loadModel(path.join(dir, "model"));
  const adapter = loadAdapter(path.join(dir, "adapters", name), config);
  const merged = mergeLora({ ...params, ...adapter.params });
  saveAdapter(adapterDir, { config, ...adapter });
  saveModel(mergedDir, { config, params: merged, generationConfig });
  disposeTree(params, adapter.params, merged);
}
