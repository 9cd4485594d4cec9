import { describe, expect, it } from "vitest";
import { parseJson, parseLine } from "../../lib/util/lines";

describe("parseJson", () => {
  // right values: Python's json.loads, with null for nan
  it.each<[string, unknown]>([
    ['{"a": NaN}', { a: null }],
    ["NaN", null],
    ["[Infinity, -Infinity,NaN]", [Infinity, -Infinity, null]],
    ['{"NaN": "NaN, Infinity", "b\\"NaN": [{"c":-Infinity}]}', { NaN: "NaN, Infinity", 'b"NaN': [{ c: -Infinity }] }],
    ['["a\\\\", NaN, "\\\\\\"NaN"]', ["a\\", null, '\\"NaN']],
    ['{"a":\nNaN\n}', { a: null }],
    ['"NaN"', "NaN"],
    ["[1, null, true]", [1, null, true]],
  ])("%s", (text, value) => expect(parseJson(text)).toEqual(value));

  it.each([
    "[nan]",
    "[1NaN]",
    "[NaN1]",
    "[1Infinity]",
    "[Infinity5]",
    "[+Infinity]",
    "[-NaN]",
    "[Infinity.5]",
    "{NaN: 1}",
  ])("%s is no JSON to Python either", (text) => expect(() => parseJson(text)).toThrow(SyntaxError));

  it("says what is wrong with the text as it stands in the file", () => {
    expect(() => parseJson('[NaN, "a]')).toThrow(/N/);
    expect(parseLine({ line: 1, text: "{broken" })).toMatchObject({
      reason: expect.stringMatching(/^not JSON/) as string,
    });
  });

  it("takes a long line", () => {
    const long = "x\\n".repeat(2_000_000);
    expect(parseJson(`{"output":"${long}","score":NaN}`)).toMatchObject({ score: null });
  });
});
