/** `cot` against a loopback server: records, data card, failures, a kill, and where the key must not be. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
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
import { temporaryRun } from "./runs";

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
    writeTree(photos, {
      "split.json": JSON.stringify({ seen: names, unseen: ["fennec"] }),
      "test/fennec/9.png": bytes,
      [`train/${name.replace(" ", "_")}/${i}.png`]: bytes,
    });
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

const runs = Object.fromEntries(["a", "killed", "skip", "none"].map((name) => [name, temporaryRun(`cot-${name}`)]));
const model = path.join(root, "test/fixtures/parity/fixture-tied/model");
const settings = ["shots=2", "cot.images=0", "cot.descriptionsPerImage=3", "cot.rationalesPerImage=2"];
const args = (baseUrl: string, run: string, ...more: string[]): string[] => [
  ...["--benchmark", photos, "--model", model, "--similarity", "names"],
  ...["--teacher", baseUrl, "--model-name", "teacher", "--run", runs[run].name],
  ...settings.flatMap((one) => ["--set", one]),
  ...more,
];
const at = (run: string, name: string): string => path.join(runs[run].folder, "cot", name);
const everything = (run: string): string[] =>
  readdirSync(runs[run].folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes(".json"))
    .map((name) => readFileSync(path.join(runs[run].folder, name), "utf8"));

describe("cot", () => {
  it("images to records and their card, through failures of every kind", async () => {
    const failures: Act[] = [
      { status: 429, headers: { "retry-after": "0" } },
      { status: 500, message: `bad key ${KEY}` },
      "cut",
      { raw: "{", type: "application/json" },
      { raw: "<html>", type: "text/html" },
    ];
    const server = await chatServer((request, before) => failures[before] ?? teach(request));
    const { code, out, err } = await capture(run, args(server.baseUrl, "a", "--json"));
    expect([code, err.match(/again in/g)?.length]).toEqual([0, 5]);
    const records = readSharegpt(at("a", "records.json"));
    expect(records.map((record) => record.image).sort()).toEqual(
      ["arctic_fox/0", "arctic_fox/1", "red_fox/2", "red_fox/3"].map((name) => `photos/train/${name}.png`),
    );
    for (const record of records) {
      expect(record).toMatchObject({ system: paperPrompts.stage1System, user: "What is this?" });
      expect(stage1Problems(record)).toEqual([]);
      expect(record.assistant.toLowerCase()).toContain(
        record.image.includes("red_fox") ? "<answer>red fox</answer>" : "<answer>arctic fox</answer>",
      );
    }
    const direct = readSharegpt(at("a", "records-direct.json"));
    expect(direct.map(({ image }) => image)).toEqual(records.map(({ image }) => image));
    expect(direct.every(({ assistant }) => /^ ?<answer> ?\w+ fox ?<\/answer>$/i.test(assistant))).toBe(true);
    const { out: place, attempts, ...card } = JSON.parse(out) as TeacherCard & { out: string; attempts: number };
    expect([place, attempts]).toEqual([path.join(runs.a.folder, "cot"), 8]);
    expect(card).toEqual(JSON.parse(readFileSync(at("a", "data-card.json"), "utf8")));
    expect(card).toMatchObject({
      teacher: server.baseUrl,
      images: 4,
      records: 4,
      acceptance_rate: 1,
      skipped: 0,
      requests: { sent: 13, retries: 5, from_cache: 0 },
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
    expect(textOf(server.requests[12])).toMatch(/were found in the image: (orange|white) fur; black legs\./);
    for (const text of [out, err, ...everything("a")]) expect(text).not.toContain(KEY);

    const again = await capture(run, args(server.baseUrl, "a"));
    expect(server.requests).toHaveLength(13);
    expect(again.out).toBe(`${path.join(runs.a.folder, "cot")}: 4 records of 8 attempts; rejected: wrong answer 4\n`);
    expect(readSharegpt(at("a", "records.json"))).toEqual(records);
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
    const all = args(server.baseUrl, "killed");
    const child = spawn(process.execPath, ["--import", "tsx", path.join(root, "cli/fine-r1.ts"), "cot", ...all], {
      cwd: root,
      stdio: "ignore",
      env: { ...process.env, OPENAI_API_KEY: KEY },
    });
    const ended = new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
    await hanging;
    const cached = (): number =>
      everything("killed").filter((text) => text.includes("fur") || text.includes("think")).length;
    while (cached() < 7) await new Promise((resolve) => setTimeout(resolve, 50)); // the three beside it are finished
    child.kill("SIGKILL");
    expect(await ended).toBe("SIGKILL");
    expect(existsSync(at("killed", "records.json"))).toBe(false);
    const before = server.requests.length;
    hangs = false;
    expect((await capture(run, all)).code).toBe(0);
    const keys = server.requests.map((request) => `${textOf(request).slice(0, 7)} ${imageIn(request)}`);
    expect(keys.length).toBe(9); // eight, and the one that hung
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual(["Questio red fox 2"]);
    expect(before).toBeGreaterThanOrEqual(5); // four descriptions, and the one that hung
    expect(readSharegpt(at("killed", "records.json"))).toHaveLength(4);
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
    expect(err).toMatch(/photos\/train\/red_fox\/3\.png: no rationale: .*400 image too small/);
    expect(out).toMatch(/: 3 records of 6 attempts; rejected: wrong answer 3\n$/);
    expect(readSharegpt(at("skip", "records.json")).map(({ image }) => image)).not.toContain(
      "photos/train/red_fox/3.png",
    );
  });

  it("keeps nothing where nothing passes, and says so", async () => {
    const server = await chatServer((request) =>
      textOf(request).startsWith("Look at") ? teach(request) : { texts: ["<think>cut"], finish: "length" },
    );
    const { code, out, err } = await capture(run, args(server.baseUrl, "none", "--set", "cot.rationalesPerImage=1"));
    expect([code, err.replace(/.*[█░].*\n/g, "")]).toEqual([1, "cot: no record was kept; the data card says why\n"]);
    expect(out).toMatch(/rejected: cut off 4/);
  });

  it.each([
    [["--teacher", "http://127.0.0.1/v1", "--benchmark", "/nowhere"], /\/nowhere/],
    [["--teacher", "http://127.0.0.1/v1", "--benchmark", photos, "--model", "none"], /none: no config\.json there/],
    [["--teacher", "nowhere.json", "--benchmark", photos], /nowhere\.json/],
    [["--teacher", "http://me:secret@127.0.0.1/v1", "--benchmark", photos], /no user, password or query/],
    [["--set", "cot.match=half"], /setting cot\.match=half: expected one of exact, substring/],
  ])("exits 1 on %j", async (wrong, message) => {
    const { code, out, err } = await capture(run, [...wrong, "--run", runs.none.name, "--similarity", "names"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(message);
    expect(err).not.toContain("secret");
  });
});
