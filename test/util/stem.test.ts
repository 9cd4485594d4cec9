import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { dataFolder } from "../../lib/benchmark/emoji-fgvr/paths";
import { sharesStem, stem } from "../../lib/util/stem";

describe("stem", () => {
  it("strips endings and undoubles consonants", () => {
    expect(["trains", "training", "stopped", "puppies", "glass"].map(stem)).toEqual([
      "train",
      "train",
      "stop",
      "pup",
      "glass",
    ]);
  });
});

describe("sharesStem", () => {
  const cases: [string, string, boolean][] = [
    ["trains", "bullet train", true],
    ["trained", "high speed train", true],
    ["railing", "light rail", true],
    ["snouthorn", "pig nose", false],
    ["nosehorn", "pig nose", true],
    ["truckcab", "delivery truck", true],
    ["lowcar", "railway car", true],
    ["carbody", "racing car", true],
    ["hats", "top hat", true],
    ["heel", "high heeled shoe", true],
    ["headlights", "light rail", true],
    ["antennae", "ant", false],
    ["stripes", "strawberry", false],
    ["threebands", "antigua and barbuda", false],
    ["wheels", "motor scooter", false],
  ];
  it.each(cases)("%s / %s", (word, name, expected) => {
    expect(sharesStem(word, [name]) !== null).toBe(expected);
  });

  it("names the culprit", () => {
    expect(sharesStem("boats", ["canoe", "motor boat"])).toBe("motor boat");
  });
});

describe("visual-words.json", () => {
  const file = path.join(dataFolder(), "visual-words.json");
  const table = JSON.parse(readFileSync(file, "utf8")) as Record<string, Record<string, string[]>>;
  const words = Object.values(table).flatMap((entries) => Object.values(entries).flat());

  it("shares no stem with a name of the same domain", () => {
    const found: string[] = [];
    for (const [domain, entries] of Object.entries(table))
      for (const [name, own] of Object.entries(entries))
        for (const word of own) {
          const other = sharesStem(word, Object.keys(entries));
          if (other !== null) found.push(`${domain}: "${word}" of "${name}" / "${other}"`);
        }
    expect(found).toEqual([]);
  });

  it("has 3 to 5 different single words an entry, and no two alike in a domain", () => {
    for (const entries of Object.values(table)) {
      const sets = Object.values(entries).map((own) => [...own].sort().join(" "));
      expect(new Set(sets).size).toBe(sets.length);
      for (const own of Object.values(entries)) {
        expect(own.length).toBeGreaterThanOrEqual(3);
        expect(own.length).toBeLessThanOrEqual(5);
        expect(new Set(own).size).toBe(own.length);
        for (const word of own) expect(word).toMatch(/^[a-z]+$/);
      }
    }
  });

  it("is a shared vocabulary: most words recur", () => {
    const counts = new Map<string, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    expect(counts.size).toBeLessThan(200);
    expect([...counts.values()].filter((n) => n === 1).length).toBeLessThan(0.2 * counts.size);
  });
});
