import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { textStream } from "../../lib/processor/text-stream";
import { loadTokenizer } from "../../lib/processor/tokenizer";

const tokenizer = loadTokenizer(path.join(__dirname, "../fixtures/parity/fixture-tied/model"));
const pieces = (ids: readonly number[]): string[] => {
  const stream = textStream(tokenizer);
  return [...ids.map((id) => stream.push(id)), stream.end()];
};

describe("textStream", () => {
  it.each(["What is it?", "a 🙂 b", "👨‍👩‍👧", "naïve café 你好", "<think>x</think>🇫🇷", "", "العربية हिन्दी"])(
    "pieces of %j join to the decoded text and end at characters",
    (text) => {
      const ids = tokenizer.encode(text);
      const parts = pieces(ids);
      expect(parts.join("")).toBe(tokenizer.decode(ids));
      for (const part of parts) expect(part).not.toMatch(/\ufffd|[\ud800-\udbff]$|^[\udc00-\udfff]/);
    },
  );
  it("holds an emoji back until its last byte", () => {
    const ids = tokenizer.encode("🙂");
    expect(ids.length).toBe(4); // one token a byte
    expect(pieces(ids)).toEqual(["", "", "", "🙂", ""]);
  });
  it("gives bytes that never became a character at the end, and special tokens never", () => {
    const [first, second] = tokenizer.encode("🙂");
    const end = tokenizer.tokenId("<|im_end|>");
    expect(pieces([first, second, end]).join("")).toBe(tokenizer.decode([first, second, end]));
    expect(pieces([...tokenizer.encode("fine"), end]).join("")).toBe("fine");
    const broken = [first, ...tokenizer.encode("x"), second];
    expect(pieces(broken).join("")).toBe(tokenizer.decode(broken));
  });
});
