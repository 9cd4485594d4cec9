/** The Python reward of an export against lib/reward, on responses of every kind. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadSettings } from "../../lib/experiment/load-settings";
import { writeReward } from "../../lib/export/reward-files";
import { readStage1 } from "../../lib/formats/stage1";
import { stage1Answer } from "../../lib/formats/stage1";
import { reward } from "../../lib/reward";
import { readJsonl } from "../../lib/util/files";
import { repositoryRoot } from "../../lib/util/root";

interface Case {
  response: string;
  truth: string;
  /** Names of its domain; null for inclusion alone. */
  names: string[] | null;
}

const DRIVER = `
import json, sys
sys.path.insert(0, sys.argv[1])
import reward
print(json.dumps([reward.reward(c["response"], c["truth"], c["names"]) for c in json.load(sys.stdin)]))
`;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "fine-r1-reward-"));
  writeReward(folder, loadSettings({ scale: "smoke" }), { birds: ["robin", "European robin"], flowers: ["lily"] });
});
afterAll(() => rmSync(folder, { recursive: true }));

const python = (code: string, input: unknown): unknown =>
  JSON.parse(
    execFileSync("python3", ["-c", code, folder], {
      input: JSON.stringify(input),
      encoding: "utf8",
      maxBuffer: 2 ** 28,
      stdio: "pipe",
    }),
  );
const inPython = (cases: readonly Case[]): unknown => python(DRIVER, cases);
const here = (cases: readonly Case[]): unknown =>
  cases.map(({ response, truth, names }) => reward(response, truth, names ? { strict: true, names } : {}));

const NAMES = ["fire lily", "lily", "Boeing 737-800", "737", "Café_au_lait", "İzmir bird", "ΣΑΣ", "a/b", " ", "\ufeff"];
const PIECES = [
  ..."<think> </think> <answer> </answer> < answer > </ answer> \n \t \u00a0 \u2028 \u0085 \ufeff \u001c".split(" "),
  "cafe\u0301 au lait",
  "x",
  "_",
  "<",
  "/",
  ">",
  ...NAMES,
];
const truths = NAMES.filter((name) => name.trim() !== "");

describe("reward.py", () => {
  it("gives what lib/reward gives for the released records, right, wrong, cut and listing", () => {
    const { records } = readStage1(path.join(repositoryRoot(), "data/released/stage1/Fine-R1-Stage1-data.json"));
    const names = [...new Set(records.map(({ assistant }) => stage1Answer(assistant)))];
    const cases = records.flatMap(({ assistant }, i): Case[] => {
      const [truth, other] = [names.indexOf(stage1Answer(assistant)), (i * 7) % names.length].map((at) => names[at]);
      return [
        { response: assistant, truth, names: null },
        { response: assistant, truth: other, names },
        { response: assistant.slice(0, -4), truth, names },
        { response: assistant.replace("</answer>", `, or ${other}</answer>`), truth, names },
        { response: ` ${assistant.replace(/</g, " < ").toUpperCase()}`, truth, names: null },
      ];
    });
    const expected = here(cases) as { overall: number }[];
    expect(inPython(cases)).toEqual(expected);
    expect(new Set(expected.map(({ overall }) => overall)).size).toBeGreaterThan(2);
  }, 60_000);

  it("gives what lib/reward gives for the released questions' names as truths", () => {
    const rows = readJsonl<{ ground_truth: string; options: string[] }>(
      path.join(repositoryRoot(), "data/released/eval/flower_unseen.jsonl"),
    ).slice(0, 300);
    const cases = rows.flatMap(({ ground_truth: truth, options }): Case[] =>
      options.map((option) => ({ response: `<think>a</think>\n<answer> ${option} </answer>`, truth, names: options })),
    );
    expect(inPython(cases)).toEqual(here(cases));
  });

  it("gives what lib/reward gives for texts made of tags, blanks and names", () => {
    const response = fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((pieces) => pieces.join(""));
    const one = fc.record({
      response: fc.oneof(
        response,
        response.map((text) => `<think>${text}</think> <answer>${text}</answer>`),
        fc.string({ unit: "grapheme" }),
      ),
      truth: fc.constantFrom(...truths),
      names: fc.option(fc.subarray(NAMES, { minLength: 1 })),
    });
    const cases = fc.sample(one, { numRuns: 3000, seed: 20260207 });
    const expected = here(cases) as { accuracy: number }[];
    expect(inPython(cases)).toEqual(expected);
    expect(expected.some(({ accuracy }) => accuracy === 1)).toBe(true);
  }, 60_000);

  it("serves TRL and EasyR1 by what reward.json counts", () => {
    const code = `
import json, sys
sys.path.insert(0, sys.argv[1])
import reward
texts = json.load(sys.stdin)
trl = [[{"role": "assistant", "content": text}] for text in texts]
truths = ["robin"] * len(texts)
print(json.dumps([
    reward.accuracy_reward(completions=trl, ground_truth=truths, domain=["birds"] * len(texts), prompts=None),
    reward.format_reward(completions=trl),
    reward.compute_score([dict(response=text, ground_truth="robin", response_length=3) for text in texts]),
]))`;
    const texts = ["<think>a</think><answer>robin</answer>", "<answer>European robin</answer>", "robin"];
    const [accuracy, format, scores] = python(code, texts) as [number[], number[], { overall: number }[]];
    expect(accuracy).toEqual([1, 0, 0]); // strict: "European robin" is another name
    expect(format).toEqual([1, 0, 0]);
    expect(scores).toEqual(
      texts.map((text) => reward(text, "robin", { strict: true, names: ["robin", "European robin"] })),
    );
  });

  it("refuses an empty truth, which every answer contains", () => {
    expect(() => inPython([{ response: "", truth: " ", names: null }])).toThrow(/ground truth is empty/);
  });
});
