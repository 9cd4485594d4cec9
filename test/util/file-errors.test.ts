import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { fileReason } from "../../lib/util/file-errors";
import { readJson, readJsonl } from "../../lib/util/files";

describe("fileReason", () => {
  it("says in words what a file system's error is", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "file-errors-"));
    const file = path.join(folder, "a.json");
    fs.writeFileSync(file, "{}");
    for (const [at, words] of [
      [path.join(folder, "none.json"), "no such file or folder"],
      [folder, "it is a folder"],
      [path.join(file, "b.json"), "a part of the path is a file, not a folder"],
    ])
      for (const read of [readJson, readJsonl]) expect(() => read(at)).toThrow(`${at}: cannot be read: ${words}`);
    fs.rmSync(folder, { recursive: true });
  });

  it("gives the first line of a message it has no words for", () => {
    expect(fileReason(Object.assign(new Error("incorrect header check"), { code: "Z_DATA_ERROR" }))).toBe(
      "incorrect header check",
    );
    expect(fileReason(new Error("no idea\nat all"))).toBe("no idea");
  });
});
