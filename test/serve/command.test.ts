/** The command `serve` as a process of its own, and this project's clients against it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TeacherCard } from "../../lib/cot/teacher-card";
import type { LoggedRow } from "../../lib/eval/prediction-log";
import type { RlLog } from "../../lib/train/rl-log";
import { root } from "../../tools/environment";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";
import { capture, command } from "../cli/capture";
import { temporaryRun } from "../cli/runs";
import { clientOf, fixture, imageFile, modelDir } from "./served";

const folder = temporaryFolder();
const run = temporaryRun("cot-serve");
const rollouts = temporaryRun("rl-serve");
/** The shipped model, which has words for what it sees. */
const base = path.join(root, "data/base");

interface Started {
  child: ChildProcess;
  baseUrl: string;
  /** What it has written so far. */
  output(): string;
  /** Its exit code after a signal. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts `serve` on a free port. */
async function start(args: string[], environment: Record<string, string> = {}): Promise<Started> {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", path.join(root, "cli/fine-r1.ts"), "serve", "--port", "0", ...args],
    { cwd: root, env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  const listen = (chunk: Buffer): void => void (output += chunk.toString());
  child.stdout.on("data", listen);
  child.stderr.on("data", listen);
  const exit = once(child, "exit") as Promise<[number | null]>;
  const address = (): string | undefined => /http:\/\/\S+\/v1/.exec(output)?.[0];
  const ready = async (): Promise<void> => {
    while (address() === undefined) await wait(50);
  };
  await Promise.race([
    ready(),
    exit.then(([code]) => Promise.reject(new Error(`serve ended with ${code}: ${output}`))),
  ]);
  return {
    child,
    baseUrl: address()!,
    output: () => output,
    end: async (signal) => {
      child.kill(signal);
      return (await exit)[0];
    },
  };
}

describe("fine-r1 serve", () => {
  let server: Started;
  beforeAll(async () => {
    server = await start(["--model", base, "--model-name", "tiny", "--slots", "4"]);
  });
  afterAll(() => void server.child.kill("SIGKILL"));

  it("evaluate --endpoint: the answers of evaluate --model", async () => {
    const file = path.join(folder, "foxes_seen.jsonl");
    const names = ["square", "ragged", "resized"] as const;
    const options = ["red fox", "wolf", "jackal", "dhole"];
    const rows = names.map((name) => ({
      image_path: path.basename(imageFile(name)),
      question: `What is in ${name}?`,
      options,
      ground_truth: "red fox",
    }));
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const images = path.dirname(imageFile("square"));
    type Row = LoggedRow & { finished?: boolean };
    const evaluate = async (out: string, ...who: string[]): Promise<Row[]> => {
      const whole = path.join(folder, out);
      const asked = ["--benchmark", file, "--setting", "closed", "--images", images, "--max-new-tokens", "12"];
      const { code, err } = await capture(command("evaluate"), [
        ...who,
        ...asked,
        "--prompts",
        "paper",
        "--out",
        whole,
      ]);
      expect([code, err.replace(/.*[█░].*\n/g, "")]).toEqual([0, ""]);
      const lines = readFileSync(whole, "utf8").trimEnd().split("\n");
      return lines.map((line) => JSON.parse(line) as Row).sort((a, b) => a.row - b.row);
    };
    const local = await evaluate("local.jsonl", "--model", base);
    const remote = await evaluate("remote.jsonl", "--endpoint", server.baseUrl, "--model-name", "tiny");
    expect(remote.map(({ output, finished }) => [output, finished])).toEqual(
      local.map(({ output, finished }) => [output, finished]),
    );
    expect(new Set(local.map(({ output }) => output)).size).toBeGreaterThan(1);
  });

  it("cot: a teacher behind its URL describes every image, as often as it is asked", async () => {
    const photos = path.join(folder, "photos");
    for (const [i, name] of ["arctic_fox", "red_fox", "fennec"].entries()) {
      const background = ["red", "lime", "blue"][i];
      const bytes = await sharp({ create: { width: 64, height: 64, channels: 3, background } })
        .png()
        .toBuffer();
      writeTree(photos, {
        "split.json": JSON.stringify({ seen: ["arctic fox", "red fox"], unseen: ["fennec"] }),
        [`train/${name}/1.png`]: bytes,
        [`train/${name}/3.png`]: bytes,
        [`test/${name}/2.png`]: bytes,
      });
    }

    const { err } = await capture(command("cot"), [
      ...["--benchmark", photos, "--model", base, "--similarity", "names", "--run", run.name],
      ...["--teacher", server.baseUrl, "--model-name", "tiny", "--json"],
      ...["shots=2", "cot.images=0", "cot.descriptionsPerImage=8", "cot.maxTokens=4"].flatMap((one) => ["--set", one]),
    ]);
    // a model of 3 million parameters describes what it sees in no form that a teacher's words have
    expect(err).toMatch(/no visual concept in its descriptions[^]*cot: no record was kept; the data card says why\n$/);
    const card = JSON.parse(readFileSync(path.join(run.folder, "cot/data-card.json"), "utf8")) as TeacherCard;
    expect(card).toMatchObject({ images: 4, records: 0, requests: { sent: 4, retries: 0, from_cache: 0 } });
    expect(card.tokens.prompt).toBeGreaterThan(4 * 50);
    expect(card.tokens.completion).toBeGreaterThanOrEqual(4 * 8); // eight descriptions of each image
    expect(card.tokens.completion).toBeLessThanOrEqual(4 * 8 * 4);
  });

  it("ends with exit code 0 on Ctrl-C, and tells who waits for an answer", async () => {
    const client = clientOf(server.baseUrl);
    const stream = await client.chat.completions.create({
      model: "tiny",
      messages: [{ role: "user", content: "Hello" }],
      max_tokens: 1900,
      stream: true,
      ...{ ignore_eos: true },
    });
    const ending: Promise<number | null>[] = [];
    const read = async (): Promise<void> => {
      for await (const event of stream)
        if (event.choices.length > 0 && ending.length === 0) ending.push(server.end("SIGINT"));
    };
    await expect(read()).rejects.toThrow(/being shut down/);
    expect(await ending[0]).toBe(0);
    expect(server.output()).toMatch(
      /tiny at http:\/\/127\.0\.0\.1:\d+\/v1; Ctrl-C ends it\nending; requests cut off: 1\n$/,
    );
  });
});

describe("fine-r1 serve with an adapter and a key", () => {
  it("serves the adapted model to those who have the key, which it never prints", async () => {
    const key = "sk-serve-fedcba9876543210";
    const adapter = path.join(fixture, "adapters/attention");
    const server = await start(["--model", modelDir, "--adapter", adapter], { FINE_R1_SERVE_KEY: key });
    try {
      const asked = {
        model: "model",
        messages: [{ role: "user" as const, content: "Which is larger?" }],
        max_tokens: 8,
        temperature: 0,
        ...{ ignore_eos: true, repetition_penalty: 1 },
      };
      await expect(clientOf(server.baseUrl, "wrong").chat.completions.create(asked)).rejects.toThrow(
        /missing or wrong/,
      );
      const reply = await clientOf(server.baseUrl, key).chat.completions.create(asked);
      const { out } = await capture(command("generate"), [
        ...["--model", modelDir, "--adapter", adapter, "--prompt", "Which is larger?", "--max-new-tokens", "8"],
        ...["--temperature", "0", "--ignore-eos", "--repetition-penalty", "1", "--json"],
      ]);
      expect(reply.choices[0].message.content).toBe((JSON.parse(out) as { text: string }).text);
      expect(server.output()).not.toContain(key);
    } finally {
      expect(await server.end("SIGTERM")).toBe(0);
    }
  });

  it.each([
    [["--model", modelDir, "--weights", "/nowhere"], /\/nowhere: there is no such folder \(--weights\)/],
    [["--model", "/nowhere"], /\/nowhere/],
    [
      ["--model", modelDir, "--port", "70000"],
      /--port is "70000"; expected a whole number of at least 0 and of at most 65535/,
    ],
    [["--model", modelDir, "--slots", "0"], /--slots is "0"/],
    [["--port", "0"], /--model is missing/],
  ])("exits 1 on %j", async (args, message) => {
    const { code, err } = await capture(command("serve"), args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});

describe("fine-r1 rl --rollouts", () => {
  const rl = (url: string, weights: string, ...more: string[]) =>
    capture(command("rl"), [
      ...["--scale", "smoke", "--start", "base", "--method", "tapo", "--run", rollouts.name, "--model", base],
      ...["--rollouts", url, "--rollout-model", "policy", "--rollout-weights", weights],
      ...["rl.steps=3", "rl.pushEvery=2", "lora.rank=4", ...more].flatMap((one) => ["--set", one]),
    ]);

  it("says that the folder of weights is missing, or that no server answers, before it trains", async () => {
    for (const [weights, message] of [
      [
        "/nowhere",
        /\/nowhere: there is no such folder \(rl\.rolloutWeights\); make it; .*serve is started with --weights/,
      ],
      [folder, /rollouts at http:\/\/127\.0\.0\.1:9\/v1, model policy: /],
    ] as const) {
      const { code, err } = await rl("http://127.0.0.1:9/v1", weights);
      expect(code).toBe(1);
      expect(err).toMatch(message);
    }
  });

  it("trains an adapter on what a server samples, and says in its log how stale that was", async () => {
    const weights = path.join(folder, "weights");
    mkdirSync(weights);
    const server = await start(["--model", base, "--model-name", "policy", "--weights", weights]);
    try {
      const { code, err } = await rl(server.baseUrl, weights, "rl.whenNoGroupSurvives=keep-all");
      expect([code, err.replace(/.*[█░].*\n/g, "")]).toEqual([0, ""]);
      const lines = readFileSync(path.join(rollouts.folder, "logs/tapo.jsonl"), "utf8").trimEnd().split("\n");
      const log = lines.map((line) => JSON.parse(line) as RlLog);
      expect(log.map(({ staleness }) => staleness)).toEqual([0, 1, 0]);
      for (const { importance } of log) expect(Math.abs(importance! - 1)).toBeLessThan(0.05);
      expect(readdirSync(weights)).toEqual([`${rollouts.name}-tapo-step-2`]);
      expect(readdirSync(path.join(weights, `${rollouts.name}-tapo-step-2`))).toContain("adapter_model.safetensors");
    } finally {
      expect(await server.end("SIGINT")).toBe(0);
    }
  });
});
