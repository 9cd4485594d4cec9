import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { writeText } from "../../lib/util/files";
import { hashTree } from "../../lib/util/hash";
import { repositoryRoot } from "../../lib/util/root";

mkdirSync(path.join(repositoryRoot(), "data/cache"), { recursive: true });
const folder = mkdtempSync(path.join(repositoryRoot(), "data/cache/hash-tree-test-")); // hashes are of the repository's files
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("hashTree", () => {
  const hash = (): string => hashTree([path.relative(repositoryRoot(), folder)]);
  it("changes with contents, names and files, Markdown aside, and with nothing else", () => {
    writeText(path.join(folder, "x/a.txt"), "1");
    writeText(path.join(folder, "b.txt"), "2");
    const first = hash();
    writeText(path.join(folder, "x/README.md"), "words");
    expect(hash()).toBe(first);
    writeText(path.join(folder, "b.txt"), "3");
    const second = hash();
    writeText(path.join(folder, "c.txt"), "");
    const third = hash();
    rmSync(path.join(folder, "c.txt"));
    expect(hash()).toBe(second);
    rmSync(path.join(folder, "b.txt"));
    writeText(path.join(folder, "d.txt"), "3");
    expect(new Set([first, second, third, hash()]).size).toBe(4);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
  });

  it("passes over what is not there", () => expect(hashTree(["no/such/folder"])).toBe(hashTree([])));
});
