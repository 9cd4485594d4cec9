import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { hashCode, plainCpp } from "../../lib/util/code-hash";
import { repositoryRoot } from "../../lib/util/root";

mkdirSync(path.join(repositoryRoot(), "data/cache"), { recursive: true });
const folder = mkdtempSync(path.join(repositoryRoot(), "data/cache/code-hash-test-")); // hashes are of the repository's files
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, "below"), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hashOf(files: Record<string, string>): string {
  for (const [name, source] of Object.entries(files)) writeFileSync(path.join(folder, name), source);
  return hashCode([path.relative(repositoryRoot(), folder)]);
}

const TS = 'export const f = (x: number): number => x + 1;\nexport const s = "a  b // c";\n';

describe("hashCode of TypeScript", () => {
  it.each([
    ["comments", `/** Adds. */\n// ${"x".repeat(9)}\n${TS.replace("x + 1", "x /* one */ + 1")}`],
    ["a legal comment", `/*! by us */\n/* @license MIT */\n${TS}`],
    ["white space", TS.replace("x + 1", "\n    x+1\n").replace(/\n/g, "\r\n")],
    ["quotes and semicolons", TS.replace(/"/g, "'").replace(/;\n/g, "\n\n")],
    ["types", `type Unused = string;\n${TS.replace(": number =>", " =>")}`],
  ])("stays where %s change", (_, changed) => expect(hashOf({ "a.ts": changed })).toBe(hashOf({ "a.ts": TS })));

  it.each([
    ["a number", TS.replace("1", "2")],
    ["an operator", TS.replace("+", "-")],
    ["a name", TS.replace("const f", "const g")],
    ["a string's white space", TS.replace("a  b", "a b")],
    ["what looks like a comment in a string", TS.replace("// c", "// d")],
    ["a statement", `${TS}f(1);\n`],
  ])("changes with %s", (_, changed) => expect(hashOf({ "a.ts": changed })).not.toBe(hashOf({ "a.ts": TS })));

  it("changes with a file's name, with files, and with those below", () => {
    const first = hashOf({ "a.ts": TS });
    const more = hashOf({ "below/b.ts": "export const b = 1;" });
    const other = hashOf({ "below/b.ts": "export const b = 2;" });
    rmSync(path.join(folder, "below/b.ts"));
    expect(hashOf({})).toBe(first);
    rmSync(path.join(folder, "a.ts"));
    const renamed = hashOf({ "c.ts": TS });
    expect(new Set([first, more, other, renamed]).size).toBe(4);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
  });
});

const CPP =
  '#include <cmath>\n#define TWICE(x) \\\n  (2 * (x))\nfloat f(float x) { return x - -1.0f; }\nconst char* s = "a  /* b */ // c";\n';

describe("hashCode of C++", () => {
  it.each([
    ["comments", CPP.replace("return", "/* it's */ return").replace("}\n", '} // done: "here"\n')],
    ["white space", CPP.replace("{ return", "{\n\n\treturn")],
  ])("stays where %s change", (_, changed) => expect(hashOf({ "a.cc": changed })).toBe(hashOf({ "a.cc": CPP })));

  it.each([
    ["a number", CPP.replace("1.0f", "2.0f")],
    ["a macro", CPP.replace("2 * ", "3 * ")],
    ["an include", CPP.replace("cmath", "cstdlib")],
    ["a string", CPP.replace("a  /*", "a /*")],
  ])("changes with %s", (_, changed) => expect(hashOf({ "a.cc": changed })).not.toBe(hashOf({ "a.cc": CPP })));

  it("drops comments and idle white space only", () => {
    expect(plainCpp("unsigned   int x ;")).toBe("unsigned int x;");
    expect(plainCpp("f ( x ) { return x ; }")).toBe("f(x){return x;}");
    expect(plainCpp("a /* x */ / b // y\n;")).toBe("a/b;");
    expect(plainCpp("int n = 10'000, m = 5'000; // it's\n")).toBe("int n=10'000,m=5'000;");
    expect(plainCpp("f( \"a ,  b\" , ' ' );")).toBe("f(\"a ,  b\",' ');");
    expect(plainCpp('f("\\" // no comment");')).toBe('f("\\" // no comment");');
    expect(plainCpp("#if A // note\r\nint  a;\n#endif  // A\n")).toBe("\n#if A\nint a;\n#endif\n");
  });

  it.each([
    ["return x", "returnx"],
    ["x = a - -b;", "x = a--b;"],
    ["x = a & &b;", "x = a&&b;"],
    ['f("a , b");', 'f("a,b");'],
    ["#define A 1\nint a;", "#define A 1 int a;"],
    ["#define A (x)", "#define A(x)"],
  ])("tells %j from %j", (a, b) => expect(plainCpp(a)).not.toBe(plainCpp(b)));
});

describe("hashCode of other files", () => {
  it("is of their bytes", () => expect(hashOf({ "a.json": '{"a": 1}' })).not.toBe(hashOf({ "a.json": '{"a":1}' })));
});
