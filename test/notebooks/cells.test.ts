/**
 * What cells share, what they may contain, and what is said of their errors: TypeScript's own rules, cell after cell.
 */
import { describe, expect, it } from "vitest";
import { runInTurn, valueOf } from "./drive";

/** Runs cells in turn and compares what each ends in; `null` for a cell whose value does not matter. */
async function expectValues(pairs: [source: string, value: string | null][]): Promise<void> {
  const cells = await runInTurn(...pairs.map(([source]) => source));
  const wanted = pairs.map(([source, value], i) => [source, value ?? valueOf(cells[i])]);
  expect(pairs.map(([source], i) => [source, valueOf(cells[i])])).toEqual(wanted);
}

describe("names of earlier cells", { timeout: 240_000 }, () => {
  it("may be shorthand properties, wherever they stand", async () => {
    await expectValues([
      ['const a = 1; function f() { return 2; } import { foldIn } from "./lib/util/random"; class K {}', ""],
      ["({ a, f, foldIn, K })", "{ a: 1, f: [Function: f], foldIn: [Function: foldIn], K: [class K] }"],
      [
        "JSON.stringify([1].map((i) => ({ i, a, deep: [{ a }, { in: { a } }] })))",
        '[{"i":1,"a":1,"deep":[{"a":1},{"in":{"a":1}}]}]',
      ],
      ["JSON.stringify({ ...{ a } }) + ((o: { a: number }) => o.a)({ a })", '{"a":1}1'],
      ["let x = 0; let y = 0; ({ x, y = 5 } = { x: 3 } as { x: number; y?: number }); [x, y]", "[ 3, 5 ]"],
      ["({ x, y = 7 } = { x: 4 } as { x: number; y?: number }); [x] = [x + 1]; [x, y]", "[ 5, 7 ]"],
      // A property is no variable, whatever its name and wherever its type was written.
      ["const point: { a: number } = { a: 8 };", ""],
      ["const { a: renamed } = point; [renamed, point.a, { a: 3 }.a, a]", "[ 8, 8, 3, 1 ]"],
    ]);
  });

  it("are variables: an assignment in a later cell reaches the functions of the cell that declared them", async () => {
    await expectValues([
      ["let seed = 1; const show = () => seed; const grow = () => ++seed; var old = 1;", ""],
      ["seed = 2; show()", "2"],
      ["seed++; seed += 10; [show(), grow(), seed]", "[ 13, 14, 14 ]"],
      ["for (seed of [7, 8]) {} old = 3; [show(), old]", "[ 8, 3 ]"],
      ["const before = show; before()", "8"],
      // Declared again it is another variable: the first cell's functions keep theirs, other cells see the new one.
      ["let seed = 100; [show(), seed]", "[ 8, 100 ]"],
      ["seed", "100"],
      ["show.call(null) + (function (this: unknown) { return this === undefined ? 0 : 1; })()", null],
    ]);
  });

  it("keep namespaces, enums, classes, types and re-declared parts of them", async () => {
    await expectValues([
      [
        "namespace N { export const v = 7; export namespace M { export const w = () => v; } export type T = number; }",
        "",
      ],
      ["enum E { A, B } class K { own = 1; } interface I { k: K } type Both = I; const Both = 3;", ""],
      ["1", "1"],
      [
        "const t: N.T = N.v + N.M.w(); const i: I = { k: new K() }; [t, E[E.B], i.k.own, E.B, Both]",
        "[ 14, 'B', 1, 1, 3 ]",
      ],
      ['type Both = string; const text: Both = "x"; text + Both', "x3"],
      ["const wrong: E = 'A';", "error: TypeScriptError: 1:7 - Type '\"A\"' is not assignable to type 'E'."],
    ]);
  });

  it("may come with `export`, as pasted library code has it", async () => {
    await expectValues([
      [
        "/** One. */\nexport const one = 1;\nexport async function two() { return 2; }\nexport class Three { n = 3; }\nexport type Four = 4; export interface Five { n: number }\nexport enum Six { A = 6 }",
        "",
      ],
      [
        "const four: Four = 4; const five: Five = { n: 5 }; [one, await two(), new Three().n, four, five.n, Six.A]",
        "[ 1, 2, 3, 4, 5, 6 ]",
      ],
      ["export default function seven() { return 7; }\nexport {};\nexport { one, two };", ""],
      ["seven()", "7"],
      ["export default seven() + 1;", "8"],
      ["export default function () { return 1; }", ""],
      ['export { foldIn as fold } from "./lib/util/random"; export type { Random } from "./lib/util/random";', ""],
      ["const kind = (r: Random | null) => typeof fold + String(r); kind(null)", "functionnull"],
      [
        "export { one as uno };",
        "error: TypeScriptError: 1:10 - a cell has no exports to rename: write `const uno = one;`",
      ],
      [
        '\nexport * from "./lib/util/random";',
        "error: TypeScriptError: 2:1 - `export * from` names nothing: import what the cell needs by name",
      ],
      ["export = 5;", "error: TypeScriptError: 1:1 - `export =` has no meaning in a cell: leave it out"],
      ['const text = "export const x = 1"; text', "export const x = 1"],
    ]);
  });
});

describe("a cell that fails", { timeout: 240_000 }, () => {
  it("leaves what it had declared", async () => {
    await expectValues([
      ["const kept = 'old'; const replaced = 'old'; var hoisted = 'old'; const own = () => kept + replaced;", ""],
      ["const reader = () => own() + kept + replaced;", ""],
      [
        'import { foldIn } from "./lib/util/random"; const before = 42; function f() { return before; } class K { n = 1; }\nconst replaced = "new"; interface Shape { n: number }\nconst [first, { inner }] = [1, { inner: 2 }];\nthrow new Error("x");\nconst kept = "new"; const after = 1; var hoisted = "new"; class Later {}',
        "error: Error: x",
      ],
      [
        "const shape: Shape = new K(); [before, f(), shape.n, typeof foldIn, first, inner]",
        "[ 42, 42, 1, 'function', 1, 2 ]",
      ],
      ["[kept, replaced, hoisted, reader()]", "[ 'old', 'new', 'old', 'oldoldoldnew' ]"],
      ["after", "error: TypeScriptError: 1:1 - Cannot find name 'after'."],
      ["new Later()", "error: TypeScriptError: 1:5 - Cannot find name 'Later'."],
      [
        'const trained = await Promise.resolve({ loss: 0.5 });\nawait Promise.reject(new Error("typo"));',
        "error: Error: typo",
      ],
      ["trained.loss", "0.5"],
      ["const unchecked = 1; const bad: string = 5;", null],
      ["unchecked", "error: TypeScriptError: 1:1 - Cannot find name 'unchecked'."],
    ]);
  });

  it("has a trace in its own lines and those of TypeScript files, without the kernel's frames", async () => {
    const cells = await runInTurn(
      "interface A { a: number }\n\nfunction deep(x: A | null): number {\n  return x!\n    .a;\n}",
      "await 0; const n: number = deep(null);",
      "const b = 1;\n// nothing\nfor (const i of [1, 2]) {\n  await new Promise((r) => setTimeout(r, 1));\n  if (i === 2) throw new RangeError(`at ${i}`);\n}",
      'import { readSharegpt } from "./lib/formats/sharegpt";\nreadSharegpt("/nowhere.json")',
      'class Own extends Error { override name = "Own"; detail = 5; }\nthrow new Own("mine", { cause: new Error("because") });',
      "throw 'text'",
    );
    expect(cells[1].traceback).toEqual([
      "TypeError: Cannot read properties of null (reading 'a')",
      "    at deep (cell [1]:5:6)",
      "    at cell [2]:1:28",
    ]);
    expect(cells[2].traceback).toEqual(["RangeError: at 2", "    at cell [3]:5:22"]);
    const trace = cells[3].traceback.join("\n");
    expect(trace).toMatch(/^Error: \/nowhere\.json: [^\n]*\n {4}at \w+ \(lib\/[\w-]+\/[\w-]+\.ts:\d+:\d+\)/);
    expect(trace).toMatch(/\n {4}at cell \[4\]:2:\d+$/);
    expect(cells[4].ename).toBe("Own");
    expect(cells[4].traceback.join("\n")).toMatch(
      /cell \[5\]:2:7[^]*detail: 5[^]*\[cause\]: Error: because\n\s*at cell \[5\]:2:32/,
    );
    expect(cells[5]).toMatchObject({ ename: "Error", evalue: "'text'" });
    for (const { traceback } of cells)
      expect(traceback.join("\n")).not.toMatch(/tslab|\.cjs|node:|evalmachine|fine-r1:start/);
  });
});

describe("the value of a cell", { timeout: 240_000 }, () => {
  it("is its last expression, awaited where it says so, in at most 40 lines", async () => {
    const [list, text, line, awaited, nothing, nil, string, map] = await runInTurn(
      "Array.from({ length: 90 }, (_, i) => ({ i, name: `row ${i}`, values: [i, i, i, i], note: 'x'.repeat(40) }))",
      "Array.from({ length: 100 }, (_, i) => i).join('\\n')",
      "'y'.repeat(25_000)",
      "const later = async () => ({ deep: { er: { and: [1, { more: 1 }] } } }); await later()",
      "const only = 1;",
      "null",
      "'raw \"text\"'",
      "new Float32Array(1000)",
    );
    const lines = valueOf(list).split("\n");
    expect(lines).toHaveLength(40);
    expect(lines[39]).toMatch(/^… \d+ more lines$/);
    expect(valueOf(text)).toBe(`${Array.from({ length: 39 }, (_, i) => i).join("\n")}\n… 61 more lines`);
    expect(valueOf(line)).toBe(`${"y".repeat(10_000)} … 15,000 more characters`);
    expect(valueOf(awaited)).toBe("{\n  deep: {\n    er: { and: [ 1, { more: 1 } ] }\n  }\n}");
    expect([nothing, nil, string].map(valueOf)).toEqual(["", "null", 'raw "text"']);
    expect(valueOf(map)).toMatch(/900 more items/);
  });
});
