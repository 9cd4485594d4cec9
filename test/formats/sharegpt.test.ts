import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readSharegpt, readSharegptFile, writeSharegpt } from "../../lib/formats/sharegpt";

const folder = mkdtempSync(path.join(tmpdir(), "sharegpt-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = path.join(folder, "deep/records.json");
const records = [
  {
    system: null,
    user: "What is “this”?\nLine 2",
    assistant: "<think> x</think><answer> a</answer>",
    image: "a/b.png",
  },
  { system: "Be brief.", user: "Q <image> again?", assistant: "", image: "c.png" },
];

describe("sharegpt", () => {
  it("round trip, in the layout of the released file", () => {
    writeSharegpt(file, records);
    expect(readSharegpt(file)).toEqual(records);
    const [first, second] = JSON.parse(readFileSync(file, "utf8")) as {
      messages: { role: string; content: string }[];
      images: string[];
    }[];
    expect(first.messages.map((m) => m.role)).toEqual(["user", "assistant"]);
    expect(first.messages[0].content.startsWith("<image>What is")).toBe(true);
    expect([second.messages[0], second.images]).toEqual([{ role: "system", content: "Be brief." }, ["c.png"]]);
    expect(existsSync(`${file}.tmp`)).toBe(false);
  });

  const good = {
    messages: [
      { role: "user", content: "<image>Q" },
      { role: "assistant", content: "A" },
    ],
    images: ["a.png"],
  };
  it.each([
    [7, "record is not an object"],
    [null, "record is not an object"],
    [{ ...good, messages: "x" }, "messages is not a list"],
    [{ ...good, images: [] }, "images is not a list of one path"],
    [{ ...good, images: ["a", "b"] }, "images is not a list of one path"],
    [{ ...good, images: [3] }, "images is not a list of one path"],
    [{ messages: good.messages }, "images is not a list of one path"],
    [{ ...good, messages: [good.messages[1]] }, "messages (user).content does not start with <image>"],
    [
      { ...good, messages: [{ role: "user", content: "Q" }, good.messages[1]] },
      "messages (user).content does not start with <image>",
    ],
    [{ ...good, messages: [{ role: "user", content: 5 }, good.messages[1]] }, "messages (user).content is not text"],
    [{ ...good, messages: [good.messages[0]] }, "messages has no assistant turn"],
    [{ ...good, messages: [...good.messages, good.messages[1]] }, "messages has 2 assistant turns; one expected"],
    [{ ...good, messages: [null, good.messages[0]] }, "messages has no assistant turn"],
  ])("names file, record and field: %j", (bad, problem) => {
    const at = path.join(folder, "bad.json");
    writeFileSync(at, JSON.stringify([good, bad]));
    expect(() => readSharegpt(at)).toThrow(`${at}, line 1: record 1: ${problem}`);
  });

  it("goes on when told, with the line on which each bad record begins", () => {
    const at = path.join(folder, "lines.json");
    const text = `[\n${JSON.stringify(good, null, 1)},\n7, ${JSON.stringify({ ...good, images: [] })},\n ${JSON.stringify({ ...good, note: 'a "]" and\\ [' })}\n, "x"]`;
    writeFileSync(at, text);
    const lineOf = (part: string): number => text.slice(0, text.indexOf(part)).split("\n").length;
    const { records: read, lines, skipped } = readSharegptFile(at, "skip");
    expect([read.length, lines]).toEqual([
      2,
      [
        2,
        lineOf(
          '{"messages":[{"role":"user","content":"<image>Q"},{"role":"assistant","content":"A"}],"images":["a.png"],"note"',
        ),
      ],
    ]);
    expect(skipped).toEqual([
      { file: at, line: lineOf("7, {"), reason: "record 1: record is not an object" },
      { file: at, line: lineOf("7, {"), reason: "record 2: images is not a list of one path" },
      { file: at, line: text.split("\n").length, reason: "record 4: record is not an object" },
    ]);
  });

  it("a record in another encoding is a bad one; the others are read", () => {
    const at = path.join(folder, "latin1.json");
    writeFileSync(
      at,
      Buffer.from(
        `[${JSON.stringify(good)},\n${JSON.stringify({ ...good, images: ["Gr\u00fcn.png"] })},\n${JSON.stringify(good)}]`,
        "latin1",
      ),
    );
    expect(readSharegptFile(at, "skip")).toMatchObject({
      lines: [1, 3],
      skipped: [{ line: 2, reason: "record 1: line 2 is not UTF-8" }],
    });
    expect(() => readSharegpt(at)).toThrow(`${at}, line 2: record 1: line 2 is not UTF-8`);
  });

  it("names a file that is missing, truncated or no list", () => {
    const at = path.join(folder, "bad.json");
    writeFileSync(at, readFileSync(file, "utf8").slice(0, 60));
    expect(() => readSharegpt(at)).toThrow(`${at}: can't be read as JSON`);
    writeFileSync(at, "{}");
    expect(() => readSharegpt(at)).toThrow(`${at}: expected a JSON list of records`);
    expect(() => readSharegpt(path.join(folder, "none.json"))).toThrow(/none\.json: can't be read as JSON \(.*ENOENT/);
  });
});
