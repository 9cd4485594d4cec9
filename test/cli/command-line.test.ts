/** The command line as a whole: help of every command, what is refused and in which words, what is loaded when. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import type { Option } from "@commander-js/extra-typings";
import { afterEach, describe, expect, it, vi } from "vitest";
import { METHODS } from "../../cli/commands/rl";
import { LOSSES } from "../../cli/commands/contrastive";
import { DTYPES } from "../../cli/commands/zero-shot";
import { isGroup, type Definition } from "../../cli/definition";
import { sections } from "../../cli/index";
import { findNotebook, notebookOptions } from "../../cli/notebooks";
import { FLOAT_TYPES, SCALES } from "../../cli/options";
import { snakeCase } from "../../cli/output";
import { createProgram, main, type Call } from "../../cli/program";
import { checkOptions } from "../../cli/usage-errors";
import { describeRange, orOf, parseNumber } from "../../cli/values";
import { ONNX_DTYPES } from "../../lib/eval/onnx";
import { loadSettings } from "../../lib/experiment/load-settings";
import * as settings from "../../lib/experiment/settings";
import { CONTRASTIVE_LOSSES } from "../../lib/loss/contrastive";
import { METHODS as ALL_METHODS } from "../../lib/train/methods";
import { commandPage } from "../../tools/cli-page";
import { root } from "../../tools/environment";
import { capture, command } from "./capture";

/** Every command with its words. */
const all: { words: string; definition: Definition }[] = sections.flatMap(({ entries }) =>
  entries.flatMap((entry) =>
    isGroup(entry)
      ? entry.members.map((member) => ({
          words: `${entry.build().name()} ${member.build().name()}`,
          definition: member,
        }))
      : [{ words: entry.build().name(), definition: entry }],
  ),
);
const line = (text: string): Promise<{ code: number; out: string; err: string }> =>
  capture(main as (args: string[]) => Promise<number>, text.split(" "));

/** What a command line is read as; nothing is run. */
async function read(text: string): Promise<Call> {
  const calls: Call[] = [];
  const program = createProgram((call) => Promise.resolve(void calls.push(call)));
  await program.parseAsync(shellWords(text), { from: "user" });
  return calls[0];
}
const shellWords = (text: string): string[] =>
  [...text.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]);

afterEach(() => void vi.unstubAllEnvs());

describe("a command that installs something", () => {
  const installing = all.flatMap(({ words, definition }) =>
    (definition.build().options as Option[]).flatMap(({ long }) =>
      long?.startsWith("--install") ? [{ words, long }] : [],
    ),
  );

  it.each(installing)("$words $long needs no other option", async ({ words, long }) => {
    expect(installing.map((one) => one.words)).toContain("evaluate");
    expect((await read(`${words} ${long}`)).options).toMatchObject({
      [long.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())]: true,
    });
  });
});

describe("help", () => {
  it.each(all)("$words: usage, every option with choices and default, examples", async ({ words, definition }) => {
    const { code, out, err } = await line(`${words} --help`);
    expect([code, err]).toEqual([0, ""]);
    const text = out.replace(/\s+/g, " ");
    expect(text).toContain(`Usage: fine-r1 ${words}`);
    for (const option of (definition.build().options as Option[]).filter(({ hidden }) => !hidden)) {
      expect(text).toContain(`${option.flags} ${option.description.slice(0, 12)}`);
      if (option.argChoices) expect(text).toContain(`one of ${option.argChoices.join(", ")}`);
      if (typeof option.defaultValue === "number") expect(text).toContain(`default: ${option.defaultValue})`);
    }
    expect(definition.examples.length).toBeGreaterThan(0);
    for (const example of definition.examples) expect(out).toContain(`  fine-r1 ${example}`);
    expect((await line(`${words} -h`)).out).toBe(out);
    expect((await line(`help ${words}`)).out).toBe(out);
  });

  it("of all lists every command; a group's its members", async () => {
    const { code, out } = await line("--help");
    expect(code).toBe(0);
    for (const { words } of all) expect(out).toMatch(new RegExp(`^  ${words.split(" ")[0]}\\b`, "m"));
    expect((await line("help")).out).toBe(out);
    expect((await line("data --help")).out).toMatch(/^ {2}check [\s\S]*^ {2}rows /m);
  });

  it.each(all.flatMap(({ definition }) => definition.examples.map((example) => ({ example, definition }))))(
    "the example can be read: $example",
    async ({ example, definition }) => {
      expect((await read(example)).definition).toBe(definition);
    },
  );

  it("the page is what the definitions say", () => {
    expect(readFileSync(path.join(root, "docs/cli.md"), "utf8")).toBe(commandPage());
  });

  it("an option is described once: the same name has the same kind of value in all commands", () => {
    const kinds = new Map<string, Set<string>>();
    for (const { definition } of all)
      for (const { long, flags } of definition.build().options as Option[])
        kinds.set(long!, (kinds.get(long!) ?? new Set()).add(flags));
    const several = [...kinds].filter(([, flags]) => flags.size > 1).map(([name]) => name);
    // --benchmark takes files too where rows are asked; score takes a file of predictions, table a folder; --similarity
    // of both is a directory only
    expect(several.sort()).toEqual(["--benchmark", "--predictions", "--similarity"]);
  });
});

describe("what is loaded", () => {
  it("help and wrong command lines load neither TensorFlow nor sharp, and are there within a second or so", () => {
    const script = `
      import("./cli/program.ts").then(async (module) => {
        const { main } = module.main ? module : module.default;
        for (const args of ${JSON.stringify([["--help"], ...all.map(({ words }) => [...words.split(" "), "--help"]), ["evaluate", "--set", "pet"], ["generate"]])}) await main(args);
        const loaded = Object.keys(require.cache).filter((name) => /node_modules.(@tensorflow|sharp|@huggingface|openai)|lib.(engine|model|train)/.test(name));
        process.stdout.write("LOADED" + JSON.stringify(loaded));
      });`;
    const { stdout } = spawnSync(process.execPath, ["--import", "tsx", "-e", script], { cwd: root, encoding: "utf8" });
    expect(stdout.slice(stdout.indexOf("LOADED"))).toBe("LOADED[]");
  });

  it("choices that stand here for lists of modules that load TensorFlow are those lists", () => {
    expect([...SCALES]).toEqual([...settings.SCALES]);
    expect([...METHODS]).toEqual(
      Object.entries(ALL_METHODS).flatMap(([name, { stage }]) => (stage === "rl" ? [name] : [])),
    );
    expect([...LOSSES].sort()).toEqual([...CONTRASTIVE_LOSSES].sort());
    expect([...DTYPES]).toEqual([...ONNX_DTYPES]);
    for (const precision of FLOAT_TYPES)
      expect(loadSettings({ set: [`precision=${precision}`], environment: {} }).precision).toBe(precision);
  });
});

describe("refusals", () => {
  it.each([
    ["", "fine-r1: no command given; see fine-r1 --help"],
    ["evalute", "fine-r1: unknown command evalute; did you mean evaluate?; see fine-r1 --help"],
    ["help nothing", "fine-r1: unknown command nothing; see fine-r1 --help"],
    ["nothing --help", "fine-r1: unknown command nothing; see fine-r1 --help"],
    ["data", "data: data needs one of: check, rows; see fine-r1 data --help"],
    ["data cheek", "data: unknown command cheek; did you mean check?; see fine-r1 data --help"],
    ["table --metrik exact", "table: unknown option --metrik; did you mean --metric?; see fine-r1 table --help"],
    ["table --metric half", 'table: --metric is "half"; expected substring or exact; see fine-r1 table --help'],
    ["table --metric", "table: --metric needs a value: substring or exact; see fine-r1 table --help"],
    ["table --out --csv", "table: --out needs a value: PATH; see fine-r1 table --help"],
    ["table --csv=yes", "table: --csv takes no value; see fine-r1 table --help"],
    ["table extra", "table: 1 arguments; at most 0 expected; see fine-r1 table --help"],
    ["table --run ../x", 'table: --run is "../x"; expected letters, digits, -, _ and . only; see fine-r1 table --help'],
    ["profile all", 'profile: work is "all"; expected sft, rollout or tapo; see fine-r1 profile --help'],
    ["profile", "profile: work is missing; see fine-r1 profile --help"],
    ["score --setting open", "score: --predictions is missing: FILE; see fine-r1 score --help"],
    [
      "profile sft --steps many",
      'profile: --steps is "many"; expected a whole number of at least 1; see fine-r1 profile --help',
    ],
    [
      "profile sft --steps 0",
      'profile: --steps is "0"; expected a whole number of at least 1; see fine-r1 profile --help',
    ],
    [
      "profile sft --steps 1.5",
      'profile: --steps is "1.5"; expected a whole number of at least 1; see fine-r1 profile --help',
    ],
    [
      "profile sft --steps=-1",
      'profile: --steps is "-1"; expected a whole number of at least 1; see fine-r1 profile --help',
    ],
    [
      "profile sft --set steps",
      'profile: --set is "steps"; expected NAME=VALUE, a setting (a benchmark is chosen by --benchmark); see fine-r1 profile --help',
    ],
    ["probe --methods ,", 'probe: --methods is ","; expected names, separated by commas; see fine-r1 probe --help'],
    [
      "notebooks --run a.b",
      'notebooks: --run is "a.b"; expected letters, digits, - and _ only, at most 64; see fine-r1 notebooks --help',
    ],
    ["doctor --json --josn", "doctor: unknown option --josn; did you mean --json?; see fine-r1 doctor --help"],
  ])("%j", async (text, message) => {
    const { code, out, err } = await capture(
      main as (args: string[]) => Promise<number>,
      text === "" ? [] : text.split(" "),
    );
    expect([code, out, err]).toEqual([1, "", `${message}\n`]);
  });

  it.each([
    ["evaluate --benchmark x.jsonl --root y", "--root is now --sets DIR .* --images DIR"],
    ["zero-shot --set pet", "--set is now --benchmark NAME"],
    ["questions --root x", "--root is now --sets DIR"],
    ["questions --benchmark x --embedding names", "--embedding is now --similarity"],
    ["triplets --folder x", "--folder is now --benchmark FOLDER"],
    ["triplets --benchmark x --embedding names", "--embedding is now --similarity"],
    ["evaluate --base-url y", "--base-url is now --endpoint URL"],
    ["cot --benchmark x --base-url y", "--base-url is now --teacher URL"],
    ["cot --benchmark x --endpoint y", "--endpoint is now --teacher URL"],
    ["cot --benchmark x --shots 2", "--shots is now --set shots=N"],
    ["cot --samples 2", "--samples is now --set cot.rationalesPerImage=N"],
    ["sft --data x.json", "--data is now --teacher FILE"],
    ["sft --out x", "--out is now --run NAME"],
    ["rl --data x.parquet", "--data is now --triplets FILE"],
    ["rl --adapter x", "--adapter is now --start DIR"],
    ["sft --override seed=1", "--override is now --set NAME=VALUE"],
    ["rl --model x --override seed=1", "--override is now --set NAME=VALUE"],
    ["zero-shot --prompt x", "--prompt is now --template TEXT"],
    ["plan --rank 4", "--rank is now --set lora.rank=N"],
    ["table --skip-bad-rows", "--skip-bad-rows is now --on-bad-row skip"],
    ["data check --root x", "--root is now --sets DIR"],
  ])("an old name names the new one: %s", async (text, message) => {
    const { code, out, err } = await line(text);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(new RegExp(`: ${message}.*; see fine-r1 [a-z -]+ --help\\n$`));
  });

  it.each(["evaluate", "questions", "cot", "sft"])(
    "%s --set with a benchmark's name says where that goes",
    async (name) => {
      for (const set of ["--set pet", "--set=pet"])
        expect(await line(`${name} ${set}`)).toEqual({
          code: 1,
          out: "",
          err: `${name}: --set is "pet"; expected NAME=VALUE, a setting (a benchmark is chosen by --benchmark); see fine-r1 ${name} --help\n`,
        });
    },
  );

  it("shows the stack where it is asked for, of every command's errors", async () => {
    expect((await line("score --predictions none.jsonl --setting open")).err).toMatch(/^score: .*none\.jsonl.*\n$/);
    vi.stubEnv("FINE_R1_DEBUG", "1");
    expect((await line("score --predictions none.jsonl --setting open")).err).toMatch(
      /^score: .*none\.jsonl.*\n.*Error: .*\n\s+at /,
    );
    expect((await line("table --metric half")).err).toMatch(/\n\s+at /);
  });

  it("is the exit code of the process", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "cli/fine-r1.ts", "generate"], {
      cwd: root,
      encoding: "utf8",
    });
    expect([status, stdout, stderr]).toEqual([
      1,
      "",
      "generate: --model is missing: DIR; see fine-r1 generate --help\n",
    ]);
  });
});

describe("values", () => {
  it.each([
    ["1", {}, 1],
    ["-2.5e-3", {}, -0.0025],
    [" 7 ", { whole: true, least: 7 }, 7],
    ["1", { above: 0, most: 1 }, 1],
    [".5", { above: 0 }, 0.5],
  ])("the number %j in %j", (text, range, value) => expect(parseNumber(text, range)).toBe(value));

  it.each([
    ["", {}],
    ["x", {}],
    ["0x10", {}],
    ["Infinity", {}],
    ["NaN", {}],
    ["1e999", {}],
    ["1,5", {}],
    ["1.5", { whole: true }],
    ["9007199254740993", { whole: true }],
    ["0", { above: 0 }],
    ["-1", { least: 0 }],
    ["1.1", { most: 1 }],
  ])("no number %j in %j", (text, range) =>
    expect(() => parseNumber(text, range)).toThrow(`expected ${describeRange(range)}`),
  );

  it("ranges and lists in words", () => {
    expect(describeRange({ whole: true, least: 0 })).toBe("a whole number of at least 0");
    expect(describeRange({ above: 0, most: 1 })).toBe("a number above 0 and of at most 1");
    expect(describeRange({})).toBe("a number");
    expect([orOf(["a"]), orOf(["a", "b"]), orOf(["a", "b", "c"])]).toEqual(["a", "a or b", "a, b or c"]);
  });

  it("options are read with their kinds, values that look like options too", async () => {
    const { options, args } = await read("profile tapo --steps 2 --set rl.steps=1 --set seed=3 --json");
    expect([options, args]).toEqual([{ steps: 2, set: ["rl.steps=1", "seed=3"], json: true }, ["tapo"]]);
    const negative = await read("evaluate --setting open --prompts tiny --question -1 --concurrency 2");
    expect(negative.options).toMatchObject({ question: "-1", concurrency: 2, retries: 6 });
    expect(negative.options.role).toBeUndefined(); // the settings say it
    const ablation = await read("ablations --only kl,tapo --seeds 0,2");
    expect(ablation.options).toMatchObject({ only: ["kl", "tapo"], seeds: [0, 2], role: "dev", list: false });
  });

  it("an argument after -- is none of the options", () => {
    const definition = all.find(({ words }) => words === "notebooks")!.definition;
    expect(() => checkOptions(definition.build(), ["--", "--wrong"])).not.toThrow();
  });
});

describe("JSON keys", () => {
  it("are in snake_case at every depth, values as they were", () => {
    expect(
      snakeCase({ badRows: [{ testImages: 1 }], paperSubcategories: null, isIt: "aB", n1Two: { x: [1] } }),
    ).toEqual({
      bad_rows: [{ test_images: 1 }],
      paper_subcategories: null,
      is_it: "aB",
      n1_two: { x: [1] },
    });
  });
});

describe("notebooks", () => {
  it("are found by name, with or without suffix and folder", () => {
    const file = path.join(root, "notebooks/04-benchmark.ipynb");
    expect([findNotebook("04-benchmark"), findNotebook("04-benchmark.ipynb"), findNotebook(file)]).toEqual([
      file,
      file,
      file,
    ]);
    for (const wrong of ["04", "04-benchmarks", "../04-benchmark", "notebooks"])
      expect(() => findNotebook(wrong)).toThrow(/no such notebook; there are 00-tour, .*04-benchmark/);
  });

  it("a setting of the command line is the kernels'", () => {
    const given = { set: ["rl.steps=3"], verbose: false };
    expect(notebookOptions({ ...given, scale: "smoke" }, {})).toMatchObject({
      scale: "smoke",
      run: expect.stringMatching(/^smoke-rl-steps-3-[\da-f]{8}$/) as string,
      environment: { FINE_R1_SET: "rl.steps=3" },
    });
    expect(notebookOptions(given, { FINE_R1_SET: "seed=1", FINE_R1_RUN: "r" })).toMatchObject({
      scale: "default",
      run: "r",
      environment: { FINE_R1_SET: "seed=1,rl.steps=3" },
    });
  });

  it.each([
    ["run", "--set rl.stepz=3", /unknown setting "rl\.stepz"/],
    ["notebooks", "--set rl.stepz=3", /unknown setting "rl\.stepz"/],
    ["run", "--set model=models/none", /model .*models\/none: no config\.json there/],
    ["run", "99-nothing", /99-nothing: no such notebook/],
  ])("a refused %s %s leaves no folder", async (name, more, message) => {
    const { code, err } = await capture(command(name), ["--run", "refused-by-test", ...more.split(" ")]);
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
    expect(existsSync(path.join(root, "data/runs/refused-by-test"))).toBe(false);
  });
});
