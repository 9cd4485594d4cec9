import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readSharegpt, readSharegptFile, writeSharegpt, type SftRecord } from "../../lib/formats/sharegpt";

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
    [{ ...good, messages: [good.messages[1]] }, "messages has no user turn"],
    [{ ...good, images: "" }, "images is not a list of one path, nor a path"],
    [
      { ...good, messages: [{ role: "user", content: "Q" }, good.messages[1]] },
      "messages (user) has 0 <image> markers for 1 image; add <image> where the image stands",
    ],
    [{ ...good, messages: [{ role: "user", content: 5 }, good.messages[1]] }, "messages (user).content is not text"],
    [{ ...good, messages: [good.messages[0]] }, "messages has no assistant turn"],
    [{ ...good, messages: [...good.messages, good.messages[1]] }, "messages has 2 assistant turns; one expected"],
    [{ ...good, messages: [null, good.messages[0]] }, "messages has a turn of role nothing"],
    [{ ...good, messages: [...good.messages, { role: "tool", content: "x" }] }, 'messages has a turn of role "tool"'],
    [
      { ...good, messages: [good.messages[1], good.messages[0]] },
      "messages has the assistant's turn before the user's",
    ],
    [
      { ...good, messages: [...good.messages, { role: "system", content: "x" }] },
      "messages has a system turn that is not the first",
    ],
    [{ ...good, system: 5 }, "system is not text"],
    [
      { ...good, messages: [{ role: "user", content: "<image><image>Which?" }, good.messages[1]] },
      "messages has 2 <image> markers for 1 image; one expected",
    ],
    [
      { ...good, messages: [good.messages[0], { role: "assistant", content: "An <image>" }] },
      "messages has 2 <image> markers for 1 image; one expected",
    ],
    [
      {
        ...good,
        messages: [
          { role: "user", content: "Q" },
          { role: "assistant", content: "An <image>" },
        ],
      },
      "messages (assistant) has the <image> marker; it belongs to the user's turn",
    ],
    [{ conversations: [{ from: "human", value: "<image>Q" }], images: "a" }, "conversations has no assistant turn"],
    [{ conversations: [{ from: "human", value: 5 }], images: "a" }, "conversations (user).value is not text"],
    [
      { ...good, messages: [{ role: "user", content: "<image>Which <|image_pad|> is this?" }, good.messages[1]] },
      "messages (user) has the special token <|image_pad|> in its text",
    ],
    [
      { ...good, messages: [good.messages[0], { role: "assistant", content: "It is <|im_end|> a bird" }] },
      "messages (assistant) has the special token <|im_end|> in its text",
    ],
    [{ ...good, system: "<|endoftext|>" }, "messages (system) has the special token <|endoftext|> in its text"],
  ])("names file, record and field: %j", (bad, problem) => {
    const at = path.join(folder, "bad.json");
    writeFileSync(at, JSON.stringify([good, bad]));
    expect(() => readSharegpt(at)).toThrow(`${at}, line 1: record 1: ${problem}`);
  });

  const asked = (content: string) => ({ ...good, messages: [{ role: "user", content }, good.messages[1]] });
  it.each<[string, unknown, Partial<SftRecord>]>([
    ["images as a path", { ...good, images: "a.png" }, {}],
    ["the image after the text", asked("Which bird is this?<image>"), { user: "Which bird is this?<image>" }],
    ["the image within the text", asked("Is <image> a bird?"), { user: "Is <image> a bird?" }],
    ["white space before the image", asked("\n<image>\nWhich bird"), { user: "\n<image>\nWhich bird" }],
    [
      "conversations, from, value",
      {
        conversations: [
          { from: "system", value: "Be brief." },
          { from: "human", value: "<image>Q" },
          { from: "gpt", value: "A" },
        ],
        image: "a.png",
      },
      { system: "Be brief." },
    ],
    ["a system field", { ...good, system: "Be brief." }, { system: "Be brief." }],
    ["an empty system field", { ...good, system: "" }, {}],
    [
      "a system turn and a system field: the turn, as in LLaMA-Factory",
      { ...good, messages: [{ role: "system", content: "turn" }, ...good.messages], system: "field" },
      { system: "turn" },
    ],
  ])("takes %s, and writes it so that it is read the same", (_, record, over) => {
    const [at, again] = [path.join(folder, "taken.json"), path.join(folder, "again.json")];
    writeFileSync(at, JSON.stringify([record]));
    const expected = [{ system: null, user: "Q", assistant: "A", image: "a.png", ...over }];
    expect(readSharegpt(at)).toEqual(expected);
    writeSharegpt(again, expected);
    expect(readSharegpt(again)).toEqual(expected);
  });

  it("special tokens: by file and line under stop, left out and reported under skip, of another tokenizer where given", () => {
    const at = path.join(folder, "special.json");
    const bad = asked("<image>Which <|image_pad|> is this?");
    writeFileSync(at, `[${JSON.stringify(good)},\n${JSON.stringify(bad)},\n${JSON.stringify(good)}]`);
    expect(() => readSharegpt(at)).toThrow(
      `${at}, line 2: record 1: messages (user) has the special token <|image_pad|>`,
    );
    const { lines, skipped } = readSharegptFile(at, "skip");
    expect([lines, skipped.map(({ line }) => line)]).toEqual([[1, 3], [2]]);
    expect(readSharegpt(at, { specialTokens: ["<s>"] })).toHaveLength(3);
    writeFileSync(at, JSON.stringify([asked("<image>Which <s> is this?")]));
    expect(readSharegpt(at)).toHaveLength(1);
    expect(() => readSharegpt(at, { specialTokens: ["<s>"] })).toThrow("has the special token <s>");
  });

  it("reads NaN and Infinity as Python writes them, and still knows the lines", () => {
    const at = path.join(folder, "nan.json");
    const record = JSON.stringify({ ...good, score: 0 });
    writeFileSync(
      at,
      `[${record.replace(":0}", ": NaN}")},\n${record.replace(":0}", ": -Infinity}")},\n[NaN, "NaN]"],\n${record}]`,
    );
    const { lines, skipped } = readSharegptFile(at, "skip");
    expect([lines, skipped.map(({ line }) => line)]).toEqual([[1, 2, 4], [3]]);
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
      { file: at, line: lineOf("7, {"), reason: "record 2: images is not a list of one path, nor a path" },
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
    expect(() => readSharegpt(at)).toThrow(`${at}: no valid JSON`);
    writeFileSync(at, "{}");
    expect(() => readSharegpt(at)).toThrow(`${at}: expected a JSON list of records`);
    expect(() => readSharegpt(path.join(folder, "none.json"))).toThrow(
      /none\.json: cannot be read: no such file or folder/,
    );
  });
});
