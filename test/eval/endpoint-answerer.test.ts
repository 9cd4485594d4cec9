/**
 * `endpointAnswerer` under `runEvaluation`, on a loopback server: what is stored, what is not, and what a stop leaves.
 */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { paperPrompts } from "../../lib/benchmark/prompts";
import type { Question, QuestionSet } from "../../lib/benchmark/types";
import { endpointAnswerer } from "../../lib/eval/answerers";
import { manifestFile, type LoggedRow } from "../../lib/eval/prediction-log";
import { runEvaluation, type RunOptions } from "../../lib/eval/runner";
import { createChatEndpoint } from "../../lib/rollout/chat-endpoint";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";
import { chatServer, textOf, type Act } from "../helpers/chat-server";

const folder = temporaryFolder();
const names = ["a", "b", "c", "d"];
beforeAll(async () => {
  const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  writeTree(folder, Object.fromEntries(names.map((name) => [`${name}.png`, png])));
});
const set: QuestionSet = {
  name: "four",
  skipped: [],
  questions: names.map((name, i): Question => ({
    where: `four.jsonl, line ${i + 1}`,
    image: path.join(folder, `${name}.png`),
    image_path: `${name}.png`,
    question: `What is in ${name}.png?`,
    ground_truth: "fox",
    domain: "d",
    split: "seen",
    setting: "open",
  })),
};
const nameIn = (text: string): string => /in (\w)\.png/.exec(text)![1];
const good: Act = { texts: ["<answer>fox</answer>"] };

/** A run against a server that acts by the image's name. */
async function evaluate(
  acts: Partial<Record<string, Act>>,
  name: string,
  more: Partial<RunOptions> & { signal?: AbortSignal; inFlight?: number } = {},
) {
  const { signal, inFlight = 1, ...options } = more;
  const server = await chatServer((request) => acts[nameIn(textOf(request))] ?? good);
  const warnings: string[] = [];
  const endpoint = createChatEndpoint({
    baseUrl: server.baseUrl,
    model: "toy",
    apiKey: "sk-secret",
    retries: 1,
    timeoutMs: 1000,
    concurrency: inFlight,
    sleep: () => Promise.resolve(),
    onWarning: (message) => warnings.push(message),
  });
  const out = path.join(folder, `${name}.jsonl`);
  const answerer = endpointAnswerer(endpoint, { maxNewTokens: 8, inFlight, baseUrl: "http://same/v1", signal });
  const run = runEvaluation(set, answerer, {
    out,
    method: "toy",
    seed: 0,
    prompts: paperPrompts,
    reason: true,
    maxNewTokens: 8,
    ...options,
  });
  const rows = (): LoggedRow[] =>
    readFileSync(out, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LoggedRow);
  return { server, endpoint, run, out, rows, warnings };
}

describe("endpointAnswerer", () => {
  it.each<[string, Act, RegExp]>([
    ["an error with status 200", { raw: '{"error": {"message": "no pictures", "code": 404}}' }, /404 no pictures$/],
    [
      "a torso",
      { choices: [{ finish_reason: "error", message: { content: "<answer>fox</answer>" } }] },
      /broke choice 0 off \(finish_reason "error"\) \(2 attempts\)$/,
    ],
    [
      "a filter",
      { choices: [{ finish_reason: "content_filter", message: { content: "" } }] },
      /filter withheld the answer/,
    ],
    ["nothing", { choices: [{ finish_reason: "stop", message: { content: null } }] }, /the answer is empty/],
    ["429", { status: 429, headers: { "retry-after": new Date(Date.now() + 5000).toUTCString() } }, /429 injected/],
    ["500", { status: 500 }, /500 injected \(2 attempts\)$/],
    ["a time-out", "hang", /no answer within 1 s \(2 attempts\)$/],
    ["a drip", { drip: 100 }, /no answer within 1 s \(2 attempts\)$/],
    ["headers cut off", "cut in the headers", /Connection error/],
    ["a body cut off", "cut", /\(2 attempts\)$/],
    ["a body without end", { megabytes: 100 }, /larger than 64 MiB .*\(2 attempts\)$/],
    [
      "chunks that are none",
      { wire: "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" },
      /\(2 attempts\)$/,
    ],
    ["the answer to another request", { raw: '{"object": "list", "data": [{"embedding": [1]}]}' }, /no choices/],
  ])(
    "%s is no row: it is named, and the others are there; the next run asks for it alone",
    async (name, act, reason) => {
      const file = name.replace(/\W/g, "-");
      const first = await evaluate({ b: act }, file, { onBadRow: "skip" });
      const { rows, skipped } = await first.run;
      expect(skipped).toEqual([{ where: "four.jsonl, line 2", reason: expect.stringMatching(reason) as string }]);
      expect(rows.map(({ row }) => row)).toEqual([0, 2, 3]);
      expect(first.rows()).toEqual(rows);
      const asked = (of: typeof first): string => of.server.requests.map((request) => nameIn(textOf(request))).join("");
      expect(asked(first)).toMatch(/^ab+cd$/); // nothing else twice
      const second = await evaluate({}, file, { onBadRow: "skip" });
      expect(await second.run).toMatchObject({ resumed: 3, skipped: [] });
      expect(asked(second)).toBe("b");
    },
  );

  it("under stop, names the row and leaves the rows before it", async () => {
    const { run, rows, out } = await evaluate({ c: { status: 403, message: "not you: sk-secret" } }, "stop");
    await expect(run).rejects.toThrow(/^four\.jsonl, line 3: .* 403 not you: \[key\]; mend it/);
    expect(rows().map(({ row }) => row)).toEqual([0, 1]);
    expect(existsSync(`${out}.lock`)).toBe(false);
  });

  it("says in the row and the manifest that thoughts were put back, and what was left out", async () => {
    let first = true;
    const message = { content: "<answer>fox</answer>", reasoning: "Red fur." };
    const server = await chatServer(({ body }) => {
      if (first || "temperature" in body) {
        first = false;
        return { status: 400, message: "temperature is not supported" };
      }
      return { choices: [{ finish_reason: "stop", message }] };
    });
    const endpoint = createChatEndpoint({ baseUrl: server.baseUrl, model: "toy", onWarning: () => undefined });
    const answerer = endpointAnswerer(endpoint, { maxNewTokens: 8, inFlight: 1, baseUrl: server.baseUrl });
    const out = path.join(folder, "thoughts.jsonl");
    const { rows } = await runEvaluation(set, answerer, {
      out,
      method: "toy",
      seed: 0,
      prompts: paperPrompts,
      reason: true,
      maxNewTokens: 8,
    });
    expect(rows[0]).toMatchObject({
      output: "<think>Red fur.</think><answer>fox</answer>",
      thoughts_put_back: true,
      left_out: ["temperature"],
    });
    expect(server.requests).toHaveLength(1 + 4);
    expect(JSON.parse(readFileSync(manifestFile(out), "utf8"))).toMatchObject({
      answerer: { thoughts: "put back as <think>…</think> where the server gives them apart" },
    });
  });

  it("an answer at the limit of tokens is a row, not finished, with text or without", async () => {
    const cut = (content: string): Act => ({ choices: [{ finish_reason: "length", message: { content } }] });
    const { run } = await evaluate({ a: cut("<think>It"), b: cut("") }, "cut");
    const { rows, skipped } = await run;
    expect(skipped).toEqual([]);
    expect(rows.map((row) => [row.output, (row as { finished?: boolean }).finished])).toEqual([
      ["<think>It", false],
      ["", false],
      ["<answer>fox</answer>", undefined],
      ["<answer>fox</answer>", undefined],
    ]);
  });

  it.each(["stop", "skip"] as const)(
    "a signal stops it under %s: no row is called bad, the log is whole, a run goes on",
    async (onBadRow) => {
      const stop = new AbortController();
      const name = `aborted-${onBadRow}`;
      const { run, rows, server, out } = await evaluate({ c: "hang" }, name, {
        onBadRow,
        signal: stop.signal,
        onProgress: (done) => {
          if (done === 2) setTimeout(() => stop.abort(new Error("interrupted")), 100);
        },
      });
      await expect(run).rejects.toThrow(/^interrupted$/);
      expect(rows().map(({ row }) => row)).toEqual([0, 1]);
      expect(server.requests.map((request) => nameIn(textOf(request)))).toEqual(["a", "b", "c"]);
      expect(existsSync(`${out}.lock`)).toBe(false);
      expect(await (await evaluate({}, name, { onBadRow })).run).toMatchObject({
        resumed: 2,
        skipped: [],
        dropped: false,
      });
      const already = await evaluate({}, `${name}-already`, {
        signal: AbortSignal.abort(new Error("before")),
        onBadRow,
      });
      await expect(already.run).rejects.toThrow(/^before$/);
      expect(already.server.requests).toHaveLength(0);
    },
  );

  it("a second run into the same file is refused, and the first goes on", async () => {
    const first = await evaluate({ a: { after: 300 } }, "twice");
    await expect((await evaluate({}, "twice")).run).rejects.toThrow(/twice\.jsonl is in use by .*, since /);
    expect((await first.run).rows).toHaveLength(4);
    expect(first.rows()).toHaveLength(4);
  });
});
