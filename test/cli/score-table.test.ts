import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { resultsFromCsv } from "../../lib/eval/results";
import { capture, command } from "./capture";

const score = command("score");
const table = command("table");

const folder = mkdtempSync(join(tmpdir(), "commands-"));
afterAll(() => rmSync(folder, { recursive: true }));

const row = {
  image_path: "a.png",
  question: "q",
  options: ["fox", "wolf"],
  ground_truth: "fox",
  output: "<answer>fox</answer>",
};
const file = (name: string, lines: unknown[]): string => {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return path;
};

describe("score", () => {
  const path = file("p.jsonl", [
    row,
    { ...row, output: "<answer>wolf or fox</answer>" },
    "{broken",
    { ...row, output: "" },
    { ...row, output: "fox" },
  ]);

  it("prints exactly n, skipped, substring, exact, listing as JSON", async () => {
    const { code, out, err } = await capture(score, ["--predictions", path, "--setting", "closed", "--json"]);
    expect(code).toBe(2);
    expect(out).toBe('{"n":4,"skipped":1,"substring":0.5,"exact":0.25,"listing":0.25}\n');
    expect(err).toMatch(/p\.jsonl, line 3: skipped: not JSON/);
    const open = await capture(score, ["--predictions", path, "--setting", "open", "--json"]);
    expect(JSON.parse(open.out)).toEqual({ n: 4, skipped: 1, substring: 0.75, exact: 0.5, listing: 0.25 });
  });

  it("keeps a row with NaN as Python's json.dumps writes it, and exits 0 where no line was skipped", async () => {
    const nan = file("nan.jsonl", [
      `${JSON.stringify(row).slice(0, -1)}, "semantic_score": NaN, "loss": -Infinity}`,
      JSON.stringify({ ...row, output: "NaN" }),
    ]);
    const { code, out, err } = await capture(score, ["--predictions", nan, "--setting", "closed", "--json"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe('{"n":2,"skipped":0,"substring":0.5,"exact":0.5,"listing":0}\n');
    const only = await capture(score, ["--predictions", file("bad.jsonl", ["{broken"]), "--setting", "closed"]);
    expect(only.code).toBe(1);
  });

  it("prints for people, with the always-first policy", async () => {
    const { out } = await capture(score, ["--predictions", path, "--setting", "closed"]);
    expect(out).toMatch(/4 rows, 1 skipped\nsubstring 50\.00 %/);
    expect(out).toMatch(/always the first option: substring 100\.00 %/);
  });

  it.each([
    [["--setting", "open"], /--predictions is missing/],
    [["--predictions", path, "--setting", "half"], /--setting is "half"; expected closed or open/],
    [["--predictions", join(folder, "none.jsonl"), "--setting", "open"], /none\.jsonl: cannot be read: no such file/],
    [["--predictions", path, "--setting", "open", "--wrong"], /--wrong/],
    [["--predictions", file("empty.jsonl", []), "--setting", "open"], /no row could be scored/],
  ])("exits 1 on %j", async (args, message) => {
    const { code, err } = await capture(score, args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});

describe("table", () => {
  const prediction = { ...row, method: "sft", seed: 0, domain: "bird", split: "seen", setting: "closed" };
  const rows = ["sft", "tapo"].flatMap((method) =>
    (["closed", "open"] as const).flatMap((setting) =>
      (["seen", "unseen"] as const).map((split) => ({ ...prediction, method, setting, split })),
    ),
  );

  it("writes the CSV, the same bytes again, and prints the table", async () => {
    file("run/a.jsonl", rows);
    const out = join(folder, "results.csv");
    const first = await capture(table, ["--predictions", join(folder, "run"), "--out", out]);
    expect(first.err).toBe("");
    expect(first.code).toBe(0);
    expect(first.out).toMatch(
      /\| method +\| seeds \| +closed seen \| +closed unseen \| +open seen \| +open unseen \| +mean \|/,
    );
    expect(first.out).toMatch(/\| tapo +\| +1 \| +100\.0 \[20\.7, 100\.0\]/);
    const csv = readFileSync(out, "utf8");
    expect(resultsFromCsv(csv).length).toBe(2 * 4 * 2 * 2);
    const printed = await capture(table, ["--predictions", join(folder, "run"), "--csv"]);
    expect(printed.out).toBe(csv);
  });

  it("writes nothing where a line is bad, unless told to leave it out", async () => {
    file("bad/a.jsonl", [...rows, { ...prediction, split: "both" }]);
    const out = join(folder, "bad.csv");
    const { code, err } = await capture(table, ["--predictions", join(folder, "bad"), "--out", out]);
    expect(code).toBe(1);
    expect(err).toMatch(/a\.jsonl, line 9: field "split"/);
    expect(existsSync(out)).toBe(false);
    expect(
      (await capture(table, ["--predictions", join(folder, "bad"), "--out", out, "--on-bad-row", "skip"])).code,
    ).toBe(0);
    expect(existsSync(out)).toBe(true);
  });
  it("adds the baselines beside the predictions where asked, and then writes to --out only", async () => {
    file("with/predictions/a.jsonl", rows);
    const directory = join(folder, "with/predictions");
    expect((await capture(table, ["--predictions", directory, "--baselines"])).err).toMatch(/no directory .*baselines/);
    file("with/baselines/b.jsonl", [{ ...prediction, method: "clip-base", output: "<answer> wolf</answer>" }]);
    expect((await capture(table, ["--predictions", directory])).out).not.toContain("clip-base");
    const { code, out } = await capture(table, ["--predictions", directory, "--baselines"]);
    expect(code).toBe(0);
    expect(out).toMatch(/9 predictions in 2 files/);
    expect(out).toMatch(/\| clip-base +\| +1 \| +0\.0 \[0\.0, 79\.3\]/);
    expect(out).not.toContain("Written");
  });

  it("refuses a run name that is a path, and a run that is not there", async () => {
    expect((await capture(table, ["--run", "../x"])).err).toMatch(/--run is "\.\.\/x"/);
    expect((await capture(table, ["--run", "no-such-run"])).err).toMatch(/no directory .*no-such-run/);
  });
});
