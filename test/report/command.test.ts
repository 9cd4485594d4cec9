import { afterEach, describe, expect, it, vi } from "vitest";
import { fineR1, lineReader, shownOutput } from "../../lib/report/command";

afterEach(() => void vi.restoreAllMocks());

/**
 * What a reader makes of pieces: `= text` for a line, `~ text` for one that takes the place of the one before, `~|`
 * where it stays.
 */
function read(...chunks: string[]): string[] {
  const said: string[] = [];
  const output = {
    line: (text: string) => void said.push(`= ${text}`),
    rewritten: (text: string, isLast: boolean) => void said.push(`${isLast ? "~|" : "~"} ${text}`),
  };
  const reader = lineReader(output, "/clone");
  for (const chunk of chunks) reader.take(chunk);
  reader.end();
  return said;
}

describe("fineR1", () => {
  it("shows the line one would type, the output, and an exit code other than 0", async () => {
    const said: string[] = [];
    vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
    await fineR1("plan", "--scale", "two words");
    expect(said[0]).toBe("$ npm run -s fine-r1 -- plan --scale 'two words'");
    expect(said.slice(1)).toEqual([
      'plan: --scale is "two words"; expected smoke, default or paper; see fine-r1 plan --help',
      "(exit code 1)",
    ]);
    said.length = 0;
    await fineR1("help");
    expect(said[1]).toMatch(/^Usage: fine-r1 COMMAND/);
    expect(said.at(-1)).not.toMatch(/exit code/);
  });

  it("leaves out TensorFlow's start-up lines and the place of this clone", () => {
    const text =
      "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\nI0000 00:00:1.2 8 port.cc:153] oneDNN custom operations are on.\n  at /clone/data/sets\nWARNING: disk full\n";
    expect(shownOutput(text, "/clone")).toBe("  at data/sets\nWARNING: disk full");
    expect(read(text)).toEqual(["=   at data/sets", "= WARNING: disk full"]);
  });
});

describe("lineReader", () => {
  it("joins pieces into lines, and shows what is left at the end", () => {
    expect(read("on", "e\ntw", "o\r\n", "\nthr", "ee /clone/", "data")).toEqual([
      "= one",
      "= two",
      "= ",
      "= three data",
    ]);
  });

  it("shows a line after a carriage return in the place of the one before, as it comes", () => {
    expect(read("begun\n", "\rA 1/2", "\rA 2", "/2\rA 2/2\n", "\rB 1/1\n", "done\n")).toEqual([
      "= begun",
      "~ A 1/2",
      "~ A 2",
      "~ A 2/2",
      "~| A 2/2",
      "~| B 1/1",
      "= done",
    ]);
  });
});
