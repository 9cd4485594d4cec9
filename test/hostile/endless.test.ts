/** What would take memory or time without end: answers, pages, labels, patterns. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { parseMat } from "../../lib/formats/mat";
import { iterateStage2 } from "../../lib/formats/stage2";
import { parseConfig } from "../../lib/model/config";
import { loraModules } from "../../lib/model/lora";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import { createChatClient } from "../../lib/rollout/chat-client";
import { patternProblem } from "../../lib/util/safe-pattern";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { toyConfig, toyProcessor } from "../helpers/tiny";

describe("an endpoint whose answer never ends", () => {
  let sent = 0;
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const chunk = Buffer.alloc(1 << 20, 0x20);
    const more = (): void => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  });
  afterAll(() => void server.close());

  it("is cut off at 64 MiB", async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = createChatClient({ baseUrl: `http://127.0.0.1:${port}/v1`, timeoutMs: 60_000 });
    const failure = await client.attempt({ model: "m", messages: [] } as never).then(
      () => "an answer",
      (error: unknown) => client.failureOf(error).message,
    );
    expect(failure).toMatch(/larger than 64 MiB \(is the base URL right\?\)/);
    expect(sent).toBeLessThan(2 ** 28);
  });
});

describe("a MAT-file of a few bytes", () => {
  const head = Buffer.alloc(128, " ");
  head.writeUInt16LE(0x0100, 124);
  head.write("IM", 126, "latin1");
  const element = (type: number, bytes: Buffer): Buffer => {
    const tag = Buffer.alloc(8);
    tag.writeUInt32LE(type, 0);
    tag.writeUInt32LE(bytes.length, 4);
    return Buffer.concat([tag, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
  };
  const int32s = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);
  const array = (kind: number, shape: number[], ...contents: Buffer[]): Buffer =>
    Buffer.concat([
      head,
      element(
        14,
        Buffer.concat([
          element(6, int32s(kind, 0)),
          element(5, int32s(...shape)),
          element(1, Buffer.from("v")),
          ...contents,
        ]),
      ),
    ]);
  it.each([
    [
      "records without fields, by the million",
      array(2, [1, 2 ** 27], element(5, int32s(32)), element(1, Buffer.alloc(0))),
    ],
    ["cells by the million", array(1, [2 ** 15, 2 ** 12])],
    ["rows of no letters, by the million", array(4, [2 ** 27, 0], element(16, Buffer.alloc(0)))],
    ["sides beyond count", array(6, Array<number>(2 ** 10).fill(1), element(9, Buffer.alloc(8)))],
    ["numbers of a bomb", Buffer.concat([head, element(15, deflateSync(Buffer.alloc(2 ** 26)))])],
  ])("%s: refused at once", (_, bytes) => {
    expect(() => parseMat(bytes, "x.mat")).toThrow(/^x\.mat: first variable: /);
  });

  it("text is read in time that grows with its length, not with its square", () => {
    const letters = 200_000;
    const text = parseMat(array(4, [letters, 1], element(16, Buffer.alloc(letters, "x"))), "x.mat").get("v");
    expect(text).toMatchObject({ kind: "text", shape: [letters, 1] });
    expect(parseMat(array(4, [2, 3], element(16, Buffer.from("acebdf"))), "x.mat").get("v")).toMatchObject({
      rows: ["aed", "cbf"],
    });
  });
});

describe("a page of parquet that is to become very long", () => {
  it("is refused as a bomb", async () => {
    const folder = temporaryFolder();
    const bytes = readFileSync(path.join(__dirname, "../fixtures/stage2/gzip.parquet"));
    const huge = bytes.indexOf(0x15, 4); // the first page's header: type, then its two lengths as varints
    expect(huge).toBe(4);
    // replace the uncompressed size by 2^30 - 1, zigzag and varint
    let at = 6;
    expect(bytes[at++]).toBe(0x15);
    const start = at;
    while ((bytes[at] & 0x80) !== 0) at++;
    const varint = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x07]);
    const file = path.join(folder, "bomb.parquet");
    writeFileSync(file, Buffer.concat([bytes.subarray(0, start), varint, bytes.subarray(at + 1)]));
    const rows = iterateStage2(file);
    await expect(rows.next()).rejects.toThrow(
      /bomb\.parquet: .*a page of \d+ bytes that is to become 1073741823: a decompression bomb/,
    );
  });
});

describe("a configuration with layers by the billion", () => {
  it("is refused by its field", () => {
    const config = { model_type: "qwen2_5_vl", hidden_size: 8, num_attention_heads: 1, num_hidden_layers: 2 ** 31 };
    const vision = { depth: 2 ** 31, hidden_size: 64, num_heads: 1, out_hidden_size: 8 };
    const rope = { mrope_section: [2, 1, 1] };
    const both = { ...config, vocab_size: 10, intermediate_size: 8, rope_scaling: rope, vision_config: vision };
    expect(() => parseConfig(both)).toThrow(/num_hidden_layers is 2147483648; expected an integer from 1 to 1024/);
    expect(() => parseConfig({ ...both, num_hidden_layers: 1 })).toThrow(/vision_config\.depth is 2147483648/);
    expect(() => parseConfig({ ...both, num_hidden_layers: 1, vocab_size: 2 ** 53 })).toThrow(/vocab_size is 9007/);
  });
});

describe("a regular expression that takes for ever", () => {
  const config = toyConfig(toyProcessor());
  const endless = "(.|..|...)+!";

  it("is said to be one", () => {
    expect(patternProblem("q_proj", ["model.layers.0.self_attn.q_proj"])).toBeNull();
    expect(patternProblem("(", [])).toBe("is no regular expression that JavaScript knows");
    expect(patternProblem(`^${endless}$`, ["model.layers.0.self_attn.q_proj"])).toMatch(/takes longer than 2 s/);
  });

  it.each([
    ["target_modules", { targetModules: endless }],
    ["exclude_modules", { excludeModules: endless }],
    ["rank_pattern", { rankPattern: { [endless]: 2 } }],
    ["alpha_pattern", { alphaPattern: { "[": 2 } }],
  ])("of %s is named", (field, change) => {
    expect(() => loraModules(config, { ...LORA_DEFAULTS, ...change })).toThrow(new RegExp(`^LoRA: ${field} has `));
  });
});
