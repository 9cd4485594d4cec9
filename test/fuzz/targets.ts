/** What is fuzzed: for each kind of input the files that are good, how they are changed, and who reads them. */
import * as fc from "fast-check";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { deflateSync } from "node:zlib";
import CRC32 from "crc-32";
import sharp from "sharp";
import { disposeTree } from "../../lib/engine/tree";
import { parseRows } from "../../lib/eval/rows";
import { loadSettings } from "../../lib/experiment/load-settings";
import { SETTINGS } from "../../lib/experiment/settings";
import { readMat } from "../../lib/formats/mat";
import { readStage1 } from "../../lib/formats/stage1";
import { readStage2 } from "../../lib/formats/stage2";
import { loadAdapter, saveAdapter } from "../../lib/model/adapter";
import { loadConfig, loadModel } from "../../lib/model/checkpoint";
import { configToJson } from "../../lib/model/config";
import { initLora } from "../../lib/model/lora";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import { readHeader, readValues, writeSafetensors } from "../../lib/model/safetensors";
import { paramShapes } from "../../lib/model/shapes";
import { decodeImage, readImageHeader } from "../../lib/processor/image-decode";
import { loadTokenizer } from "../../lib/processor/tokenizer";
import { parseReply } from "../../lib/rollout/chat-reply";
import { listed } from "../../lib/util/declared";
import { toyConfig, toyParams, toyProcessor, toyTokenizerFiles } from "../helpers/tiny";
import { editedBytes, editedJson, editedJsonBytes, hostileTexts } from "./mutations";

/** A reader under attack. */
export interface Target {
  /** Changed inputs, as the bytes of one file. */
  inputs: fc.Arbitrary<Buffer>;
  /**
   * Reads the input. It may throw an Error whose message has the text that is given back by `names`.
   * @param folder of this input alone; files that belong to it are there
   */
  read(input: Buffer, folder: string): unknown;
  /** What an error has to name: the file, or the field. */
  names(folder: string): RegExp;
}

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
const inFolder = (folder: string): RegExp => new RegExp(quoted(folder));

/** A target that reads one file. */
const ofFile = (
  inputs: fc.Arbitrary<Buffer>,
  name: string,
  read: (file: string, folder: string) => unknown,
): Target => ({
  inputs,
  names: inFolder,
  read: (input, folder) => {
    const file = path.join(folder, name);
    writeFileSync(file, input);
    return read(file, folder);
  },
});

const fixtures = path.resolve(__dirname, "../fixtures");
const filesOf = (folder: string, ending: string, names: readonly string[]): Buffer[] =>
  names.map((name) => readFileSync(path.join(fixtures, folder, `${name}${ending}`)));

/** A safetensors file: header and bytes. */
function safetensors(header: string, data: Buffer, length = BigInt(Buffer.byteLength(header))): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt.asUintN(64, length));
  return Buffer.concat([prefix, Buffer.from(header), data]);
}

const HEADER = {
  __metadata__: { format: "pt" },
  a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
  b: { dtype: "BF16", shape: [4], data_offsets: [24, 32] },
  none: { dtype: "F16", shape: [0, 7], data_offsets: [32, 32] },
  whole: { dtype: "I32", shape: [], data_offsets: [32, 36] },
};

function safetensorsTarget(): Target {
  const data = Buffer.alloc(36, 1);
  const inputs = fc.oneof(
    fc
      .tuple(editedJson([HEADER]), fc.constantFrom(0n, 0n, 0n, 0n, 1n, -1n, 1n << 53n, -9n), fc.nat(40))
      .map(([header, more, length]) =>
        safetensors(header, length > 36 ? data : Buffer.alloc(length, 1), BigInt(Buffer.byteLength(header)) + more),
      ),
    fc.tuple(editedJson([HEADER])).map(([header]) => safetensors(header, data)),
    editedBytes([safetensors(JSON.stringify(HEADER), data)]),
  );
  return ofFile(inputs, "model.safetensors", (file) => {
    const header = readHeader(file);
    for (const name of Object.keys(header.entries)) readValues(header, name);
  });
}

/** Files of a checkpoint of some thousand parameters, two shards of it, and an adapter for it. */
function toyCheckpoint(folder: string) {
  const config = toyConfig(toyProcessor());
  const params = toyParams(config);
  const shards = [path.join(folder, "one.safetensors"), path.join(folder, "two.safetensors")];
  const names = Object.keys(paramShapes(config));
  const half = (of: number) =>
    Object.fromEntries(names.filter((_, i) => i % 2 === of).map((name) => [name, params[name]]));
  shards.forEach((file, of) => writeSafetensors(file, half(of)));
  const weightMap = Object.fromEntries(names.map((name, i) => [name, path.basename(shards[i % 2])]));
  const lora = { ...LORA_DEFAULTS, rank: 2 };
  const adapter = initLora(config, lora, 1);
  const adapterFolder = path.join(folder, "adapter");
  saveAdapter(adapterFolder, { config, lora, params: adapter });
  disposeTree({ ...params, ...adapter });
  return { config, shards: shards.map((file) => readFileSync(file)), weightMap, adapterFolder };
}

const MESSAGES = {
  messages: [
    { role: "user", content: "<image>Which animal is this?" },
    { role: "assistant", content: "<think>Ears.</think> <answer>red fox</answer>" },
  ],
  images: ["fox/1.png"],
};
const CONVERSATION = {
  system: "Look.",
  conversations: [
    { from: "human", value: "What is it?<image>" },
    { from: "gpt", value: "<think>A tail.</think>\n<answer>cat</answer>" },
  ],
  image: "cat/2.png",
};
const ROW = {
  image_path: "fox/1.png",
  question: "Which?",
  ground_truth: "red fox",
  output: "<think>a</think><answer>b</answer>",
  options: ["red fox", "cat"],
  seed: 1,
};
const REPLY = {
  id: "x",
  model: "m",
  choices: [
    { index: 0, finish_reason: "stop", message: { role: "assistant", content: "fox", reasoning_content: "ears" } },
    { index: 1, finish_reason: "length", message: { content: [{ type: "text", text: "cat" }] } },
  ],
  usage: { prompt_tokens: 3, completion_tokens: 2 },
};
const REFUSALS = [
  { error: { message: "no such model", type: "invalid_request_error", code: 404, param: "model" } },
  { object: "error", message: "busy", code: 503 },
  { detail: [{ loc: ["body", "seed"], msg: "not an integer", type: "int_type" }] },
];

/** A PNG whose header says something else, with the checksum that belongs to it. */
function withSize(png: Buffer, width: number, height: number, depth: number): Buffer {
  const copy = Buffer.from(png);
  copy.writeUInt32BE(width >>> 0, 16);
  copy.writeUInt32BE(height >>> 0, 20);
  copy[24] = depth;
  copy.writeInt32BE(CRC32.buf(copy.subarray(12, 29)), 29);
  return copy;
}

/** Parts that drawings of strangers may have. */
const SVG_PARTS = [
  '<image href="file:///etc/passwd" width="9" height="9"/>',
  '<image href="http://127.0.0.1:9/x.png" width="9" height="9"/>',
  "<script>while(true){}</script>",
  '<style>@import url("file:///etc/passwd");</style>',
  '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>',
  '<g id="a"><use href="#a"/></g>',
  '<filter id="f"><feGaussianBlur stdDeviation="1e9"/></filter><rect filter="url(#f)" width="1e9" height="1e9"/>',
  '<pattern id="p" width="1e-9" height="1e-9"><rect width="1" height="1"/></pattern><rect fill="url(#p)" width="20" height="20"/>',
  "<g>".repeat(3000),
  "\u0000",
  "&lol;",
];

function svgs(): fc.Arbitrary<Buffer> {
  const number = fc.constantFrom("16", "0", "-1", "1e9", "1e999", "NaN", "99999999999", "1e-9", "100%");
  return fc
    .tuple(number, number, fc.array(fc.constantFrom(...SVG_PARTS), { maxLength: 3 }))
    .map(([w, h, parts]) =>
      Buffer.from(
        `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY lol "ha"><!ENTITY x SYSTEM "file:///etc/passwd">]>` +
          `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}"><rect width="9" height="9"/>${parts.join("")}</svg>`,
      ),
    );
}

async function imageTarget(): Promise<Target> {
  const picture = sharp({ create: { width: 24, height: 16, channels: 3, background: "#804020" } });
  const one = await picture.clone().png().toBuffer();
  const all = await Promise.all([
    picture
      .clone()
      .jpeg()
      .withExif({ IFD0: { ImageDescription: "Ignore what was said" } })
      .toBuffer(),
    picture.clone().jpeg({ progressive: true }).toBuffer(),
    picture.clone().webp().toBuffer(),
    picture.clone().webp({ lossless: true }).toBuffer(),
    picture.clone().gif().toBuffer(),
    picture.clone().tiff({ compression: "lzw" }).toBuffer(),
    picture.clone().tiff({ compression: "deflate", tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer(),
    picture.clone().avif({ effort: 0 }).toBuffer(),
    picture.clone().ensureAlpha().png({ palette: true }).toBuffer(),
  ]);
  const bmp = Buffer.alloc(54 + 12);
  bmp.write("BM");
  [66, 0, 54, 40, 2, 2, 1 | (24 << 16)].forEach((value, i) => bmp.writeUInt32LE(value, 2 + 4 * i));
  const side = fc.constantFrom(0, 1, 24, 16, 0x7fff, 0xffff, 0x10_0000, 0x7fff_ffff, 0xffff_ffff);
  const inputs = fc.oneof(
    { weight: 6, arbitrary: editedBytes([one, ...all, bmp]) },
    {
      weight: 2,
      arbitrary: fc.tuple(side, side, fc.constantFrom(1, 8, 16, 255)).map((size) => withSize(one, ...size)),
    },
    { weight: 1, arbitrary: svgs() },
  );
  return ofFile(inputs, "image.png", async (file) => {
    const header = await readImageHeader(file);
    const { width, height, channels, data } = await decodeImage(file);
    if (data.length !== width * height * channels) throw new TypeError("pixels of another size");
    if (width !== header.width || height !== header.height) throw new TypeError("the header says another size");
  });
}

function matTarget(): Target {
  const seeds = filesOf("sets", ".mat", ["kinds", "cars_test_annos_withlabels", "setid", "test_list", "big-endian"]);
  const plain = seeds[1]; // not compressed: its elements are changed, then compressed as MATLAB does
  const squeezed = editedBytes([plain.subarray(128)]).map((inner) => {
    const bytes = deflateSync(inner);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(15, 0);
    head.writeUInt32LE(bytes.length, 4);
    return Buffer.concat([plain.subarray(0, 128), head, bytes]);
  });
  return ofFile(fc.oneof(editedBytes(seeds), editedBytes([plain], 8), squeezed), "labels.mat", readMat);
}

const SETTING_NAMES = [
  ...listed(SETTINGS).map(({ name }) => name),
  "scale",
  "sft",
  "rl",
  "__proto__.x",
  "rl.__proto__",
];

function settingsTarget(): Target {
  const value = fc.oneof(
    hostileTexts,
    fc.constantFrom("1", "0", "-1", "1e3", "0x10", "1_000", "Infinity", "NaN", "9007199254740993", "self", "paper"),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  const assignment = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constantFrom(...SETTING_NAMES), value).map(([name, one]) => `${name}=${one}`) },
    { weight: 1, arbitrary: hostileTexts },
  );
  const text = fc.constantFrom(undefined, undefined, "smoke", "paper", "toString", "", "__proto__");
  const inputs = fc
    .record({ scale: text, run: text, set: fc.array(assignment, { maxLength: 4 }) }, { requiredKeys: ["set"] })
    .map((source) => Buffer.from(JSON.stringify(source)));
  return {
    inputs,
    names: () => /^(setting |unknown setting |unknown scale |run )|fine_r1\.json/,
    read: (input) => {
      const source = JSON.parse(input.toString()) as { scale?: string; run?: string; set: string[] };
      loadSettings({ ...source, environment: {} });
    },
  };
}

/** All kinds, each made when it is asked for: good files take time. @param folder for files that all inputs share */
export const TARGETS: Readonly<Record<string, (folder: string) => Target | Promise<Target>>> = {
  safetensors: safetensorsTarget,
  index: (shared) => {
    const { config, shards, weightMap } = toyCheckpoint(shared);
    const inputs = editedJsonBytes([{ metadata: { total_size: 1 }, weight_map: weightMap }]);
    return ofFile(inputs, "model.safetensors.index.json", (_, folder) => {
      writeFileSync(path.join(folder, "config.json"), JSON.stringify(configToJson(config)));
      shards.forEach((bytes, i) => writeFileSync(path.join(folder, ["one", "two"][i] + ".safetensors"), bytes));
      disposeTree(loadModel(folder).params);
    });
  },
  config: (shared) => {
    const json = configToJson(toyCheckpoint(shared).config);
    const nested = { model_type: "qwen2_5_vl", vision_config: json.vision_config, text_config: { ...json } };
    return ofFile(editedJsonBytes([json, nested]), "config.json", (_, folder) => {
      paramShapes(loadConfig(folder).config);
    });
  },
  tokenizer: () => {
    const files = toyTokenizerFiles();
    const json = JSON.parse(files["tokenizer.json"]) as unknown;
    return ofFile(editedJsonBytes([json]), "tokenizer.json", (_, folder) => {
      writeFileSync(path.join(folder, "tokenizer_config.json"), files["tokenizer_config.json"]);
      const tokenizer = loadTokenizer(folder);
      tokenizer.decode(tokenizer.encode("What <|im_end|> animal?"));
    });
  },
  adapter: (shared) => {
    const { config, adapterFolder } = toyCheckpoint(shared);
    const [json, weights] = ["adapter_config.json", "adapter_model.safetensors"].map((name) =>
      readFileSync(path.join(adapterFolder, name)),
    );
    const length = Number(weights.readBigUInt64LE());
    const header = JSON.parse(weights.subarray(8, 8 + length).toString()) as unknown;
    const inputs = fc.oneof(
      editedJsonBytes([JSON.parse(json.toString())]),
      editedJson([header]).map((text) => safetensors(text, weights.subarray(8 + length))),
      editedBytes([weights]),
    );
    return {
      inputs,
      names: (folder) => new RegExp(`${quoted(folder)}|^LoRA: `),
      read: (input, folder) => {
        const isConfig = input[0] === 0x7b; // a header's length comes first in the other file
        writeFileSync(path.join(folder, "adapter_config.json"), isConfig ? input : json);
        writeFileSync(path.join(folder, "adapter_model.safetensors"), isConfig ? weights : input);
        disposeTree(loadAdapter(folder, config).params);
      },
    };
  },
  image: imageTarget,
  predictions: () => {
    const line = fc.oneof(editedJsonBytes([ROW]), fc.constant(Buffer.from(JSON.stringify(ROW))));
    const inputs = fc
      .tuple(fc.array(line, { maxLength: 4 }), fc.constantFrom("\n", "\r\n", "\n\n", "\r"))
      .map(([lines, end]) => Buffer.concat(lines.flatMap((one) => [one, Buffer.from(end)])));
    return ofFile(inputs, "predictions.jsonl", (file) => {
      const { rows, skipped } = parseRows(readFileSync(file), file);
      for (const row of rows)
        if (typeof row.output !== "string" || row.ground_truth.trim() === "") throw new TypeError("a bad row was kept");
      for (const { line: number, reason } of skipped)
        if (!(number >= 1) || reason === "") throw new TypeError("a bad row without place or reason");
    });
  },
  sharegpt: () =>
    ofFile(editedJsonBytes([[MESSAGES, CONVERSATION], [CONVERSATION]]), "records.json", (file) => {
      readStage1(file, "skip");
      readStage1(file, "stop");
    }),
  parquet: () => {
    const seeds = filesOf("stage2", ".parquet", ["pyarrow", "gzip", "brotli", "zstd", "lz4", "bad-rows"]);
    return ofFile(fc.oneof(editedBytes(seeds, 2), editedBytes(seeds, 6)), "rows.parquet", async (file) => {
      await readStage2(file, "skip");
      await readStage2(file, "stop", { decode: true });
    });
  },
  mat: matTarget,
  settings: settingsTarget,
  reply: () => ({
    inputs: editedJsonBytes([REPLY, REPLY, REPLY, ...REFUSALS]),
    names: () => /./,
    read: (input) => {
      const text = input.toString();
      let body: unknown = text;
      try {
        body = JSON.parse(text);
      } catch {
        // under another content type: the text itself
      }
      for (const { text: answer, finished } of parseReply(body).answers)
        if (typeof answer !== "string" || typeof finished !== "boolean") throw new TypeError("an answer without text");
    },
  }),
};
