import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel, publishedName, saveModel } from "../../lib/model/checkpoint";
import { readHeader, readSafetensors, writeSafetensors } from "../../lib/model/safetensors";

const fixtures = path.join(__dirname, "../fixtures/parity");
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-checkpoint-"));
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

let copies = 0;
/** A fresh copy of a fixture's model directory. */
function copyOf(name: string): string {
  const dir = path.join(scratch, `copy-${copies++}`);
  fs.cpSync(path.join(fixtures, name, "model"), dir, { recursive: true });
  return dir;
}

/** Writes a safetensors file from a header and data bytes. */
function rawFile(header: unknown, bytes: number, claimed?: number): string {
  const file = path.join(scratch, `raw-${copies++}.safetensors`);
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(claimed ?? text.length));
  fs.writeFileSync(file, Buffer.concat([prefix, text, Buffer.alloc(bytes)]));
  return file;
}

function writeFile(name: string, text: string): string {
  const file = path.join(scratch, name);
  fs.writeFileSync(file, text);
  return file;
}
/** What a clone without Git LFS has in a file's place. */
const lfsPointer = (name: string): string =>
  writeFile(name, `version https://git-lfs.github.com/spec/v1\noid sha256:${"1f".repeat(32)}\nsize 3977\n`);

const editJson = (file: string, edit: (json: Record<string, unknown>) => void): void => {
  const json = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, unknown>;
  edit(json);
  fs.writeFileSync(file, JSON.stringify(json));
};

/** Rewrites the only shard of a copied model. */
function editTensors(dir: string, edit: (params: Record<string, tf.Tensor>) => void): void {
  const file = path.join(dir, "model.safetensors");
  const { params } = readSafetensors(file);
  edit(params);
  writeSafetensors(file, params);
  disposeTree(params);
}

describe("saveModel and loadModel", () => {
  it.each(["fixture-tied", "fixture-untied"])("%s: what was saved loads equal, under published names", (name) => {
    const model = loadModel(path.join(fixtures, name, "model"));
    const dir = path.join(scratch, name);
    saveModel(dir, { ...model, files: { "README.md": "a card" } });
    const again = loadModel(dir);
    expect(again.config).toEqual(model.config);
    expect(again.generationConfig).toEqual(model.generationConfig);
    for (const [key, tensor] of Object.entries(model.params))
      expect(Array.from(again.params[key].dataSync()), key).toEqual(Array.from(tensor.dataSync()));
    expect(fs.readFileSync(path.join(dir, "README.md"), "utf8")).toBe("a card");
    expect(Object.keys(readHeader(path.join(dir, "model.safetensors")).entries)).toContain(
      "visual.blocks.0.attn.qkv.weight",
    );
    saveModel(dir, again);
    expect(fs.readdirSync(scratch).filter((entry) => entry.includes(".tmp") || entry.includes(".old"))).toEqual([]);
    disposeTree(model.params, again.params);
  });
  it("refuses weights that memory has no room for, with the numbers, before any is read", () => {
    const before = tf.memory().numTensors;
    const dir = path.join(fixtures, "fixture-tied", "model");
    expect(() => loadModel(dir, { room: 1000 })).toThrow(
      /model: its weights take 0\.00 GiB in memory, and 0\.00 GiB are there for this process; nothing was loaded/,
    );
    const { params } = loadModel(dir);
    const bytes = 4 * Object.values(params).reduce((n, { size }) => n + size, 0);
    disposeTree(params);
    expect(() => loadModel(dir, { room: bytes - 1 })).toThrow(/nothing was loaded/);
    disposeTree(loadModel(dir, { room: bytes }).params);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("removes what killed processes left half-written beside it an hour ago", () => {
    const dir = path.join(scratch, "abandoned");
    const [old, fresh] = ["11.tmp", "12.tmp"].map((end) => `${dir}.${end}`);
    for (const left of [old, fresh]) fs.mkdirSync(left);
    fs.utimesSync(old, 1, 1);
    const model = loadModel(path.join(fixtures, "fixture-tied", "model"));
    saveModel(dir, model);
    disposeTree(model.params);
    expect([old, fresh, dir].map((one) => fs.existsSync(one))).toEqual([false, true, true]);
  });

  it("maps the names of newer transformers", () => {
    expect(publishedName("model.language_model.layers.0.mlp.up_proj.weight")).toBe("model.layers.0.mlp.up_proj.weight");
    expect(publishedName("model.visual.merger.ln_q.weight")).toBe("visual.merger.ln_q.weight");
    expect(publishedName("lm_head.weight")).toBe("lm_head.weight");
  });
  it("loads a file with the names of newer transformers", () => {
    const dir = copyOf("fixture-tied");
    editTensors(dir, (p) => {
      for (const name of Object.keys(p)) {
        p[name.startsWith("visual.") ? `model.${name}` : name.replace(/^model\./, "model.language_model.")] = p[name];
        delete p[name];
      }
    });
    const { params } = loadModel(dir);
    expect(Object.keys(params)).toContain("model.layers.1.mlp.up_proj.weight");
    disposeTree(params);
  });
  it("does not overwrite a folder that is no checkpoint", () => {
    const model = loadModel(path.join(fixtures, "fixture-tied/model"));
    const dir = path.join(scratch, "precious");
    fs.mkdirSync(dir);
    fs.writeFileSync(path.join(dir, "thesis.txt"), "x");
    expect(() => saveModel(dir, model)).toThrow(/no checkpoint/);
    expect(fs.readdirSync(dir)).toEqual(["thesis.txt"]);
    expect(() => saveModel(path.join(scratch, "bad"), { ...model, files: { "../evil": "" } })).toThrow(
      /plain file name/,
    );
    disposeTree(model.params);
  });
});

describe("a bad checkpoint is refused, naming file and tensor, and leaves nothing loaded", () => {
  const bad: [string, string, (dir: string) => void, RegExp][] = [
    [
      "foreign model_type",
      "fixture-tied",
      (d) => editJson(path.join(d, "config.json"), (j) => (j.model_type = "llama")),
      /config\.json: model_type is "llama"/,
    ],
    [
      "no config",
      "fixture-tied",
      (d) => fs.rmSync(path.join(d, "config.json")),
      /config\.json: cannot be read: no such file or folder/,
    ],
    [
      "broken JSON",
      "fixture-tied",
      (d) => fs.writeFileSync(path.join(d, "config.json"), "{"),
      /config\.json: no valid JSON/,
    ],
    ["no weights", "fixture-tied", (d) => fs.rmSync(path.join(d, "model.safetensors")), /neither model\.safetensors/],
    [
      "truncated",
      "fixture-tied",
      (d) => fs.truncateSync(path.join(d, "model.safetensors"), 100_000),
      /model\.safetensors: tensor .* truncated/,
    ],
    [
      "not safetensors",
      "fixture-tied",
      (d) => fs.writeFileSync(path.join(d, "model.safetensors"), "hello there, I am text"),
      /header claims/,
    ],
    [
      "missing tensor",
      "fixture-tied",
      (d) => editTensors(d, (p) => delete p["model.norm.weight"]),
      /1 tensors are missing, the first is model\.norm\.weight \[32\]/,
    ],
    [
      "extra tensor",
      "fixture-tied",
      (d) => editTensors(d, (p) => (p["model.extra"] = tf.zeros([3]))),
      /tensor model\.extra \[3\] belongs to no part/,
    ],
    [
      "wrong shape",
      "fixture-tied",
      (d) => editTensors(d, (p) => (p["model.norm.weight"] = tf.zeros([31]))),
      /norm\.weight has shape \[31\]; config\.json asks for \[32\]/,
    ],
    [
      "NaN",
      "fixture-tied",
      (d) => editTensors(d, (p) => (p["model.norm.weight"] = tf.fill([32], NaN))),
      /norm\.weight \[32\] holds NaN at index 0/,
    ],
    [
      "tied but different head",
      "fixture-tied",
      (d) => editTensors(d, (p) => (p["lm_head.weight"] = tf.zerosLike(p["model.embed_tokens.weight"]))),
      /lm_head\.weight differs/,
    ],
    [
      "twice under two names",
      "fixture-tied",
      (d) => editTensors(d, (p) => (p["model.language_model.norm.weight"] = tf.zeros([32]))),
      /is also in/,
    ],
    [
      "missing shard",
      "fixture-untied",
      (d) => fs.rmSync(path.join(d, "model-00003-of-00005.safetensors")),
      /shard model-00003-of-00005\.safetensors is missing/,
    ],
    [
      "shard outside",
      "fixture-untied",
      (d) =>
        editJson(
          path.join(d, "model.safetensors.index.json"),
          (j) => ((j.weight_map as Record<string, string>)["x"] = "../../other.safetensors"),
        ),
      /expected a \.safetensors file in the same folder/,
    ],
  ];
  const shard = (dir: string, name: string): string => path.join(dir, `model-0000${name}-of-00005.safetensors`);
  /** Overwrites bytes of a shard. */
  const poke = (file: string, at: number, bytes: Buffer): void => {
    const fd = fs.openSync(file, "r+");
    fs.writeSync(fd, bytes, 0, bytes.length, at);
    fs.closeSync(fd);
  };
  bad.push(
    [
      "shard in a folder above by absolute path",
      "fixture-untied",
      (d) =>
        editJson(
          path.join(d, "model.safetensors.index.json"),
          (j) => ((j.weight_map as Record<string, string>)["x"] = path.join(d, "model.safetensors")),
        ),
      /expected a \.safetensors file in the same folder/,
    ],
    [
      "shard that is no safetensors file",
      "fixture-untied",
      (d) =>
        editJson(
          path.join(d, "model.safetensors.index.json"),
          (j) => ((j.weight_map as Record<string, string>)["x"] = "config.json"),
        ),
      /weight_map names "config\.json"/,
    ],
    [
      "index of another checkpoint",
      "fixture-untied",
      (d) =>
        editJson(
          path.join(d, "model.safetensors.index.json"),
          (j) => ((j.weight_map as Record<string, string>)["model.extra"] = "model-00001-of-00005.safetensors"),
        ),
      /weight_map has tensor model\.extra in model-00001-of-00005\.safetensors, which doesn't hold it/,
    ],
    [
      "truncated shard",
      "fixture-untied",
      (d) => fs.truncateSync(shard(d, "3"), fs.statSync(shard(d, "3")).size - 2),
      /model-00003-of-00005\.safetensors: tensor .* truncated/,
    ],
    [
      "shard's header larger than the file",
      "fixture-untied",
      (d) => poke(shard(d, "4"), 0, Buffer.from([255, 255, 255, 255, 255, 0, 0, 0])),
      /model-00004-of-00005\.safetensors: the header claims 1099511627775 bytes, the file has \d+/,
    ],
    [
      "infinite weight in the last shard",
      "fixture-untied",
      (d) => poke(shard(d, "5"), fs.statSync(shard(d, "5")).size - 2, Buffer.from([0x80, 0x7f])),
      /model-00005-of-00005\.safetensors: tensor .* holds Infinity at index \d+/,
    ],
    [
      "tensor named like a property of every object",
      "fixture-tied",
      (d) => editTensors(d, (p) => (p["constructor"] = tf.zeros([3]))),
      /tensor constructor \[3\] belongs to no part/,
    ],
  );
  it.each(bad)("%s", (_, fixture, spoil, message) => {
    const dir = copyOf(fixture);
    spoil(dir);
    const before = tf.memory().numTensors;
    expect(() => loadModel(dir)).toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });
  it("NaN weights load where the check is switched off", () => {
    const dir = copyOf("fixture-tied");
    editTensors(dir, (p) => (p["model.norm.weight"] = tf.fill([32], NaN)));
    const { params } = loadModel(dir, { checkFinite: false });
    expect(params["model.norm.weight"].dataSync()[31]).toBeNaN();
    disposeTree(params);
  });
  it("a tied model may carry an equal lm_head", () => {
    const dir = copyOf("fixture-tied");
    editTensors(dir, (p) => (p["lm_head.weight"] = p["model.embed_tokens.weight"].clone()));
    const { params } = loadModel(dir);
    expect(params["lm_head.weight"]).toBeUndefined();
    disposeTree(params);
  });
});

describe("safetensors", () => {
  const entry = (begin: number, end: number, shape = [1], dtype = "F32"): unknown => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });
  it.each([
    ["overlap", rawFile({ a: entry(0, 8, [2]), b: entry(4, 8) }, 8), /a and b overlap/],
    ["header larger than the file", rawFile({ a: entry(0, 4) }, 4, 1 << 40), /header claims/],
    ["wrong size", rawFile({ a: entry(0, 8) }, 8), /a of shape \[1\] and dtype F32 needs 4 bytes; its offsets span 8/],
    ["unknown dtype", rawFile({ a: entry(0, 4, [1], "F64") }, 4), /dtype "F64"/],
    ["negative shape", rawFile({ a: entry(0, 4, [-1]) }, 4), /shape \[-1\]/],
    ["no JSON", rawFile("[[[", 0), /no JSON/],
    [
      "a tail that no tensor covers",
      rawFile({ a: entry(0, 4) }, 12),
      /raw-\d+\.safetensors: bytes 66 to 74, between a and the end of the file, belong to no tensor \(8 of 74\): the file is damaged/,
    ],
    [
      "a gap at the start",
      rawFile({ a: entry(4, 8) }, 8),
      /bytes 62 to 66, between the header and a, belong to no tensor/,
    ],
    [
      "a gap between tensors",
      rawFile({ b: entry(8, 12), a: entry(0, 4) }, 12),
      /between a and b, belong to no tensor \(4 of/,
    ],
    [
      "data without tensors",
      rawFile({ __metadata__: { format: "pt" } }, 3),
      /between the header and the end of the file/,
    ],
    [
      "a Git LFS pointer",
      lfsPointer("model.safetensors"),
      /model\.safetensors: a Git LFS pointer, not the file itself: fetch the file with `git lfs pull`/,
    ],
    ["an empty file", writeFile("empty.safetensors", ""), /0 bytes are no safetensors file/],
    ["beyond the end", rawFile({ a: entry(0, 400, [100]) }, 4), /truncated/],
  ])("refuses %s", (_, file, message) => expect(() => readSafetensors(file)).toThrow(message));

  it("names a Git LFS pointer among the JSON files too", () => {
    const dir = copyOf("fixture-tied");
    fs.copyFileSync(lfsPointer("pointer.json"), path.join(dir, "config.json"));
    expect(() => loadModel(dir)).toThrow(/config\.json: a Git LFS pointer, not the file itself/);
  });

  it("reads files without data, and empty tensors between others", () => {
    expect(readSafetensors(rawFile({ __metadata__: { format: "pt" } }, 0)).params).toEqual({});
    const { params } = readSafetensors(rawFile({ a: entry(0, 4), e: entry(4, 4, [0]), b: entry(4, 8) }, 8));
    expect(Object.keys(params)).toEqual(["a", "e", "b"]);
    disposeTree(params);
  });

  it("stores float32 exactly, float16 and bfloat16 rounded to even, int32, scalars and empty tensors", () => {
    const values = [
      0,
      -0,
      1,
      -1.5,
      65504,
      1e-7,
      6e-8,
      3.14159274,
      1.00048828125,
      1.0014648437,
      -(2 ** -14),
      2 ** -25,
      1 + 2 ** -8,
      1 + 3 * 2 ** -8,
    ];
    const params = {
      x: tf.tensor1d(values),
      n: tf.tensor2d([[1, -7]], [1, 2], "int32"),
      s: tf.scalar(2.5),
      e: tf.zeros([0, 3]),
    };
    const round = { F32: Math.fround, F16: (v: number) => half(v), BF16: (v: number) => brain(v) };
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const file = path.join(scratch, `types-${dtype}.safetensors`);
      writeSafetensors(file, params, { dtype, metadata: { step: "3" } });
      const read = readSafetensors(file);
      expect(Array.from(read.params.x.dataSync())).toEqual(values.map(round[dtype]));
      expect([
        read.params.n.dtype,
        Array.from(read.params.n.dataSync()),
        read.params.s.shape,
        read.params.e.shape,
      ]).toEqual(["int32", [1, -7], [], [0, 3]]);
      expect(read.metadata).toEqual({ step: "3" });
    }
  });
});

/** Rounds by arithmetic on the spacing of numbers, unlike the implementation's bits. */
function roundTo(value: number, bits: number, smallest: number): number {
  if (value === 0) return value;
  const spacing = 2 ** Math.max(Math.floor(Math.log2(Math.abs(value))) - bits, smallest);
  const scaled = Math.fround(value) / spacing;
  const floor = Math.floor(scaled);
  const up = scaled - floor > 0.5 || (scaled - floor === 0.5 && floor % 2 !== 0);
  return (floor + (up ? 1 : 0)) * spacing;
}
const half = (value: number): number => roundTo(value, 10, -24);
const brain = (value: number): number => roundTo(value, 7, -133);
