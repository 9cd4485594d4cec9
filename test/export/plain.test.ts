/** A mini-batch over GPUs, and YAML as other programs read it. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitBatch } from "../../lib/export/batches";
import { toYaml } from "../../lib/export/yaml";
import { venvPython } from "../../tools/environment";

describe("splitBatch", () => {
  it("covers every row once, with no more on a device than one had before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 16 }),
        (share, gpus, parts) => {
          const rows = share * gpus;
          const { perDevice, accumulation } = splitBatch(rows, { parts, gpus, what: "rows" });
          expect(perDevice * accumulation * gpus).toBe(rows);
          expect(perDevice).toBeLessThanOrEqual(Math.ceil(rows / parts));
        },
      ),
      { seed: 3 },
    );
  });

  it("is the release's batch: 64 records in 16 parts on 4 GPUs", () => {
    expect(splitBatch(64, { parts: 16, gpus: 4, what: "records" })).toEqual({ perDevice: 4, accumulation: 4 });
  });

  it("refuses devices that rows cannot be divided among, and names some that they can", () => {
    expect(() => splitBatch(14, { parts: 2, gpus: 4, what: "records" })).toThrow(
      "--gpus 4: 14 records of an update cannot be divided among them; 1, 2, 7, 14 can",
    );
  });
});

describe("toYaml", () => {
  it("is read by PyYAML as what was written", () => {
    const record = {
      rate: 1e-6,
      small: 2.5e-10,
      whole: 3,
      yes: true,
      none: null,
      word: "no",
      n: "on",
      path: "/a b/c: d #e",
      plain: "data/base",
      number: "12",
      colon: "a:",
      list: ["q_proj", 1, "true", { k: "v" }],
      nested: { deeper: { x: 1.5 }, empty: {} },
      "key with space": "\n",
    };
    const code = "import sys, json, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    const read = execFileSync(venvPython, ["-c", code], { input: toYaml(record), encoding: "utf8" });
    expect(JSON.parse(read)).toEqual(record);
  });
});
