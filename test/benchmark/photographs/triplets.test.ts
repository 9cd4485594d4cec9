import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fewShots, readFolders, type SetImage } from "../../../lib/benchmark/photographs";
import { embeddingSimilarity, photoTriplets, tripletRows } from "../../../lib/benchmark/photographs/triplets";
import { readStage2, writeStage2 } from "../../../lib/formats/stage2";
import { tf } from "../../../lib/engine/tensorflow";
import { disposeTree } from "../../../lib/engine/tree";
import { loadModel } from "../../../lib/model/checkpoint";
import { encodeImages } from "../../../lib/model/vision";
import { visionInputs, visionPlan } from "../../../lib/model/vision-plan";
import { loadProcessor } from "../../../lib/processor/processor";
import { createVisionEmbedder } from "../../../lib/rollout/vision-embedder";
import { capture, command } from "../../cli/capture";

const run = command("triplets");
import { temporaryFolder, writeTree } from "./trees";

const folder = temporaryFolder();
const shot = (name: string, n: number): SetImage => ({ path: `${name}/${n}.jpg`, name, portion: "train" });
const fixture = path.join(__dirname, "../../fixtures/parity/fixture-tied");
const photos = path.join(folder, "photos");

beforeAll(async () => {
  for (const [k, name] of ["fox", "wolf", "zebra"].entries())
    for (const n of [1, 2, 3]) {
      const bytes = await sharp({
        create: { width: 20 + 4 * n, height: 16 + 4 * k, channels: 3, background: { r: 80 * k, g: 40 * n, b: 200 } },
      })
        .jpeg()
        .toBuffer();
      writeTree(photos, { [`train/${name}/${n}.jpg`]: bytes });
    }
});

describe("embeddingSimilarity", () => {
  it("is the cosine of mean unit vectors, worked by hand", () => {
    // a: (1,0) and (0,2) -> mean direction (1,1)/sqrt 2; b: (3,0) -> (1,0); c: (-1,-1)
    const similarity = embeddingSimilarity(
      [shot("a", 1), shot("a", 2), shot("b", 1), shot("c", 1)],
      [
        [1, 0],
        [0, 2],
        [3, 0],
        [-1, -1],
      ],
    );
    expect(similarity("a", "b")).toBeCloseTo(Math.SQRT1_2, 12);
    expect(similarity("a", "c")).toBeCloseTo(-1, 12);
    expect(similarity("b", "a")).toBe(similarity("a", "b"));
  });
  it("refuses what gives no direction", () => {
    expect(() => embeddingSimilarity([shot("a", 1)], [[0, 0]])).toThrow(/a\/1\.jpg: its embedding has length 0/);
    expect(() => embeddingSimilarity([shot("a", 1)], [[NaN, 0]])).toThrow(/length NaN/);
    expect(() => embeddingSimilarity([shot("a", 1), shot("a", 2)], [[1, 0], [1]])).toThrow(
      /a\/2\.jpg has 1 values, others 2/,
    );
    expect(() => embeddingSimilarity([shot("a", 1)], [])).toThrow(/0 vectors for 1 images/);
    expect(() => embeddingSimilarity([shot("a", 1)], [[1]])("a", "b")).toThrow(/no image of "b"/);
  });
});

describe("photoTriplets", () => {
  const shots = ["fox", "wolf", "zebra"].flatMap((name) => [1, 2, 3].map((n) => shot(name, n)));
  const vectors = shots.map(({ name }) => ({ fox: [1, 0], wolf: [0.9, 0.4], zebra: [0, 1] })[name]!);
  const similarity = embeddingSimilarity(shots, vectors);
  it("positive: another image of the sub-category; negative: of the most similar other one", () => {
    const triplets = photoTriplets(shots, similarity, 3);
    expect(triplets.map(({ anchor }) => anchor)).toEqual(shots);
    for (const { anchor, positive, negative } of triplets) {
      expect([positive.name, positive.path === anchor.path]).toEqual([anchor.name, false]);
      expect(negative.name).toBe({ fox: "wolf", wolf: "fox", zebra: "wolf" }[anchor.name]);
    }
    expect(photoTriplets([...shots].reverse(), similarity, 3).find(({ anchor }) => anchor === shots[4])).toEqual(
      triplets[4],
    ); // draws don't depend on the others
    expect(photoTriplets(shots, similarity, 4)).not.toEqual(triplets);
    expect(new Set(triplets.map(({ negative }) => negative.path)).size).toBeGreaterThan(2);
  });
  it("needs two images and two sub-categories", () => {
    expect(() => photoTriplets([shot("fox", 1), shot("wolf", 1), shot("wolf", 2)], () => 0, 0)).toThrow(
      /"fox" has one image alone/,
    );
    expect(() => photoTriplets([shot("fox", 1), shot("fox", 2)], () => 0, 0)).toThrow(/"fox" is the one sub-category/);
  });
});

describe("tripletRows", () => {
  it("reads the bytes and gives both others the anchor's size; parquet brings them back", async () => {
    const set = readFolders(photos);
    const triplets = photoTriplets(fewShots(set, set.names, { count: 3 }), () => 0, 1);
    const { rows, skipped } = await tripletRows(set, triplets, "What is it?");
    expect([rows.length, skipped]).toEqual([9, []]);
    const file = path.join(folder, "t.parquet");
    writeStage2(file, rows);
    const { rows: back } = await readStage2(file);
    for (const [i, { problem, answer, anchor, positive, negative }] of back.entries()) {
      expect([problem, answer]).toEqual(["<image>What is it?", triplets[i].anchor.name]);
      expect(Buffer.from(anchor.bytes)).toEqual(readFileSync(path.join(photos, triplets[i].anchor.path)));
      expect([positive.path, negative.path]).toEqual([
        `photos/${triplets[i].positive.path}`,
        `photos/${triplets[i].negative.path}`,
      ]);
      const sizes = await Promise.all(
        [anchor, positive, negative].map(async ({ bytes }) =>
          sharp(bytes)
            .metadata()
            .then(({ width, height }) => [width, height]),
        ),
      );
      expect([sizes[1], sizes[2]]).toEqual([sizes[0], sizes[0]]);
    }
  });
  it("names the triplet whose image is missing or broken, or skips and counts it", async () => {
    const root = writeTree(path.join(folder, "broken"), {
      "train/a/1.jpg": readFileSync(path.join(photos, "train/fox/1.jpg")),
      "train/a/2.jpg": "no image",
    });
    const set = readFolders(root);
    const [good, bad] = set.images;
    const lost = { ...good, path: "train/a/3.jpg" };
    const triplets = [
      { anchor: good, positive: bad, negative: good },
      { anchor: good, positive: good, negative: lost },
      { anchor: good, positive: good, negative: good },
    ];
    await expect(tripletRows(set, triplets, "?")).rejects.toThrow(
      /triplet of train\/a\/1\.jpg \(positive train\/a\/2\.jpg.*unsupported/,
    );
    const { rows, skipped } = await tripletRows(set, triplets, "?", "skip");
    expect([rows.length, skipped.length]).toEqual([1, 2]);
    expect(skipped[1].reason).toMatch(/3\.jpg: the image is missing/);
  });
});

describe("createVisionEmbedder", () => {
  const { config, params } = loadModel(path.join(fixture, "model"));
  const processor = loadProcessor(path.join(fixture, "model"));
  afterAll(() => disposeTree(params));
  it("is the mean of the tower's features, for images of any size, and leaves nothing behind", async () => {
    const files = ["square", "ragged"].map((name) => path.join(fixture, "images", `${name}.png`));
    const embed = createVisionEmbedder(params, config, processor);
    const before = tf.memory().numTensors;
    const vectors = await embed(files);
    expect(tf.memory().numTensors).toBe(before);
    const { pixelValues, grid } = await processor.image(files[1]);
    const expected = tf.tidy(() => {
      const plan = visionPlan(config, [grid]);
      const features = encodeImages(
        params,
        config,
        tf.tensor2d(pixelValues, [plan.patches, pixelValues.length / plan.patches]),
        visionInputs(plan),
      ).arraySync();
      return features[0].map((_, d) => features.reduce((sum, row) => sum + row[d], 0) / features.length);
    });
    expect(vectors.map((vector) => vector.length)).toEqual([config.text.hiddenSize, config.text.hiddenSize]);
    expected.forEach((x, d) => expect(vectors[1][d]).toBeCloseTo(x, 4));
  });
});

describe("triplets", () => {
  const args = (out: string, ...more: string[]): string[] => [
    "--benchmark",
    photos,
    "--shots",
    "3",
    "--out",
    path.join(folder, out),
    ...more,
  ];
  it("by the model's vision tower and by names, chosen in one setting", async () => {
    expect(
      await capture(run, args("m.parquet", "--similarity", "model", "--model", path.join(fixture, "model"), "--json")),
    ).toEqual({
      code: 0,
      out: `${JSON.stringify({ out: path.join(folder, "m.parquet"), rows: 9, skipped: 0 })}\n`,
      err: "",
    });
    expect((await capture(run, args("n.parquet", "--similarity", "names"))).out).toMatch(
      /n\.parquet: 9 rows, 0 skipped\n/,
    );
    const { rows } = await readStage2(path.join(folder, "m.parquet"));
    expect(
      rows.every(
        ({ answer, positive, negative }) =>
          positive.path!.includes(`/${answer}/`) && !negative.path!.includes(`/${answer}/`),
      ),
    ).toBe(true);
  });
  it("does not write over a file, unless told", async () => {
    const out = path.join(folder, "there.parquet");
    writeFileSync(out, "somebody's");
    const again = args("there.parquet", "--similarity", "names");
    expect(await capture(run, again)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/there\.parquet: is there already; .*--restart/) as string,
    });
    expect(readFileSync(out, "utf8")).toBe("somebody's");
    expect((await capture(run, [...again, "--restart"])).code).toBe(0);
    expect((await readStage2(out)).rows).toHaveLength(9);
  });
  it("skips what does not decode when told, with the count", async () => {
    const whole = readFileSync(path.join(photos, "train/fox/1.jpg"));
    const root = writeTree(path.join(folder, "cut"), {
      "train/a/1.jpg": whole,
      "train/a/2.jpg": whole,
      "train/b/1.jpg": whole,
      "train/b/2.jpg": whole.subarray(0, whole.length - 60),
      "train/c/1.jpg": whole,
      "train/c/2.jpg": whole,
    });
    const cut = [
      "--benchmark",
      root,
      "--shots",
      "2",
      "--similarity",
      "model",
      "--model",
      path.join(fixture, "model"),
      "--out",
      path.join(folder, "cut.parquet"),
    ];
    expect(await capture(run, cut)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/b\/2\.jpg: cannot be decoded .*data check --decode/) as string,
    });
    const { code, out, err } = await capture(run, [...cut, "--on-bad-row", "skip"]);
    expect([code, err.trimEnd().split("\n").length]).toEqual([2, 2]);
    expect(err).toMatch(/cut\/train\/b\/1\.jpg: skipped: no other image of its sub-category is left/);
    expect(out).toMatch(/4 rows, 2 skipped/);
  });
  it.each([
    [["--benchmark", photos], /--similarity is missing: names\|model\|DIR/],
    [["--benchmark", photos, "--similarity", "model"], /--model belongs to --similarity model/],
    [["--benchmark", photos, "--similarity", photos], /config\.json: no such file/],
    [["--similarity", "names"], /--benchmark is missing/],
    [
      ["--benchmark", photos, "--similarity", "names", "--shots", "1"],
      /--shots is "1"; expected a whole number of at least 2/,
    ],
    [["--benchmark", photos, "--similarity", "names", "--shots", "4"], /"fox" has 3 training images; 4 needed/],
  ])("exits 1 on %j", async (wrong, message) => {
    const { code, err } = await capture(run, wrong);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});
