/**
 * The endpoint's key is in the environment, and nowhere else: in no file that a command leaves, here or in the home
 * folder, in nothing it prints, in no process's title or command line - though the server repeats it in every form.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { root } from "../../tools/environment";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";
import { chatServer, textOf, type Act, type SeenRequest } from "../helpers/chat-server";
import { temporaryRun } from "./runs";

const KEY = `sk-+/=&${randomBytes(12).toString("hex")}?~`;
const base64 = (text: string): string => Buffer.from(text).toString("base64");
/** What must be nowhere: the key, as addresses have it, and the middle of its base64 wherever its groups begin. */
const FORMS = [KEY, encodeURIComponent(KEY), ...["", "a", "ab"].map((before) => base64(before + KEY).slice(4, -4))];
/** All of them, and base64 in its other alphabet, as a server may send them back. */
const ECHO = [KEY, encodeURIComponent(KEY), base64(KEY), base64(`user:${KEY}`), base64(`Bearer ${KEY}`)].join(" and ");

const folder = temporaryFolder();
const home = path.join(folder, "home");
const photos = path.join(folder, "photos");
const names = ["arctic fox", "red fox"];
const runs = Object.fromEntries(["cot", "notebook"].map((name) => [name, temporaryRun(`secret-${name}`)]));

beforeAll(async () => {
  mkdirSync(path.join(home, "tmp"), { recursive: true });
  for (let i = 0; i < 4; i++) {
    const background = { r: 10 + 50 * i, g: 0, b: 0 };
    const bytes = await sharp({ create: { width: 6, height: 4, channels: 3, background } })
      .png()
      .toBuffer();
    writeTree(photos, {
      "split.json": JSON.stringify({ seen: names, unseen: ["fennec"] }),
      "test/fennec/9.png": bytes,
      "test/red_fox/8.png": bytes,
      [`train/${names[i % 2].replace(" ", "_")}/${i}.png`]: bytes,
    });
  }
});

/** Files below a folder that were written since, links and the places that hold no text aside. */
function writtenSince(time: number, folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : writtenSince(time, file);
    try {
      return entry.isFile() && lstatSync(file).mtimeMs >= time ? [file] : [];
    } catch {
      return []; // another test's, and gone
    }
  });
}

const formIn = (bytes: string): number => FORMS.findIndex((form) => bytes.includes(form));

/** Files that hold a form of the key. */
const holding = (files: readonly string[]): string[] =>
  files.filter((file) => {
    try {
      return formIn(readFileSync(file, "latin1")) >= 0;
    } catch {
      return false;
    }
  });

/** Processes whose command line or title holds a form of the key. */
const shownByProcesses = (): string[] =>
  holding(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/comm`]),
  );

/** A server that repeats the key, first in failures; it looks at the processes as it is asked. */
async function telltale(answer: (request: SeenRequest) => Act) {
  const shown: string[] = [];
  const failures: Act[] = [
    { status: 500, message: ECHO },
    { status: 429, headers: { "retry-after": "0", "x-key": ECHO }, body: { detail: ECHO } },
    { raw: ECHO, type: "text/plain" },
    { status: 400, message: `temperature is not supported: ${ECHO}` },
  ];
  const server = await chatServer((request, before) => {
    shown.push(...shownByProcesses());
    return failures[before] ?? answer(request);
  });
  return { server, shown };
}

/** A command in a process of its own, with a home of its own. */
function fineR1(...args: string[]): Promise<{ code: number | null; printed: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", path.join(root, "cli/fine-r1.ts"), ...args], {
    cwd: root,
    env: { ...process.env, OPENAI_API_KEY: KEY, HOME: home, TMPDIR: path.join(home, "tmp"), FINE_R1_DEBUG: "1" },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (printed += data.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, printed })));
}

/** Checks what a command has left and printed; `wanted` files were looked at among others. */
function expectNowhere(since: number, printed: string, shown: readonly string[], wanted: RegExp): void {
  const files = [...writtenSince(since, root), ...writtenSince(since, folder)];
  expect(files.filter((file) => wanted.test(file)).length).toBeGreaterThan(0);
  expect(holding(files)).toEqual([]);
  expect([formIn(printed), shown]).toEqual([-1, []]);
}

const model = path.join(root, "test/fixtures/parity/fixture-tied/model");
const own = (word: string): string => Array.from({ length: 70 }, (_, i) => `${word}${i}`).join(" ");
let answers = 0;
/** A teacher's answers, each with the key in it. */
function teach(request: SeenRequest): Act {
  if (textOf(request).startsWith("Look at"))
    return { texts: Array<string>(request.body.n).fill(`orange fur, black legs, ${ECHO}`) };
  const say = (name: string): string =>
    `<think>Analysis of Visual Features: ${ECHO} ${own(`w${answers++}x`)}\nCandidate Subcategories: ${name}, kit fox, wolf, dog\nComparison: matches\nPrediction: ${name}</think> <answer>${name}</answer>`;
  return { texts: names.map(say) };
}

const common = ["--benchmark", photos, "--model", model];
const teacher = (url: string, run: string): string[] => [
  ...[...common, "--teacher", url, "--run", runs[run].name],
  ...["shots=2", "cot.descriptionsPerImage=2", "cot.rationalesPerImage=2", "similarity=names"].flatMap((one) => [
    "--set",
    one,
  ]),
];

describe("the key of an endpoint is nowhere", () => {
  it("after an evaluation", async () => {
    const { server, shown } = await telltale(() => ({ texts: [`<think>${ECHO}</think><answer>red fox</answer>`] }));
    const since = Date.now() - 1000;
    const out = path.join(folder, "rows.jsonl");
    const { code, printed } = await fineR1(
      ...[
        "evaluate",
        "--endpoint",
        server.baseUrl,
        "--model-name",
        "m",
        "--benchmark",
        photos,
        "--similarity",
        "names",
      ],
      ...["--setting", "open", "--out", out],
    );
    expect([code, printed]).toEqual([0, expect.stringContaining("[key]")]);
    expect(readFileSync(out, "utf8")).toContain("[key]");
    expectNowhere(since, printed, shown, /rows\.jsonl\.manifest\.json$/);
  });

  it("after rationales by a teacher", async () => {
    const { server, shown } = await telltale(teach);
    const since = Date.now() - 1000;
    const { code, printed } = await fineR1("cot", ...teacher(server.baseUrl, "cot"), "--model-name", "m");
    expect([code, printed]).toEqual([0, expect.stringContaining("[key]")]);
    expectNowhere(since, printed, shown, new RegExp(`${runs.cot.name}/cot/cache/`));
  });

  it("after a notebook whose teacher describes, then refuses", { timeout: 240_000 }, async () => {
    const { server, shown } = await telltale((request) =>
      textOf(request).startsWith("Look at") ? teach(request) : { status: 401, message: `wrong key: ${ECHO}` },
    );
    const since = Date.now() - 1000;
    const { code, printed } = await fineR1(
      ...["notebooks", "01-cot-data", "--scale", "smoke", "--verbose", ...teacher(server.baseUrl, "notebook")],
    );
    expect([code, printed]).toEqual([1, expect.stringMatching(/wrong key: \[key\] and/)]);
    expectNowhere(since, printed, shown, new RegExp(`${runs.notebook.name}/notebooks/01-cot-data\\.failed\\.ipynb$`));
  });
});
