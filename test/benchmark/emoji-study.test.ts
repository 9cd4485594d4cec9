/** The committed world of the study: roles, domains, near-duplicates. */
import { beforeAll, describe, expect, it } from "vitest";
import { ensureDrawings, loadEmojiFgvr, loadImages } from "../../lib/benchmark/emoji-fgvr";
import * as hash from "../../lib/benchmark/emoji-fgvr/hash";
import { openBenchmark } from "../../lib/benchmark/open";

const data = loadEmojiFgvr({ edition: "emoji-study" });
const first = loadEmojiFgvr();
const groups = {
  dev: loadEmojiFgvr({ edition: "emoji-study", only: "dev" }),
  test: loadEmojiFgvr({ edition: "emoji-study", only: "test" }),
};
const ROLES = ["pretraining", "fewshot", "test"] as const;

describe("the study's world", () => {
  it("has at least 450 sub-categories for the test, in domains that the first benchmark lacks", () => {
    expect(groups.test.subcategories().length).toBeGreaterThanOrEqual(450);
    expect(groups.test.domains.filter((domain) => first.domains.includes(domain))).toEqual([]);
    expect(groups.dev.domains).toEqual(first.domains);
    const ids = new Set(first.subcategories().map(({ id }) => id));
    expect(groups.test.subcategories().filter(({ id }) => ids.has(id))).toEqual([]);
    expect(() => loadEmojiFgvr({ edition: "emoji-study", only: "all" })).toThrow(/no group "all".*dev, test/);
  });

  it("gives no designer two roles of one sub-category", () => {
    for (const concept of data.subcategories()) {
      const roleOf = new Map<string, string>();
      for (const role of ROLES)
        for (const { designer } of data.drawings(concept, role)) {
          expect(roleOf.get(designer) ?? role).toBe(role);
          roleOf.set(designer, role);
        }
      expect(data.drawings(concept, "test")).toHaveLength(2);
    }
  });

  it("lets every large designer draw for every role", () => {
    for (const designer of ["noto", "fluent", "twemoji", "openmoji", "emojione", "fxemoji", "streamline"])
      for (const role of ROLES)
        expect(
          data.subcategories().filter((c) => data.drawings(c, role).some((d) => d.designer === designer)).length,
        ).toBeGreaterThan(20);
  });

  it("trains on nothing of an unseen sub-category, and has three fifths of each domain seen", () => {
    for (const domain of data.domains) {
      const own = data.subcategories({ domain });
      const seen = own.filter(({ split }) => split === "seen");
      expect(Math.abs(seen.length - 0.6 * own.length)).toBeLessThanOrEqual(0.5);
    }
  });

  // the first test here that needs the drawings, which it renders where no run has yet
  it("opens by name, each group with its own sub-categories", async () => {
    const dev = await openBenchmark({ benchmark: "emoji-study-dev", shots: 4 });
    expect(dev.name).toBe("emoji-study-dev");
    expect(dev.subcategories().map(({ id }) => id)).toEqual(groups.dev.subcategories().map(({ id }) => id));
    const test = new Set(
      groups.test.subcategories().flatMap((c) => groups.test.drawings(c, "test").map(({ path }) => path)),
    );
    expect([...dev.extras!.pretrainingImages].filter((image) => test.has(image))).toEqual([]);
  }, 300_000);
});

describe("near-duplicates", () => {
  let images: Map<string, hash.HashedImage>;
  const of = (role: (typeof ROLES)[number]): string[] =>
    data.concepts.flatMap((c) => data.drawings(c, role).map(({ path }) => path));

  beforeAll(async () => {
    await ensureDrawings("emoji-study");
    const loaded = await loadImages(ROLES.flatMap(of));
    images = new Map([...loaded].map(([path, image]) => [path, { image, hash: hash.perceptualHash(image) }]));
  }, 300_000);

  it("no test drawing has one among the drawings of training", () => {
    const others = [...of("pretraining"), ...of("fewshot")].map((path) => images.get(path)!);
    const found = of("test").filter((path) => others.some((other) => hash.nearDuplicate(images.get(path)!, other)));
    expect(found).toEqual([]);
  }, 300_000);
});
