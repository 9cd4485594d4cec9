/** Keys that mean something to JavaScript, and nesting without end, in every file that is JSON. */
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { questionsOfFile } from "../../lib/benchmark/questions";
import { loadSettings } from "../../lib/experiment/load-settings";
import { parseRows } from "../../lib/eval/rows";
import { readStage1 } from "../../lib/formats/stage1";
import { parseConfig } from "../../lib/model/config";
import { parseGenerationConfig } from "../../lib/model/generation-config";
import { parseLoraConfig } from "../../lib/model/lora-config";
import { readHeader, readValues } from "../../lib/model/safetensors";
import { parseReply } from "../../lib/rollout/chat-reply";
import { readJson } from "../../lib/util/files";
import { parseJsonText, shortened, shownValue } from "../../lib/util/json-text";
import { parseJson } from "../../lib/util/lines";
import { merge } from "../../lib/util/merge";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const file = (name: string, text: string): string => {
  const whole = path.join(folder, name);
  writeFileSync(whole, text);
  return whole;
};
/** Runs something that may throw. */
const attempt = (run: () => unknown): void => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
  }
};

const POISON = '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}';

afterEach(() => {
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(([] as unknown as Record<string, unknown>).polluted).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
});

describe("__proto__ and constructor change no other object", () => {
  const row = `{${POISON},"image_path":"a.png","question":"Q?","ground_truth":"fox","output":"fox","split":"seen"}`;
  const cases: [string, () => unknown][] = [
    ["config.json", () => parseConfig(JSON.parse(`{${POISON},"model_type":"qwen2_5_vl","vision_config":{${POISON}}}`))],
    ["generation_config.json", () => parseGenerationConfig(JSON.parse(`{${POISON}}`))],
    [
      "adapter_config.json",
      () =>
        parseLoraConfig(JSON.parse(`{${POISON},"peft_type":"LORA","target_modules":["q"],"rank_pattern":{${POISON}}}`)),
    ],
    ["predictions", () => expect(parseRows(Buffer.from(row), "p.jsonl").rows).toHaveLength(1)],
    [
      "questions",
      () => questionsOfFile({ file: file("q.jsonl", row), setting: "open", seed: 1, optionOrder: "released" } as never),
    ],
    ["sharegpt", () => readStage1(file("r.json", `[{${POISON}}]`), "skip")],
    [
      "a reply",
      () => parseReply(JSON.parse(`{${POISON},"choices":[{${POISON},"message":{${POISON},"content":"x"}}]}`)),
    ],
    ["settings", () => loadSettings({ set: ["__proto__.polluted=1"], environment: {} })],
    ["settings, by group", () => loadSettings({ set: ["constructor.prototype.polluted=1"], environment: {} })],
    ["settings laid over settings", () => merge({ a: 1 }, JSON.parse(`{${POISON}}`) as object)],
  ];
  it.each(cases)("%s", (_, read) => attempt(read));

  it("a role of every object's is none", () => {
    const records = file("roles.json", '[{"messages":[{"role":"constructor","content":"x"}],"images":["a.png"]}]');
    expect(readStage1(records, "skip").skipped[0].reason).toMatch(/a turn of role "constructor"/);
  });
});

describe("safetensors", () => {
  const write = (header: string, bytes: number): string => {
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
    const whole = path.join(folder, "x.safetensors");
    writeFileSync(whole, Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(bytes, 0)]));
    return whole;
  };

  it("keeps a tensor called __proto__, and has none that the file has not", () => {
    const header = readHeader(write('{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8));
    expect(Object.keys(header.entries)).toEqual(["__proto__"]);
    expect([...readValues(header, "__proto__")]).toEqual([0, 0]);
    expect(() => readValues(header, "constructor")).toThrow(/x\.safetensors: no tensor constructor/);
  });

  it.each([
    [
      "a shape whose product is beyond every number",
      '{"a":{"dtype":"F32","shape":[9007199254740991,9007199254740991],"data_offsets":[0,8]}}',
      /tensor a of shape/,
    ],
    [
      "a shape without end and a side of nothing",
      `{"a":{"dtype":"F32","shape":[${Array(60).fill("9007199254740991").join()},0],"data_offsets":[0,8]}}`,
      /tensor a of shape.*…/,
    ],
    [
      "a dtype that is nested without end",
      `{"a":{"dtype":${"[".repeat(1e5)}${"]".repeat(1e5)}}}`,
      /x\.safetensors: the header is no JSON \(lists and objects nested deeper than 500\)/,
    ],
    [
      "metadata that is no text",
      '{"__metadata__":{"a":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
      /__metadata__ is {"a":1}; expected texts by name/,
    ],
    [
      "a tensor twice",
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      /between the header and a, belong to no tensor \(4 of/,
    ],
  ])("refuses %s", (_, header, message) => {
    expect(() => readHeader(write(header, 8))).toThrow(message);
  });
});

describe("nesting", () => {
  const deep = (n: number): string => "[".repeat(n) + "]".repeat(n);

  it("is read to a depth of 500; brackets in texts are none", () => {
    expect(parseJsonText(deep(500))).toHaveLength(1);
    expect(() => parseJsonText(deep(501))).toThrow("nested deeper than 500");
    const text = JSON.stringify({ a: "[".repeat(2000), b: '\\"[[', c: "\\" });
    expect(parseJsonText(text)).toEqual(JSON.parse(text));
    expect(parseJsonText(`[${Array(5000).fill("{}").join()}]`)).toHaveLength(5000); // beside, not inside
    expect(() => parseJson(`[NaN,${deep(600)}]`)).toThrow("nested deeper");
  });

  it("is named by file", () => {
    expect(() => readJson(file("deep.json", deep(100_000)))).toThrow(/deep\.json: no valid JSON \(lists and objects/);
    expect(() => readStage1(file("deep.json", deep(100_000)))).toThrow(/deep\.json: no valid JSON \(lists and objects/);
    expect(parseRows(Buffer.from(deep(100_000)), "p.jsonl").skipped[0].reason).toMatch(/deeper than 500/);
  });

  it("a value is shown short, and one that can't be shown is said to be one", () => {
    expect(shownValue({ a: [1, "x"] })).toBe('{"a":[1,"x"]}');
    expect(shownValue(undefined)).toBe("undefined");
    expect(shownValue("x".repeat(500))).toBe(`"${"x".repeat(119)}…`);
    expect(shownValue([1, 2, 3], 3)).toBe("[1,…");
    expect(shownValue(JSON.parse(deep(100_000)))).toBe("a value that is nested too deep to be shown");
    expect([shortened("abc", 3), shortened("abcd", 3)]).toEqual(["abc", "abc…"]);
  });

  it("of a server's error is no accident", () => {
    const body: unknown = JSON.parse(`{"error":{"code":${deep(50_000)}}}`);
    expect(() => parseReply(body)).toThrow('{"code":[[[[');
  });
});
