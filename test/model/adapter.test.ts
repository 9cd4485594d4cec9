import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadAdapter, saveAdapter } from "../../lib/model/adapter";
import { loadModel, saveModel } from "../../lib/model/checkpoint";
import { readSafetensors, writeSafetensors } from "../../lib/model/safetensors";
import { violations } from "../../tools/parity/checks";
import { adaptersOf, compareAdapter, loraChecks } from "../../tools/parity/compare-lora";
import { capture, command } from "../cli/capture";

const generate = command("generate");

const root = path.join(__dirname, "../fixtures/parity");
const tied = path.join(root, "fixture-tied");
const peft = path.join(tied, "adapters/all-linear");
const model = loadModel(path.join(tied, "model"));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-adapter-"));
afterAll(() => {
  disposeTree(model.params);
  fs.rmSync(scratch, { recursive: true, force: true });
});

let copies = 0;
const copyOf = (source: string): string => {
  const dir = path.join(scratch, `copy-${copies++}`);
  fs.cpSync(source, dir, { recursive: true });
  return dir;
};
function editTensors(dir: string, edit: (params: Params) => void): void {
  const file = path.join(dir, "adapter_model.safetensors");
  const { params } = readSafetensors(file);
  edit(params);
  writeSafetensors(file, params);
  disposeTree(params);
}
function rename(dir: string, change: (name: string) => string): void {
  editTensors(dir, (p) => {
    for (const name of Object.keys(p)) {
      const tensor = p[name];
      delete p[name];
      p[change(name)] = tensor;
    }
  });
}
const editConfig = (dir: string, change: Record<string, unknown>): void => {
  const file = path.join(dir, "adapter_config.json");
  fs.writeFileSync(file, JSON.stringify({ ...(JSON.parse(fs.readFileSync(file, "utf8")) as object), ...change }));
};

describe("parity with PEFT", () => {
  const cases = ["fixture-tied", "fixture-untied"].flatMap((name) =>
    adaptersOf(path.join(root, name)).map((adapter) => [name, adapter]),
  );
  it("has fixtures of two adapters", () =>
    expect(cases).toEqual([
      ["fixture-tied", "all-linear"],
      ["fixture-untied", "attention"],
    ]));
  it.each(cases)(
    "%s, %s: logits of five prompts, unmerged and merged; saved here and read again the same",
    async (name, adapter) => {
      const dir = path.join(root, name);
      const report = await compareAdapter(dir, adapter);
      expect(violations(loraChecks(report))).toEqual([]);
      const { config, params } = loadModel(path.join(dir, "model"));
      const loaded = loadAdapter(path.join(dir, "adapters", adapter), config);
      const saved = path.join(scratch, name);
      saveAdapter(saved, { config, ...loaded });
      expect(await compareAdapter(dir, adapter, saved)).toEqual(report);
      expect(loadAdapter(saved, config).lora).toEqual(loaded.lora);
      disposeTree(params, loaded.params);
    },
  );
});

describe("an adapter's directory", () => {
  it.each<[string, (name: string) => string]>([
    [
      "published",
      (name) => name.replace(".model.model.visual.", ".model.visual.").replace(".model.language_model.", ".model."),
    ],
    [
      "language_model first",
      (name) =>
        name
          .replace("model.language_model.", "language_model.model.")
          .replace(".model.model.visual.", ".model.visual."),
    ],
    ["with PEFT's adapter name", (name) => name.replace(".weight", ".default.weight")],
  ])("is read under other names: %s", (_, change) => {
    const dir = copyOf(peft);
    rename(dir, change);
    const [a, b] = [loadAdapter(dir, model.config).params, loadAdapter(peft, model.config).params];
    expect(Object.keys(a).sort()).toEqual(Object.keys(b).sort());
    for (const name of Object.keys(b))
      expect(Array.from(a[name].dataSync()), name).toEqual(Array.from(b[name].dataSync()));
    disposeTree(a, b);
  });

  const q = "base_model.model.model.language_model.layers.0.self_attn.q_proj";
  it.each<[string, (dir: string) => void, RegExp]>([
    ["no config", (d) => fs.rmSync(path.join(d, "adapter_config.json")), /adapter_config\.json: cannot be read/],
    [
      "no weights",
      (d) => fs.rmSync(path.join(d, "adapter_model.safetensors")),
      /adapter_model\.safetensors is missing; adapters in other formats/,
    ],
    [
      "another width",
      (d) => editTensors(d, (p) => (p[`${q}.lora_A.weight`] = tf.zeros([3, 64]))),
      /tensor base_model\.model\.model\.language_model\.layers\.0\.self_attn\.q_proj\.lora_A\.weight has shape \[3, 64\]; this model and adapter_config\.json ask for \[3, 32\]/,
    ],
    ["another rank than it says", (d) => editConfig(d, { r: 7 }), /has shape \[3, \d+\].* ask for \[7, \d+\]/],
    [
      "a layer that is not there",
      (d) => rename(d, (name) => name.replace("layers.1.", "layers.9.")),
      /layers\.9\..*\[\d+, \d+\] adapts a layer that target_modules don't name or this model doesn't have/,
    ],
    [
      "a tensor missing",
      (d) => editTensors(d, (p) => delete p[`${q}.lora_B.weight`]),
      /1 tensors are missing .* model\.layers\.0\.self_attn\.q_proj\.lora_B\.weight \[32, 3\]/,
    ],
    [
      "DoRA's vectors",
      (d) => editTensors(d, (p) => (p[`${q}.lora_magnitude_vector`] = tf.zeros([4]))),
      /lora_magnitude_vector \[4\] is no lora_A or lora_B/,
    ],
    ["a bias trained too", (d) => editConfig(d, { bias: "lora_only" }), /bias is "lora_only"/],
    [
      "NaN",
      (d) => editTensors(d, (p) => (p[`${q}.lora_B.weight`] = tf.fill([32, 3], NaN))),
      /lora_B\.weight \[32, 3\] holds NaN/,
    ],
  ])("is refused: %s", (_, spoil, message) => {
    const dir = copyOf(peft);
    spoil(dir);
    const before = tf.memory().numTensors;
    expect(() => loadAdapter(dir, model.config)).toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });
  it("of another base is refused, naming tensor and both shapes", () => {
    const before = tf.memory().numTensors;
    const { config } = JSON.parse(JSON.stringify({ config: model.config })) as { config: typeof model.config };
    config.text.intermediateSize = 56;
    expect(() => loadAdapter(peft, config)).toThrow(
      /mlp\.down_proj\.lora_A\.weight has shape \[2, 48\]; .* \[2, 56\]: the adapter is for another base/,
    );
    expect(tf.memory().numTensors).toBe(before);
  });
  it("takes no place of something else, holds only what its config says, and is not saved as a model", () => {
    const dir = path.join(scratch, "precious");
    fs.mkdirSync(dir);
    fs.writeFileSync(path.join(dir, "thesis.txt"), "x");
    const { lora, params } = loadAdapter(peft, model.config);
    expect(() => saveAdapter(dir, { config: model.config, lora, params })).toThrow(
      /no adapter \(no adapter_config\.json\)/,
    );
    expect(() =>
      saveAdapter(path.join(scratch, "a"), {
        config: model.config,
        lora: { ...lora, targetModules: ["q_proj"] },
        params,
      }),
    ).toThrow(/adapts a layer that target_modules don't name/);
    expect(() => saveAdapter(path.join(scratch, "b"), { config: model.config, lora, params: {} })).toThrow(
      /lora_A\.weight \[3, \d+\] is missing/,
    );
    expect(() =>
      saveModel(path.join(scratch, "c"), { config: model.config, params: { ...model.params, ...params } }),
    ).toThrow(/merge the adapter/);
    expect(["a", "b", "c"].some((name) => fs.existsSync(path.join(scratch, name)))).toBe(false);
    disposeTree(params);
  });
  it("generates: `generate --adapter` answers otherwise than the base", async () => {
    const args = [
      "--model",
      path.join(tied, "model"),
      "--prompt",
      "What is it?",
      "--max-new-tokens",
      "6",
      "--ignore-eos",
      "--json",
    ];
    const before = tf.memory().numTensors;
    const [plain, adapted] = [await capture(generate, args), await capture(generate, [...args, "--adapter", peft])];
    expect([plain.code, adapted.code, adapted.err]).toEqual([0, 0, ""]);
    expect((JSON.parse(adapted.out) as { log_probs: number[] }).log_probs).not.toEqual(
      (JSON.parse(plain.out) as { log_probs: number[] }).log_probs,
    );
    expect(tf.memory().numTensors).toBe(before);
    expect((await capture(generate, [...args, "--adapter", path.join(tied, "model")])).err).toMatch(
      /adapter_config\.json: cannot be read/,
    );
  });
});
