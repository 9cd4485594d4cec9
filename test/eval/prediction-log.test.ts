import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { manifestFile, openPredictionLog, type LoggedRow } from "../../lib/eval/prediction-log";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const row = (n: number): LoggedRow => ({
  row: n,
  method: "m",
  seed: 0,
  domain: "d",
  split: "seen",
  setting: "open",
  image_path: `${n}.png`,
  question: "q",
  ground_truth: "fox",
  output: "é\n<answer>fox</answer>",
});
const manifest = { model: "a", seed: 0 };
const begin = (name: string, rows: readonly LoggedRow[] = [row(0), row(1)]): string => {
  const file = path.join(folder, name);
  const log = openPredictionLog(file, manifest, 4);
  log.append(rows);
  log.close();
  return file;
};

describe("openPredictionLog", () => {
  it("goes on after what is there, under the same manifest in any order of its fields", () => {
    const file = begin("a.jsonl");
    const log = openPredictionLog(file, { seed: 0, model: "a" }, 4);
    expect([log.finished, log.dropped]).toEqual([[row(0), row(1)], false]);
    log.append([row(3)]);
    log.close();
    expect(
      readFileSync(file, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as LoggedRow),
    ).toEqual([row(0), row(1), row(3)]);
  });

  it.each([1, 10, 60])("drops a last line of which %d bytes were written, however it was cut", (bytes) => {
    const file = begin(`cut-${bytes}.jsonl`);
    const before = readFileSync(file);
    appendFileSync(file, Buffer.from(JSON.stringify(row(2))).subarray(0, bytes));
    const log = openPredictionLog(file, manifest, 4);
    expect([log.finished.length, log.dropped]).toEqual([2, true]);
    log.close();
    expect(readFileSync(file)).toEqual(before);
  });

  it("refuses another manifest by its first difference, and begins anew when told", () => {
    const file = begin("b.jsonl");
    expect(() => openPredictionLog(file, { ...manifest, model: "b" }, 4)).toThrow(
      /b\.jsonl holds answers to something else: model was "a" and is "b"; choose another --out/,
    );
    expect(() => openPredictionLog(file, { ...manifest, limit: 3 }, 4)).toThrow(/limit was nothing and is 3/);
    const inside = path.join(path.dirname(file), "inside.jsonl");
    const of = (model: string) => ({ ...manifest, answerer: { kind: "local", model, limits: {} } });
    openPredictionLog(inside, of("a".repeat(64)), 4).close();
    expect(() => openPredictionLog(inside, of("b".repeat(64)), 4)).toThrow(
      /something else: answerer\.model was "a{39}… and is "b{39}…; choose/,
    );
    const log = openPredictionLog(file, { ...manifest, model: "b" }, 4, true);
    expect(log.finished).toEqual([]);
    log.close();
    expect([readFileSync(file, "utf8"), JSON.parse(readFileSync(manifestFile(file), "utf8"))]).toEqual([
      "",
      { ...manifest, model: "b" },
    ]);
  });

  it("refuses a file without its manifest, and overwrites nothing", () => {
    const file = begin("c.jsonl");
    rmSync(manifestFile(file));
    expect(() => openPredictionLog(file, manifest, 4)).toThrow(/c\.jsonl\.manifest\.json is not beside it/);
    expect(readFileSync(file, "utf8").length).toBeGreaterThan(10);
    expect(existsSync(manifestFile(file))).toBe(false);
  });

  it("is one run's at a time: a second is told whose it is and touches nothing, `--restart` or not", () => {
    const file = path.join(folder, "locked.jsonl");
    const log = openPredictionLog(file, manifest, 4);
    log.append([row(0)]);
    for (const restart of [false, true])
      expect(() => openPredictionLog(file, manifest, 4, restart)).toThrow(
        new RegExp(`locked\\.jsonl is in use by this very process \\(${process.pid}\\), since`),
      );
    log.append([row(1)]);
    log.close();
    log.close();
    expect(existsSync(`${file}.lock`)).toBe(false);
    const again = openPredictionLog(file, manifest, 4);
    expect(again.finished).toEqual([row(0), row(1)]);
    again.close();
  });

  it("gives the lock back where the file is refused", () => {
    const file = begin("refused.jsonl");
    for (let i = 0; i < 2; i++)
      expect(() => openPredictionLog(file, { ...manifest, model: "b" }, 4)).toThrow(/answers to something else/);
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  it.each<[string, string | Buffer, RegExp]>([
    ["not JSON", "{broken}\n", /line 3: not JSON/],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22, 0x0a]), /line 3: not UTF-8/],
    ["null", "null\n", /line 3: field "row"/],
    ["a row beyond the questions", `${JSON.stringify(row(4))}\n`, /line 3: field "row" is no integer from 0 to 3/],
    ["a row twice", `${JSON.stringify(row(1))}\n`, /line 3: row 1 stands in line 2 already/],
  ])("names a whole line that is %s", (name, line, message) => {
    const file = begin(`${name.replace(/\W/g, "-")}.jsonl`);
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from(line)]));
    expect(() => openPredictionLog(file, manifest, 4)).toThrow(message);
  });
});
