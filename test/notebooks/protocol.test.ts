/** Jupyter's message protocol through jupyter_client, the client that JupyterLab's server and nbclient use. */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { jupyterEnvironment, root, venvPython } from "../../tools/environment";
import { drive, valueOf, type CellResult, type Step } from "./drive";

const cell = (code: string, stop_on_error = true): { code: string; stop_on_error: boolean } => ({
  code,
  stop_on_error,
});
const fail = 'throw new Error("expected")';

describe("after a cell that fails", { timeout: 240_000 }, () => {
  it("what was queued then is aborted, and nothing sent later", async () => {
    const [first, second, third, fourth] = (await drive([
      { cells: [cell('console.log("before")'), cell(fail), cell("1"), cell("2")] },
      { cells: [cell('console.log("at once")')] },
      // These arrive while the kernel cannot read them.
      { cells: [cell(`const end = Date.now() + 500; while (Date.now() < end);\n${fail}`), cell("3"), cell("4")] },
      { cells: [cell("5")] },
    ])) as CellResult[][];
    expect(first.map(({ status }) => status)).toEqual(["ok", "error", "aborted", "aborted"]);
    expect(first[0].text).toBe("before\n");
    expect(second[0]).toMatchObject({ status: "ok", text: "at once\n", number: 3 });
    expect(third.map(({ status }) => status)).toEqual(["error", "aborted", "aborted"]);
    expect(valueOf(fourth[0])).toBe("5");
  });

  it("nothing is aborted where it said stop_on_error false", async () => {
    const [cells] = (await drive([
      { cells: [cell(fail, false), cell("1"), cell("const x: string = 1", false), cell("2"), cell(fail), cell("3")] },
    ])) as CellResult[][];
    expect(cells.map(({ status }) => status)).toEqual(["error", "ok", "error", "ok", "error", "aborted"]);
  });

  it("nbclient runs the rest: a cell tagged raises-exception, and all cells where errors are allowed", () => {
    const script = `
import json, nbformat
from nbclient import NotebookClient
def run(tags, **options):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in ${JSON.stringify([fail, 'console.log("after")', "6 * 7"])}])
    notebook.cells[0].metadata["tags"] = tags
    NotebookClient(notebook, kernel_name="tslab-fine-r1", **options).execute()
    return [[o.get("text") or o.get("ename") or o["data"]["text/plain"] for o in c.outputs] for c in notebook.cells]
print(json.dumps([run(["raises-exception"]), run([], allow_errors=True)]))
`;
    const { stdout, stderr } = spawnSync(venvPython, ["-c", script], {
      cwd: root,
      env: jupyterEnvironment(),
      encoding: "utf8",
      timeout: 200_000,
    });
    const outputs = [["Error"], ["after\n"], ["42"]];
    expect(JSON.parse(stdout || `"${stderr}"`)).toEqual([outputs, outputs]);
  });
});

const COUNTER = "const counter = { turns: 0 };";
/** Whether what counts turns has stopped. */
const STILL = `
const turns = counter.turns;
await new Promise((resolve) => setTimeout(resolve, 200));
turns === counter.turns ? "still" : "running"`;

describe("an interrupt", { timeout: 240_000 }, () => {
  it("ends what yields within a second, leaves what was declared, and the kernel goes on", async () => {
    const loops = [
      `import { longLoop, timedLoop } from "./test/notebooks/long-loop"; ${COUNTER} console.log("begun"); await longLoop(counter);`,
      `${COUNTER} console.log("begun"); await timedLoop(counter);`,
      `import { yieldToEventLoop } from "./lib/util/abort"; ${COUNTER} console.log("begun"); for (;;) { counter.turns++; await yieldToEventLoop(); }`,
      // A cell's own code stops at any await, its functions' too.
      `${COUNTER} const mine = async () => { for (;;) { counter.turns++; await new Promise((r) => setTimeout(r, 5)); } };\nconsole.log("begun"); await mine();`,
      // What never looks is no longer waited for.
      'console.log("begun"); await new Promise(() => undefined);',
    ];
    const steps: Step[] = loops.flatMap((code) => [{ interrupt: code, when: "begun" }, { cells: [cell(STILL)] }]);
    // What computes without a pause from the start is ended too; it can say nothing meanwhile.
    loops.push("for (;;) {}");
    steps.push({ interrupt: "for (;;) {}", when: "" }, { cells: [cell(STILL)] });
    const answers = await drive([...steps, { cells: [cell("typeof longLoop + typeof mine + typeof counter")] }]);
    for (let i = 0; i < loops.length; i++) {
      const stopped = answers[2 * i] as CellResult;
      expect(stopped, loops[i]).toMatchObject({ status: "error", ename: "KeyboardInterrupt", evalue: "Interrupted" });
      expect(stopped.seconds, loops[i]).toBeLessThan(1.5); // 0.7 s of it is what a cell has to end by itself
      expect(valueOf((answers[2 * i + 1] as CellResult[])[0]), loops[i]).toBe("still");
    }
    expect(valueOf((answers.at(-1) as CellResult[])[0])).toBe("functionfunctionobject");
  });

  it("of one cell is none of the next", async () => {
    const answers = await drive([
      {
        interrupt: `import { timedLoop } from "./test/notebooks/long-loop"; ${COUNTER} console.log("begun"); await timedLoop(counter);`,
        when: "begun",
      },
      {
        cells: [
          cell(
            'import { interruptSignal, throwIfAborted } from "./lib/util/abort"; throwIfAborted(interruptSignal()); interruptSignal().aborted',
          ),
        ],
      },
    ]);
    expect(valueOf((answers[1] as CellResult[])[0])).toBe("false");
  });
});

describe("help while typing", { timeout: 240_000 }, () => {
  it("shows the function that is being called, with its docstring", async () => {
    const define =
      'import { foldIn, random } from "./lib/util/random";\n/** Adds two numbers. */\nfunction add(left: number, right: number) { return left + right; }';
    const shown = (await drive([
      { cells: [cell(define)] },
      { inspect: "add(|" },
      { inspect: "add(|)" },
      { inspect: "add(1, | )" },
      { inspect: "const x = add(1, random(|" },
      { inspect: "random(1).uniform(|)" },
      { inspect: "add|(1, 2)" },
      { inspect: "new Map(|)" },
      { inspect: "add(1, 2)|;" },
      { inspect: "1 + |2" },
    ])) as string[];
    const [, open, closed, second, nested, method, name, constructed, behind, none] = shown;
    for (const text of [open, closed, second, name])
      expect(text).toMatch(/function add\(left: number, right: number\): number[^]*Adds two numbers\./);
    expect(nested).toMatch(/random\(seed: number\): Random[^]*A generator/);
    expect(method).toMatch(/uniform/);
    expect(constructed).toMatch(/Map/);
    expect([behind, none]).toEqual(["", ""]);
  });

  it("completes inside calls", async () => {
    const define =
      "interface Options { rate: number; steps: number }\nfunction train(data: string, options: Options) { return data; }\nconst dataset = 'x'; const held = { out: 1 };";
    const found = (await drive([
      { cells: [cell(define)] },
      { complete: "train(data|" },
      { complete: "train(|)" },
      { complete: "train(dataset, { | })" },
      { complete: "train(dataset, { rate: 1, st|" },
      { complete: "train(held.|" },
      { complete: "console.log(train(held.|), 1)" },
    ])) as string[][];
    const [, prefix, empty, keys, rest, member, nested] = found;
    expect(prefix[0]).toBe("dataset");
    expect(empty.slice(0, 20)).toEqual(expect.arrayContaining(["dataset", "held", "train"]));
    expect(keys).toEqual(["rate", "steps"]);
    expect(rest[0]).toBe("steps");
    expect([member, nested]).toEqual([["out"], ["out"]]);
  });
});
