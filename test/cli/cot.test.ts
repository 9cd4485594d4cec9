/** `cot` against a loopback server: records, data card, failures, a kill, and where the key must not be. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { TeacherCard } from "../../lib/cot/teacher-card";
import { paperPrompts } from "../../lib/benchmark/prompts";
import { readSharegpt } from "../../lib/formats/sharegpt";
import { stage1Problems } from "../../lib/formats/stage1";
import { root } from "../../tools/environment";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";
import { chatServer, textOf, type Act, type SeenRequest } from "../helpers/chat-server";
import { capture, command } from "./capture";

const run = command("cot");

const folder = temporaryFolder();
const photos = path.join(folder, "photos");
const KEY = "sk-teacher-00112233445566";
const reds = [10, 60, 110, 160]; // what the server can tell the images by: their bytes
const names = ["arctic fox", "red fox"];
const nameOf = new Map<string, string>();

beforeAll(async () => {
  vi.stubEnv("OPENAI_API_KEY", KEY);
  for (const [i, r] of reds.entries()) {
    const bytes = await sharp({ create: { width: 6, height: 4, channels: 3, background: { r, g: 0, b: 0 } } })
      .png()
      .toBuffer();
    const name = names[Math.floor(i / 2)];
    writeTree(photos, { [`train/${name.replace(" ", "_")}/${i}.png`]: bytes });
    nameOf.set(`data:image/png;base64,${bytes.toString("base64")}`, `${name} ${i}`);
  }
});
afterAll(() => void vi.unstubAllEnvs());

const imageIn = ({ body }: SeenRequest): string =>
  nameOf.get((body.messages[0].content as { image_url?: { url: string } }[])[0].image_url!.url)!;
const own = (word: string): string => Array.from({ length: 70 }, (_, i) => `${word}${i}`).join(" ");

/** Answers as a good teacher does; the second rationale of each image is the right one. */
function teach(request: SeenRequest): Act {
  const [first, , n] = imageIn(request).split(" ");
  if (textOf(request).startsWith("Look at"))
    return {
      texts: Array<string>(request.body.n).fill(`${first === "red" ? "orange" : "white"} fur, black legs`),
      completionTokens: 30,
    };
  const say = (name: string): string =>
    `<think>Analysis of Visual Features: ${own(`w${n}x`)}\nCandidate Subcategories: ${name}, kit fox, wolf, dog\nComparison: matches\nPrediction: ${name}</think> <answer>${name}</answer>`;
  return { texts: [say("kit fox"), say(`${first} fox`)], completionTokens: 200 };
}

const args = (baseUrl: string, out: string, ...more: string[]): string[] => [
  "--benchmark",
  photos,
  "--endpoint",
  baseUrl,
  "--model-name",
  "teacher",
  "--shots",
  "2",
  "--descriptions",
  "3",
  "--samples",
  "2",
  "--out",
  path.join(folder, out),
  ...more,
];
const everything = (out: string): string[] =>
  readdirSync(path.join(folder, out), { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes(".json"))
    .map((name) => readFileSync(path.join(folder, out, name), "utf8"));

describe("cot", () => {
  it("images to records and their card, through failures of every kind", async () => {
    const failures: Act[] = [
      { status: 429, headers: { "retry-after": "0" } },
      { status: 500, message: `bad key ${KEY}` },
      "cut",
      { raw: "{", type: "application/json" },
      { raw: "<html>", type: "text/html" },
      "hang",
    ];
    const server = await chatServer((request, before) => failures[before] ?? teach(request));
    const { code, out, err } = await capture(
      run,
      args(
        server.baseUrl,
        "a",
        "--price-prompt",
        "2",
        "--price-completion",
        "10",
        "--timeout",
        "3",
        "--concurrency",
        "6",
        "--json",
      ),
    );
    expect([code, err.match(/again in/g)?.length]).toEqual([0, 6]);
    const records = readSharegpt(path.join(folder, "a/records.json"));
    expect(records.map((record) => record.image).sort()).toEqual(
      ["arctic_fox/0", "arctic_fox/1", "red_fox/2", "red_fox/3"].map((name) => `photos/train/${name}.png`),
    );
    for (const record of records) {
      expect(record).toMatchObject({ system: paperPrompts.stage1System, user: "What is this?" });
      expect(stage1Problems(record)).toEqual([]);
      expect(record.assistant).toContain(
        record.image.includes("red_fox") ? "<answer>red fox</answer>" : "<answer>arctic fox</answer>",
      );
    }
    const card = JSON.parse(out) as TeacherCard;
    expect(card).toEqual(JSON.parse(readFileSync(path.join(folder, "a/data-card.json"), "utf8")));
    expect(card).toMatchObject({
      teacher: "teacher",
      images: 4,
      records: 4,
      acceptance_rate: 1,
      skipped: 0,
      requests: { sent: 14, retries: 6, from_cache: 0 },
      tokens: { prompt: 800, completion: 4 * 30 + 4 * 200 },
      sets: {
        photos: {
          images: 4,
          records: 4,
          samples: 8,
          sub_categories: 2,
          rejections: { "wrong answer": 4, duplicate: 0 },
        },
      },
    });
    expect(card.cost!.total).toBeCloseTo((800 * 2 + 920 * 10) / 1e6, 12);
    expect(textOf(server.requests[13])).toMatch(/were found in the image: (orange|white) fur; black legs\./);
    for (const text of [out, err, ...everything("a")]) expect(text).not.toContain(KEY);
    expect(everything("a").length).toBe(4 + 8);

    const again = await capture(run, args(server.baseUrl, "a", "--price-prompt", "2", "--price-completion", "10"));
    expect(server.requests).toHaveLength(14);
    expect(again.out).toMatch(
      /photos: 4 records of 4 images \(100\.0 %\), 8 rationales looked at; rejected: wrong answer 4\n0 images skipped; 0 requests, 0 of them again, 8 answers from the cache; 800 \+ 920 tokens, cost 0\.0108 \(this run 0\.0000\)/,
    );
    expect(readSharegpt(path.join(folder, "a/records.json"))).toEqual(records);
  }, 40_000);

  it("a process that is killed repeats no finished request", async () => {
    let hangs = true;
    let reached = (): void => undefined;
    const hanging = new Promise<void>((resolve) => (reached = resolve));
    const server = await chatServer((request) => {
      if (!hangs || textOf(request).startsWith("Look at") || imageIn(request) !== "red fox 2") return teach(request);
      reached();
      return "hang";
    });
    const all = args(server.baseUrl, "killed", "--concurrency", "1");
    const child = spawn(process.execPath, ["--import", "tsx", path.join(root, "cli/fine-r1.ts"), "cot", ...all], {
      cwd: root,
      stdio: "ignore",
      env: { ...process.env, OPENAI_API_KEY: KEY },
    });
    const ended = new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
    await hanging;
    child.kill("SIGKILL");
    expect(await ended).toBe("SIGKILL");
    expect(existsSync(path.join(folder, "killed/records.json"))).toBe(false);
    const before = server.requests.length;
    hangs = false;
    expect((await capture(run, all)).code).toBe(0);
    const keys = server.requests.map((request) => `${textOf(request).slice(0, 7)} ${imageIn(request)}`);
    expect(keys.length).toBe(9); // eight, and the one that hung
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual(["Questio red fox 2"]);
    expect(before).toBeGreaterThanOrEqual(5);
    expect(readSharegpt(path.join(folder, "killed/records.json"))).toHaveLength(4);
  });

  it("skips an image that is refused or missing when told, counts it, and exits 2", async () => {
    const server = await chatServer((request) =>
      imageIn(request) === "red fox 3" ? { status: 400, message: "image too small" } : teach(request),
    );
    const stopped = await capture(run, args(server.baseUrl, "skip"));
    expect(stopped).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /photos\/train\/red_fox\/3\.png: .*400 image too small; finished requests are cached/,
      ) as string,
    });
    const { code, out, err } = await capture(run, args(server.baseUrl, "skip", "--on-bad-row", "skip"));
    expect(code).toBe(2);
    expect(err).toMatch(/photos\/train\/red_fox\/3\.png: skipped: .*400 image too small/);
    expect(out).toMatch(/3 records of 4 images \(75\.0 %\).*\n1 images skipped/);
    rmSync(path.join(folder, "skip"), { recursive: true });
  });

  it("keeps nothing where nothing passes, and says so", async () => {
    const server = await chatServer((request) =>
      textOf(request).startsWith("Look at") ? teach(request) : { texts: ["<think>cut"], finish: "length" },
    );
    const { code, out, err } = await capture(run, args(server.baseUrl, "none", "--samples", "1"));
    expect([code, err]).toEqual([1, "cot: no record was kept; the data card says why\n"]);
    expect(out).toMatch(/rejected: cut off 4/);
  });

  it.each([
    [["--benchmark", "x", "--model-name", "m"], /--endpoint is missing/],
    [["--benchmark", "x", "--endpoint", "http://127.0.0.1/v1"], /--model-name is missing/],
    [["--endpoint", "http://127.0.0.1/v1", "--model-name", "m"], /--benchmark is missing/],
    [
      ["--endpoint", "http://127.0.0.1/v1", "--model-name", "m", "--benchmark", "emoji-fgvr"],
      /expected photographs: one of the six/,
    ],
    [
      ["--endpoint", "http://127.0.0.1/v1", "--model-name", "m", "--benchmark", "/nowhere"],
      /\/nowhere: cannot be read/,
    ],
    [
      ["--endpoint", "http://127.0.0.1/v1", "--model-name", "m", "--benchmark", "x", "--price-prompt", "1"],
      /go together/,
    ],
    [
      ["--endpoint", "http://me:secret@127.0.0.1/v1", "--model-name", "m", "--benchmark", photos, "--shots", "2"],
      /no user, password or query/,
    ],
  ])("exits 1 on %j", async (wrong, message) => {
    const { code, out, err } = await capture(run, wrong);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(message);
    expect(err).not.toContain("secret");
  });
});
