/**
 * Hugging Face transformers' numbers, TRL's masks and the published formulas, from fixtures that tools/parity/run.ts
 * --fixtures writes; no Python needed.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadTokenizer } from "../../lib/processor/tokenizer";
import { violations } from "../../tools/parity/checks";
import { caseChecks, compareCase, compareTokens } from "../../tools/parity/compare";
import { comparePolicy } from "../../tools/parity/compare-policy";
import { compareTraining } from "../../tools/parity/compare-training";

const root = path.join(__dirname, "../fixtures/parity");
const cases = fs.readdirSync(root).filter((name) => name.startsWith("fixture-"));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-parity-test-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

/** A copy of a case with one of its JSON files changed, to see that a comparison can fail. */
function altered(name: string, file: string, change: (json: never) => void): string {
  const dir = path.join(scratch, `${name}-${file}`);
  fs.cpSync(path.join(root, name), dir, { recursive: true });
  const json = JSON.parse(fs.readFileSync(path.join(dir, file), "utf8")) as never;
  change(json);
  fs.writeFileSync(path.join(dir, file), JSON.stringify(json));
  return dir;
}

describe("parity with transformers", () => {
  it("has fixtures of a tied model in one file and an untied bf16 model in shards", () =>
    expect(cases).toEqual(["fixture-tied", "fixture-untied"]));
  it.each(cases)(
    "%s: prompts, positions, pixels, logits and log-probs of all rows in one padded batch",
    async (name) => {
      const report = await compareCase(path.join(root, name));
      expect(report).toMatchObject({ rows: 5, pixels: 0 });
      expect(violations(caseChecks(report))).toEqual([]);
      expect(report.largestLogit).toBeGreaterThan(1);
    },
  );
  it.each(cases)(
    "%s: padding on both sides, 64 greedy tokens, loss, the gradient of every parameter, TRL's assistant masks and loss",
    async (name) => {
      const checks = await compareTraining(path.join(root, name));
      expect(checks).toHaveLength(13);
      expect(violations(checks)).toEqual([]);
    },
  );
  it("300 strings give equal tokens and text", () =>
    expect(compareTokens(path.join(root, "fixture-tied"))).toEqual({ strings: 300, differing: [] }));
  it("Qwen2.5's tokenizer, the merges that 250 strings can need: equal tokens and text, with the published ids", () => {
    const dir = path.join(root, "qwen2.5-tokenizer");
    expect(compareTokens(dir)).toEqual({ strings: 250, differing: [] });
    expect(loadTokenizer(path.join(dir, "model")).encode("<|im_start|>user\nThe image")).toEqual([
      151644, 872, 198, 785, 2168,
    ]);
  });
  it("sees a token, a position, a mask, a loss that are not the reference's", async () => {
    const dir = altered(
      "fixture-untied",
      "training.json",
      (json: {
        loss: number;
        positions: { left: number[][][] };
        greedy: { tokens: number[] }[];
        records: { rows: { assistant_mask: number[] }[] };
      }) => {
        json.loss += 2e-5;
        json.positions.left[0][2][3] += 1;
        json.greedy[1].tokens[40] += 1;
        json.records.rows[0].assistant_mask[0] = 1;
      },
    );
    expect(
      violations(await compareTraining(dir)).map(({ check, worst }) => [
        check.split(":")[0].split(" (")[0],
        worst >= 1,
      ]),
    ).toEqual([
      ["padded on the left", true],
      ["rows of 4 whose greedy tokens differ", true],
      ["SFT loss, |difference|", false],
      ["conversations whose ids or assistant mask differ from TRL's", true],
      ["tokens masked otherwise in the loops here, the turn's newline aside", true],
    ]);
  });
});

describe("parity with the published formulas of RL, in PyTorch", () => {
  const file = path.join(root, "policy.json");
  it("advantages, policy loss with its dual clip, k3, TAPO's loss and their gradients", () => {
    const checks = comparePolicy(file);
    expect(checks).toHaveLength(11);
    expect(violations(checks)).toEqual([]);
  });
  it("sees a wrong one", () => {
    const json = JSON.parse(fs.readFileSync(file, "utf8")) as {
      cases: { paper: { loss: number }; advantages: number[] }[];
    };
    json.cases[3].paper.loss *= 1.001;
    const wrong = path.join(scratch, "policy.json");
    fs.writeFileSync(wrong, JSON.stringify(json));
    expect(violations(comparePolicy(wrong)).map(({ check }) => check)).toEqual(["TAPO loss"]);
  });
});
