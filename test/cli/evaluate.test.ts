/** `evaluate` on models, adapters and a loopback endpoint: what is asked, what is left on disk, what a kill costs. */
import { spawn } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { questionsOfFile } from "../../lib/benchmark/questions";
import type { LoggedRow } from "../../lib/eval/prediction-log";
import { evaluateModel } from "../../lib/experiment/evaluate-any";
import { loadSettings } from "../../lib/experiment/load-settings";
import { openForFile } from "../../cli/question-file";
import { tf } from "../../lib/engine/tensorflow";
import { root } from "../../tools/environment";
import { temporaryFolder, trees, writeTree } from "../benchmark/photographs/trees";
import { chatServer, textOf } from "../helpers/chat-server";
import { capture, command } from "./capture";

const run = command("evaluate");
const score = command("score");

const folder = temporaryFolder();
const fixture = path.join(__dirname, "../fixtures/parity/fixture-tied");
const model = path.join(fixture, "model");
const images = path.join(folder, "images");
const KEY = "sk-test-fedcba9876543210";
const options = ["red fox", "wolf", "jackal", "dhole"];
const rowOf = (image: string, over: object = {}): object => ({
  image_path: image,
  question: `What is in ${image}?`,
  options,
  ground_truth: "red fox",
  ...over,
});
const file = (name: string, rows: readonly unknown[]): string => {
  const whole = path.join(folder, name);
  writeFileSync(whole, rows.map((one) => `${typeof one === "string" ? one : JSON.stringify(one)}\n`).join(""));
  return whole;
};
const read = (out: string): LoggedRow[] =>
  readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as LoggedRow);
/** What is said on stderr beside progress. */
const withoutBars = (err: string): string => err.replace(/.*[█░].*\n/g, "");
const names = ["a", "b", "c", "d", "e", "f"];
let set = "";
const set0 = file("one_seen.jsonl", [rowOf("a.png")]);
const pets = path.join(folder, "pets");
writeTree(path.join(pets, "pet"), trees.pet);

beforeAll(() => {
  vi.stubEnv("OPENAI_API_KEY", KEY);
  mkdirSync(images, { recursive: true });
  names.forEach((name, i) =>
    copyFileSync(
      path.join(fixture, "images", `${["square", "ragged", "resized"][i % 3]}.png`),
      path.join(images, `${name}.png`),
    ),
  );
  set = file(
    "foxes_seen.jsonl",
    names.map((name) => rowOf(`${name}.png`)),
  );
});
afterAll(() => void vi.unstubAllEnvs());

/** The arguments on the file, without who answers. */
const on = (out: string, ...more: string[]): string[] => [
  "--benchmark",
  set,
  "--setting",
  "closed",
  "--images",
  images,
  "--max-new-tokens",
  "6",
  "--out",
  path.join(folder, out),
  ...more,
];

describe("evaluate --model", () => {
  it("leaves rows that score reads, in order, with options shuffled by seed; batches change nothing", async () => {
    const before = tf.memory().numTensors;
    const { code, out, err } = await capture(run, ["--model", model, ...on("m.jsonl", "--batch-size", "4", "--json")]);
    expect([code, withoutBars(err)]).toEqual([0, ""]);
    const rows = read(path.join(folder, "m.jsonl"));
    expect(rows.map(({ row, image_path }) => [row, image_path])).toEqual(names.map((name, i) => [i, `${name}.png`]));
    expect(rows.map((row) => [...row.options!].sort())).toEqual(names.map(() => [...options].sort()));
    expect(new Set(rows.map((row) => row.options!.indexOf("red fox"))).size).toBeGreaterThan(1);
    expect(rows[0]).toMatchObject({
      method: "fixture-tied",
      split: "seen",
      domain: "foxes_seen",
      setting: "closed",
      seed: 0,
      output_tokens: 6,
      finished: false,
    });
    const { resumed, cut, out: written, ...scores } = JSON.parse(out) as Record<string, unknown>;
    expect([resumed, cut, written]).toEqual([0, 6, path.join(folder, "m.jsonl")]);
    expect(
      JSON.parse(
        (await capture(score, ["--predictions", path.join(folder, "m.jsonl"), "--setting", "closed", "--json"])).out,
      ),
    ).toEqual(scores);
    await capture(run, ["--model", model, ...on("one.jsonl", "--batch-size", "1")]);
    expect(read(path.join(folder, "one.jsonl"))).toEqual(rows);
    expect(tf.memory().numTensors).toBe(before);
    const released = await capture(run, [
      "--model",
      model,
      ...on("r.jsonl", "--option-order", "released", "--seed", "3"),
    ]);
    expect(released.out).toMatch(/always the first option: substring 100\.00 %/);
    expect(read(path.join(folder, "r.jsonl")).every((row) => row.options![0] === "red fox")).toBe(true);
  });

  it("an adapter answers otherwise, and the open world has no options", async () => {
    const adapter = path.join(fixture, "adapters/all-linear");
    expect((await capture(run, ["--model", model, "--adapter", adapter, ...on("lora.jsonl")])).code).toBe(0);
    const [plain, adapted] = ["m.jsonl", "lora.jsonl"].map((name) => read(path.join(folder, name)));
    expect(adapted[0].method).toBe("all-linear");
    expect(adapted.map((row) => row.output)).not.toEqual(plain.map((row) => row.output));
    await capture(run, [
      "--model",
      model,
      ...on("open.jsonl").map((arg) => (arg === "closed" ? "open" : arg)),
      "--limit",
      "2",
    ]);
    const open = read(path.join(folder, "open.jsonl"));
    expect([open.length, open[0].options, open[0].setting]).toEqual([2, undefined, "open"]);
  });

  it("goes on after an interruption and a half-written line: the file is that of one run, finished rows are asked once", async () => {
    const args = (out: string): string[] => ["--model", model, "--method", "m", ...on(out, "--batch-size", "2")];
    expect((await capture(run, args("whole.jsonl"))).code).toBe(0);
    const whole = read(path.join(folder, "whole.jsonl"));
    const out = path.join(folder, "resumed.jsonl");
    const settings = loadSettings({
      set: [`model=${model}`, "precision=float32", "eval.maxNewTokens=6", "eval.batchSize=2"],
      environment: {},
    });
    const questions = questionsOfFile({ file: set, root: images, setting: "closed", seed: 0 });
    const interrupted = async (after: number): Promise<[number, number][]> => {
      const experiment = openForFile(settings);
      const asked: [number, number][] = [];
      const onProgress = (done: number, toDo: number): void => {
        asked.push([done, toDo]);
        if (asked.length > after) throw new Error("killed");
      };
      const keep = { out, method: "m", reason: true, anyImages: true, onProgress };
      await expect(evaluateModel(experiment, questions, keep)).rejects.toThrow("killed");
      experiment.close();
      return asked;
    };
    expect(await interrupted(2)).toEqual([
      [0, 6],
      [2, 6],
      [4, 6],
    ]);
    expect(read(out)).toEqual(whole.slice(0, 4));
    truncateSync(out, readFileSync(out).length - 7);
    const { code, out: printed, err } = await capture(run, [...args("resumed.jsonl"), "--json"]);
    expect([code, JSON.parse(printed)]).toMatchObject([0, { n: 6, skipped: 0, resumed: 3 }]);
    expect(err).toMatch(/resumed\.jsonl: a half-written last line was dropped, its row answered again/);
    expect(read(out)).toEqual(whole);
    expect(await interrupted(0)).toEqual([[0, 0]]); // nothing is left to ask
  });

  it("refuses to mix: another model, seed or question needs another file", async () => {
    const untied = path.join(__dirname, "../fixtures/parity/fixture-untied/model");
    for (const [args, message] of [
      [
        ["--model", untied, "--method", "fixture-tied", ...on("m.jsonl")],
        /holds answers to something else: answerer\.\w+ was/,
      ],
      [["--model", model, ...on("m.jsonl", "--seed", "1")], /seed was 0 and is 1/],
      [["--model", model, ...on("m.jsonl", "--direct")], /questions was/],
    ] as const)
      expect(await capture(run, [...args])).toMatchObject({ code: 1, err: expect.stringMatching(message) as string });
    expect(read(path.join(folder, "m.jsonl"))).toHaveLength(6);
  });
});

describe("evaluate with bad input", () => {
  const bad = (): string =>
    file("bad.jsonl", [
      rowOf("a.png", { split: "seen", id: 1 }),
      "{broken",
      rowOf("b.png", { split: "seen", options: ["wolf", "dhole"] }),
      rowOf("missing.png", { split: "unseen" }),
      rowOf("a.png", { split: "seen" }),
      rowOf("c.png", { split: "seen", id: 1 }),
      rowOf("d.png"),
      rowOf("../a.png", { split: "seen" }),
      rowOf("broken.png", { split: "seen" }),
      rowOf("e.png", { split: "unseen" }),
    ]);
  const args = (...more: string[]): string[] => [
    "--model",
    model,
    "--benchmark",
    bad(),
    "--setting",
    "closed",
    "--images",
    images,
    "--max-new-tokens",
    "4",
    "--out",
    path.join(folder, "bad-out.jsonl"),
    ...more,
  ];

  it("a special token in a question or an option: by line, the other rows answered under skip", async () => {
    const file = path.join(folder, "special.jsonl");
    const rows = [
      rowOf("a.png", { split: "seen", question: "Which <|image_pad|> is it?" }),
      rowOf("d.png", { split: "seen", options: ["cat", "<|im_end|>"], ground_truth: "cat" }),
      rowOf("e.png", { split: "seen" }),
    ];
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const ask = (...more: string[]) => {
      const given = args(...more);
      given[given.indexOf("--benchmark") + 1] = file;
      given[given.indexOf("--out") + 1] = path.join(folder, "special-out.jsonl");
      return capture(run, given);
    };
    const stopped = await ask();
    expect([stopped.code, stopped.err]).toEqual([
      1,
      expect.stringMatching(/special\.jsonl, line 1: question has the special token <\|image_pad\|>/),
    ]);
    const { code, err } = await ask("--on-bad-row", "skip", "--restart");
    expect(code).toBe(2);
    expect(err).toMatch(/line 1: skipped: question has the special token <\|image_pad\|>/);
    expect(err).toMatch(/line 2: skipped: an option has the special token <\|im_end\|>/);
    expect(read(path.join(folder, "special-out.jsonl")).map((row) => row.image_path)).toEqual(["e.png"]);
  });

  it("stops at the first bad line, by file and line", async () => {
    expect(await capture(run, args())).toMatchObject({
      code: 1,
      err: expect.stringMatching(/bad\.jsonl, line 2: not JSON .*mend the line, or skip bad rows/) as string,
    });
  });

  it("or goes on, reports every one, counts them, and exits 2", async () => {
    writeFileSync(path.join(images, "broken.png"), "no image");
    const { code, out, err } = await capture(run, args("--on-bad-row", "skip"));
    expect(code).toBe(2);
    const lines = withoutBars(err).trimEnd().split("\n");
    expect(lines.map((line) => /line (\d+)/.exec(line)?.[1])).toEqual(["2", "3", "5", "6", "7", "8", "4", "9"]);
    const reasons = [
      /not JSON/,
      /lacks the ground truth/,
      /image a\.png with this question is in line 1 already/,
      /id 1 is in line 1 already/,
      /field "split"/,
      /no relative path/,
      /the image missing\.png is missing/,
      /can't be read as an image/,
    ];
    reasons.forEach((reason, i) => expect(lines[i]).toMatch(reason));
    expect(out).toMatch(/2 rows, 8 skipped/);
    expect(read(path.join(folder, "bad-out.jsonl")).map((row) => [row.image_path, row.split])).toEqual([
      ["a.png", "seen"],
      ["e.png", "unseen"],
    ]);
  });

  it.each([
    [
      ["--model", "x", "--endpoint", "http://127.0.0.1/v1", "--benchmark", "s", "--setting", "open"],
      /cannot be given together/,
    ],
    [["--endpoint", "http://127.0.0.1/v1", "--benchmark", set0, "--setting", "open"], /--model-name is missing/],
    [["--model", "x", "--benchmark", "s"], /--setting is missing: closed or open/],
    [["--model", "x", "--benchmark", set0, "--setting", "open"], /x.config\.json/],
    [["--model", model, "--benchmark", "a b", "--setting", "open"], /"a b"/],
    [
      ["--model", model, "--benchmark", "pet+pet", "--sets", pets, "--setting", "open"],
      /pet and pet both have the domain "pet"/,
    ],
    [
      ["--model", "x", "--benchmark", "pet", "--images", "y", "--setting", "open"],
      /--images is for a file of questions/,
    ],
    [
      ["--model", model, "--benchmark", "pet", "--sets", "/nowhere", "--setting", "open"],
      /Oxford-IIIT Pet is not at \/nowhere\/pet; get it from/,
    ],
    [["--model", model, "--benchmark", "none.jsonl", "--setting", "open"], /none\.jsonl: cannot be read/],
    [
      ["--model", "x", "--benchmark", "pet", "--setting", "open", "--on-bad-row", "drop"],
      /--on-bad-row is "drop"; expected stop or skip/,
    ],
    [
      ["--model", "x", "--benchmark", "pet", "--setting", "open", "--limit", "1.5"],
      /--limit is "1\.5"; expected a whole number of at least 0/,
    ],
  ])("exits 1 on %j", async (wrong, message) => {
    const { code, out, err } = await capture(run, wrong);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(message);
  });
});

describe("evaluate on a folder per class", () => {
  it("asks about its test images, both sides, three distractors of the same side", async () => {
    const kinds = Array.from({ length: 10 }, (_, i) => `kind_${i}`);
    const bytes = readFileSync(path.join(fixture, "images/square.png"));
    const mine = writeTree(
      path.join(folder, "mine"),
      Object.fromEntries(
        kinds.flatMap((kind) => [
          [`train/${kind}/1.png`, bytes],
          [`test/${kind}/2.png`, bytes],
        ]),
      ),
    );
    const args = ["--benchmark", mine, "--similarity", "names", "--question", "What kind?", "--setting", "closed"];
    const server = await chatServer((request) => ({
      texts: [`<answer>${/kind \d/i.exec(textOf(request))?.[0]}</answer>`],
    }));
    const ask = async (out: string, ...more: string[]): Promise<LoggedRow[]> => {
      const place = path.join(folder, out);
      const who = ["--endpoint", server.baseUrl, "--model-name", "served", "--out", place];
      expect((await capture(run, [...args, ...who, ...more])).code).toBe(0);
      return read(place).sort((one, other) => one.row - other.row); // the file has them as they came
    };
    const rows = await ask("mine.jsonl");
    const seen = rows.filter((one) => one.split === "seen").map((one) => one.ground_truth);
    expect([rows.length, seen.length, server.requests.length]).toEqual([10, 6, 10]);
    for (const { options: shown, ground_truth, split, image_path, question, domain } of rows) {
      expect([shown!.length, shown!.includes(ground_truth)]).toEqual([4, true]);
      expect([image_path, question, domain]).toEqual([
        `mine/test/${ground_truth.replace(" ", "_")}/2.png`,
        "What kind?",
        "mine",
      ]);
      expect(shown!.every((name) => seen.includes(name) === (split === "seen"))).toBe(true);
    }
    const unseen = rows.filter((one) => one.split === "unseen").map(({ row: _, ...one }) => one);
    expect((await ask("unseen.jsonl", "--split", "unseen")).map(({ row: _, ...one }) => one)).toEqual(unseen);
    const own = ["--model", model, "--max-new-tokens", "2", "--out", path.join(folder, "own.jsonl"), "--json"];
    const { code, out } = await capture(run, [...args, ...own]);
    expect([code, JSON.parse(out)]).toMatchObject([0, { n: 10, skipped: 0 }]);
    expect(read(path.join(folder, "own.jsonl")).map((one) => one.options)).toEqual(rows.map((one) => one.options));
  });
});

describe("evaluate --endpoint", () => {
  const at = (baseUrl: string, out: string, ...more: string[]): string[] => [
    "--endpoint",
    baseUrl,
    "--model-name",
    "served",
    ...on(out, ...more),
  ];

  it("sends images as data URIs, tries again where the server fails, keeps the key to itself", async () => {
    const acts = ["cut" as const, { raw: "<html>", type: "text/html" }, { status: 500, message: KEY }];
    const server = await chatServer(
      (request, before) =>
        acts[before] ?? {
          texts: [`<think>${KEY}</think><answer>${textOf(request).includes("a.png") ? "red fox" : "wolf"}</answer>`],
        },
    );
    const { code, out, err } = await capture(run, at(server.baseUrl, "served.jsonl", "--concurrency", "2", "--json"));
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ n: 6, skipped: 0, substring: 1 / 6, exact: 1 / 6, cut: 0 });
    expect(server.requests).toHaveLength(9);
    const [image, text] = server.requests[5].body.messages[0].content as {
      type: string;
      text?: string;
      image_url?: { url: string };
    }[];
    const name = /What is in (\w)\.png/.exec(text.text!)![1];
    expect(image.image_url!.url).toBe(
      `data:image/png;base64,${readFileSync(path.join(images, `${name}.png`)).toString("base64")}`,
    );
    expect(server.requests[5].body).toMatchObject({ model: "served", temperature: 0, max_tokens: 6, n: 1 });
    expect(err.match(/again in/g)).toHaveLength(3);
    for (const text of [
      out,
      err,
      ...readdirSync(folder)
        .filter((one) => one.startsWith("served"))
        .map((one) => readFileSync(path.join(folder, one), "utf8")),
    ])
      expect(text).not.toContain(KEY);
    expect(read(path.join(folder, "served.jsonl"))[0].output).toContain("[key]");
  }, 30_000);

  it("a row that is refused is skipped and asked again by the next run; under stop the rows in flight are kept", async () => {
    let refuses = true;
    const server = await chatServer((request) =>
      refuses && textOf(request).includes("c.png")
        ? { status: 400, message: "too large" }
        : { texts: ["<answer>red fox</answer>"] },
    );
    const stopped = await capture(run, at(server.baseUrl, "refused.jsonl", "--concurrency", "1"));
    expect(stopped).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /foxes_seen\.jsonl, line 3: .*400 too large.*--on-bad-row skip.*Finished rows are in/,
      ) as string,
    });
    expect(read(path.join(folder, "refused.jsonl")).map((row) => row.row)).toEqual([0, 1]);
    const skipped = await capture(
      run,
      at(server.baseUrl, "refused.jsonl", "--on-bad-row", "skip", "--concurrency", "1", "--json"),
    );
    expect([skipped.code, JSON.parse(skipped.out)]).toMatchObject([2, { n: 5, skipped: 1, resumed: 2 }]);
    refuses = false;
    const last = await capture(run, at(server.baseUrl, "refused.jsonl", "--on-bad-row", "skip", "--json"));
    expect([last.code, JSON.parse(last.out)]).toMatchObject([0, { n: 6, skipped: 0, resumed: 5, exact: 1 }]);
    expect(server.requests).toHaveLength(2 + 1 + 1 + 3 + 1);
  });

  it("a process that is killed repeats no finished row", async () => {
    let hangs = true;
    let reached = (): void => undefined;
    const hanging = new Promise<void>((resolve) => (reached = resolve));
    const server = await chatServer((request) => {
      if (!hangs || !textOf(request).includes("d.png")) return { texts: ["<answer>red fox</answer>"] };
      reached();
      return "hang";
    });
    const args = at(server.baseUrl, "killed.jsonl", "--concurrency", "1");
    const child = spawn(process.execPath, ["--import", "tsx", path.join(root, "cli/fine-r1.ts"), "evaluate", ...args], {
      cwd: root,
      stdio: "ignore",
      env: { ...process.env, OPENAI_API_KEY: KEY },
    });
    const ended = new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
    await hanging;
    expect(await capture(run, args)).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringMatching(
        new RegExp(`^evaluate: .*killed\\.jsonl is in use by process ${child.pid} on .*, since .*\\n$`),
      ) as string,
    });
    child.kill("SIGKILL");
    expect(await ended).toBe("SIGKILL");
    hangs = false;
    const out = path.join(folder, "killed.jsonl");
    expect([read(out).length, existsSync(`${out}.manifest.json`)]).toEqual([3, true]);
    appendFileSync(out, '{"row":3,"meth'); // as if the kill had come in a write
    const { code, err } = await capture(run, args);
    expect(code).toBe(0);
    const [first, ...others] = err.split("\n"); // the dead process left its lock
    expect(first).toMatch(
      new RegExp(`killed\\.jsonl: process ${child.pid} on .* is gone without giving its lock back; taken over$`),
    );
    expect(others).toEqual([`${out}: a half-written last line was dropped, its row answered again`, ""]);
    expect(existsSync(`${out}.lock`)).toBe(false);
    expect(server.requests.map((request) => /in (\w)\.png/.exec(textOf(request))![1])).toEqual([
      "a",
      "b",
      "c",
      "d",
      "d",
      "e",
      "f",
    ]);
    expect(read(out).map((row) => row.row)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
