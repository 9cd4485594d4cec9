import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { fingerprint } from "../../lib/util/hash";
import { temporaryFolder } from "../benchmark/photographs/trees";

vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  return { ...real, openSync: vi.fn(real.openSync) };
});

const folder = temporaryFolder();
let folders = 0;

/** A snapshot of Hugging Face's cache: links into a folder of blobs. */
function snapshot(files: Record<string, string>): string {
  const cache = path.join(folder, `cache-${folders++}`);
  const snap = path.join(cache, "snapshots/abc");
  fs.mkdirSync(path.join(cache, "blobs"), { recursive: true });
  fs.mkdirSync(snap, { recursive: true });
  Object.entries(files).forEach(([name, text], i) => {
    fs.writeFileSync(path.join(cache, "blobs", String(i)), text);
    fs.symlinkSync(path.join("../../blobs", String(i)), path.join(snap, name));
  });
  return snap;
}

describe("fingerprint of links", () => {
  it("is that of what they lead to: another checkpoint, another fingerprint; a copy, the same", () => {
    const [a, b] = [snapshot({ "config.json": "{}", w: "1" }), snapshot({ "config.json": "{}", w: "2" })];
    expect(fingerprint(a)).not.toBe(fingerprint(b));
    const copy = path.join(folder, "copy");
    fs.mkdirSync(copy);
    fs.writeFileSync(path.join(copy, "config.json"), "{}");
    fs.writeFileSync(path.join(copy, "w"), "1");
    expect(fingerprint(copy)).toBe(fingerprint(a));
    fs.writeFileSync(path.join(copy, "README.md"), "A card is no part of a model.");
    // by hand: name, size, contents
    expect(fingerprint(copy)).toBe(createHash("sha256").update("config.json\x002\x00{}w\x001\x001").digest("hex"));
  });
  it("leaves folders out, linked or not, and refuses a link to nothing, naming both ends", () => {
    const snap = snapshot({ w: "1" });
    const before = fingerprint(snap);
    fs.mkdirSync(path.join(snap, "sub"));
    fs.symlinkSync("sub", path.join(snap, "linked"));
    expect(fingerprint(snap)).toBe(before);
    fs.symlinkSync("../../blobs/gone", path.join(snap, "lost"));
    expect(() => fingerprint(snap)).toThrow(/lost: a link to a file that is not there \(\.\.\/\.\.\/blobs\/gone\)/);
  });
  it("follows a change behind a link, of the same size and time", () => {
    const snap = snapshot({ w: "1" });
    const blob = path.join(snap, "../../blobs/0");
    const { atime, mtime } = fs.statSync(blob);
    const first = fingerprint(snap);
    fs.writeFileSync(blob, "2");
    fs.utimesSync(blob, atime, mtime);
    const second = fingerprint(snap);
    expect(second).not.toBe(first);
    fs.writeFileSync(path.join(snap, "../../blobs/1"), "1");
    fs.rmSync(path.join(snap, "w"));
    fs.symlinkSync("../../blobs/1", path.join(snap, "w"));
    expect(fingerprint(snap)).toBe(first);
  });
  it("reads an unchanged checkpoint once in a process", () => {
    const snap = snapshot({ w: "x".repeat(70_000) });
    const reads = (): number => vi.mocked(fs.openSync).mock.calls.length;
    const before = reads();
    const first = fingerprint(snap);
    expect(reads()).toBe(before + 1);
    expect(fingerprint(snap)).toBe(first);
    expect(fingerprint(path.relative(process.cwd(), snap))).toBe(first);
    expect(reads()).toBe(before + 1);
  });
});
