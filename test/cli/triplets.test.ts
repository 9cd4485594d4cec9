/** `triplets`: parquet rows that Stage 2 reads, of seen sub-categories only. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { openExperiment } from "../../lib/experiment/open";
import { rlBench } from "../../lib/experiment/rl";
import { loadSettings } from "../../lib/experiment/load-settings";
import { readStage2 } from "../../lib/formats/stage2";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";
import { capture, command } from "./capture";
import { temporaryRun } from "./runs";

const run = command("triplets");
const folder = temporaryFolder();
const root = path.join(folder, "birds");
const trial = temporaryRun("triplets");
const names = ["auk", "crane", "egret", "heron", "jay"];
const seen = ["auk", "crane", "egret"];

beforeAll(async () => {
  for (const [i, name] of names.entries())
    for (const n of [0, 1, 2]) {
      const background = { r: 50 * i, g: 80 * n, b: 90 };
      const image = sharp({ create: { width: 20 + 4 * n, height: 24, channels: 3, background } });
      writeTree(root, {
        [`${n === 2 ? "test" : "train"}/${name}/${n}.png`]: new Uint8Array(await image.png().toBuffer()),
      });
    }
  writeTree(root, { "split.json": JSON.stringify({ seen, unseen: ["heron", "jay"] }) });
});

describe("triplets", () => {
  const args = (...more: string[]): string[] => [
    "--benchmark",
    root,
    "--similarity",
    "names",
    "--run",
    trial.name,
    ...more,
  ];

  it("writes a row for every training image of the seen, and says where it is already", async () => {
    const { code, out, err } = await capture(run, args("--json"));
    const file = path.join(trial.folder, "triplets.parquet");
    expect([code, JSON.parse(out)]).toEqual([0, { out: file, rows: 6, left_out: 0 }]);
    expect(err).not.toMatch(/left out/);
    const { rows } = await readStage2(file, "stop", { decode: true });
    expect(rows.map(({ answer }) => answer.toLowerCase()).sort()).toEqual(seen.flatMap((name) => [name, name]));
    for (const { problem, answer, anchor, positive, negative } of rows) {
      const own = new RegExp(`^birds/train/${answer}/`, "i");
      expect([problem.startsWith("<image>"), anchor.path]).toEqual([true, expect.stringMatching(own)]);
      expect([positive.path, positive.path === anchor.path]).toEqual([expect.stringMatching(own), false]);
      expect(negative.path).toMatch(/^birds\/train\/(auk|crane|egret)\//);
      expect(negative.path).not.toMatch(own);
    }
    expect(await capture(run, args())).toMatchObject({
      code: 1,
      err: expect.stringMatching(/is there already; --restart/) as string,
    });
    expect((await capture(run, args("--restart"))).out).toMatch(/: 6 rows, 0 left out\n$/);
  });

  it("writes random negatives where they are asked for, never of the anchor's sub-category or an unseen one", async () => {
    const place = path.join(folder, "random.parquet");
    const met = new Set<string>();
    for (const seed of ["0", "1", "2"]) {
      const set = ["--set", "rl.contrastImage=random", "--set", `seed=${seed}`, "--restart"];
      expect((await capture(run, args("--out", place, ...set))).code).toBe(0);
      for (const { anchor, negative } of (await readStage2(place, "stop", { decode: true })).rows) {
        const [own, other] = [anchor.path, negative.path].map((of) => of!.split("/")[2]);
        expect([seen.includes(other), other === own]).toEqual([true, false]);
        met.add(`${own} ${other}`);
      }
    }
    expect(met.size).toBe(6); // of each of three both others
    const experiment = await openExperiment(
      loadSettings({
        set: [`benchmark=${root}`, "similarity=names", `triplets=${place}`, "rl.contrastImage=random"],
        environment: {},
      }),
    );
    await expect(rlBench(experiment)).rejects.toThrow(
      /rl\.contrastImage=random: the negatives of triplets=.*random\.parquet are the file's own; write another/,
    );
    experiment.close();
  });

  it("stops at an image that cannot be read, or leaves it out and counts it", async () => {
    writeTree(root, { "train/auk/0.png": "no image" });
    const place = path.join(folder, "bad.parquet");
    const stopped = await capture(run, args("--out", place));
    expect(stopped).toMatchObject({ code: 1, err: expect.stringMatching(/auk\/0\.png/) as string });
    expect(existsSync(place)).toBe(false);
    const { code, out } = await capture(run, args("--out", place, "--on-bad-row", "skip", "--json"));
    const { rows, left_out } = JSON.parse(out) as { rows: number; left_out: number };
    expect([code, rows + left_out]).toEqual([2, 6]);
    expect(rows).toBeLessThan(5); // at least the two rows of auk
    expect((await readStage2(place, "stop", { decode: true })).rows).toHaveLength(rows);
  });
});
