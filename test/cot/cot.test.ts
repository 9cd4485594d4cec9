import { describe, expect, it } from "vitest";
import type { Knowledge } from "../../lib/benchmark/emoji-fgvr/knowledge";
import { buildCotData, dataCard, type BuildOptions, type CotRecord, type Observation } from "../../lib/cot/build";
import { conceptStatistics, selectConcepts } from "../../lib/cot/concepts";
import { shuffledRationales } from "../../lib/cot/shuffle";
import { tinyPrompts } from "../../lib/benchmark/prompts";
import { parseRationale } from "../../lib/cot/rationale";
import { sharesStem } from "../../lib/util/stem";

describe("conceptStatistics", () => {
  const statistics = conceptStatistics([
    { concept: "A", words: ["x", "y"] },
    { concept: "A", words: ["x", "x"] },
    { concept: "B", words: ["y"] },
    { concept: "B", words: [] },
  ]);

  it("information, worked by hand", () => {
    // x: P(x|A) = 2.5/3, P(x) = 2.5/5
    const value = (2.5 / 3) * Math.log(5 / 3) + (0.5 / 3) * Math.log(1 / 3);
    expect(value).toBeCloseTo(0.242586, 5);
    expect(statistics.information("A", "x")).toBeCloseTo(value, 10);
    expect(statistics.information("B", "x")).toBeCloseTo(-value, 10); // 0.5/3 against 1/2: speaks against B as much
    expect(statistics.information("A", "y")).toBe(0);
    expect([statistics.information("C", "x"), statistics.information("A", "z")]).toEqual([0, 0]);
    expect(statistics.words).toEqual(["x", "y"]);
  });

  it("redundancy, worked by hand", () => {
    expect(statistics.redundancy("x", "y")).toBeCloseTo(0, 10); // every cell 1.25/5
    expect(statistics.redundancy("x", "x")).toBeCloseTo(0.9 * Math.log(0.45 / 0.25) + 0.1 * Math.log(0.05 / 0.25), 10);
    expect(statistics.redundancy("x", "z")).toBe(0);
  });

  it("needs descriptions", () => expect(() => conceptStatistics([])).toThrow("there are no descriptions"));
});

describe("selectConcepts", () => {
  const statistics = conceptStatistics(
    [
      ["a", "b"],
      ["a", "b", "c"],
      ["a", "b", "c"],
      ["a", "b", "c"],
    ]
      .map((words) => ({ concept: "A", words }))
      .concat([[], [], [], ["c"]].map((words) => ({ concept: "B", words }))),
  );

  it("takes the most informative without a weight, and what adds something with one", () => {
    const words = (weight: number): string[] =>
      selectConcepts(statistics, "A", ["c", "a", "b"], 2, weight).map((k) => k.word);
    expect(words(0)).toEqual(["a", "b"]);
    expect(words(5)).toEqual(["a", "c"]);
  });

  it("reports score = information - weight * mean redundancy, and stops at the limit or the last word", () => {
    const kept = selectConcepts(statistics, "A", ["a", "b", "c"], 9, 0.5);
    expect(kept).toHaveLength(3);
    expect(kept[0].redundancy).toBe(0);
    for (const { information, redundancy, score } of kept)
      expect(score).toBeCloseTo(information - 0.5 * redundancy, 12);
    const last = kept[2];
    expect(last.redundancy).toBeCloseTo(
      (statistics.redundancy(last.word, kept[0].word) + statistics.redundancy(last.word, kept[1].word)) / 2,
      12,
    );
    expect(selectConcepts(statistics, "A", [], 3, 1)).toEqual([]);
  });
});

describe("buildCotData", () => {
  const known = (id: string, name: string, words: string[], colors: string[]): Knowledge => ({
    id,
    name,
    evaluated: true,
    question: "What mammal is this?",
    kind: "mammal",
    colors,
    words,
    neighbours: [],
    drawings: [],
  });
  const knowledge = [
    known("1", "red fox", ["ears", "snout", "bushy"], ["orange"]),
    known("2", "elephant", ["trunk", "tusks", "wrinkles"], ["grey"]),
    known("3", "zebra", ["stripes", "mane", "hooves"], ["black"]),
    known("4", "camel", ["hump", "neck", "lashes"], ["brown"]),
  ];
  const seeing = (image: string, concept: string, like: Knowledge, extra: string[] = []): Observation => ({
    image,
    concept,
    domain: "mammal",
    colors: like.colors,
    descriptions: [[...like.words, ...extra], like.words],
    beliefs: new Map([[like.name, 3]]),
  });
  const options: BuildOptions = {
    conceptsPerImage: 3,
    comparedWords: 2,
    redundancyWeight: 0.1,
    prompts: tinyPrompts,
    closedOptions: () => knowledge.map((k) => k.name),
    seed: 1,
  };
  const domainOf = new Map(knowledge.map((k) => [k.id, "mammal"]));
  const build = (observations: Observation[]) => buildCotData(observations, knowledge, domainOf, options);
  const right = knowledge.map((k) => seeing(`${k.id}.png`, k.id, k, ["foxy", "zebras", "camels"]));

  it("writes a closed and an open record per image whose prediction is right, with its direct twin", () => {
    const data = build(right);
    expect(data.records.map((r) => [r.concept, r.setting])).toEqual(
      ["1", "2", "3", "4"].flatMap((id) => [
        [id, "closed"],
        [id, "open"],
      ]),
    );
    for (const { record, direct, setting, concept } of data.records) {
      const truth = knowledge.find((k) => k.id === concept)!;
      const parsed = parseRationale(record.assistant)!;
      expect([parsed.answer, parsed.prediction, direct.assistant]).toEqual([
        truth.name,
        truth.name,
        `<answer> ${truth.name}</answer>`,
      ]);
      expect(parsed.candidates).toHaveLength(setting === "closed" ? 4 : 3);
      expect(parsed.candidates).toContain(truth.name);
      expect([direct.image, direct.user]).toEqual([record.image, record.user.replace("Think first.", "Answer.")]);
    }
    expect(data.attempts).toBe(8);
  });

  it("keeps no concept that shares a stem with a name of the domain", () => {
    const kept = build(right).records.flatMap((r) => r.kept.map((k) => k.word));
    expect(kept.length).toBeGreaterThan(10);
    for (const word of kept)
      expect(
        sharesStem(
          word,
          knowledge.map((k) => k.name),
        ),
        word,
      ).toBeNull();
    expect(kept).not.toContain("foxy");
  });

  it("rejects what the teacher gets wrong, cannot see or has said already, and counts it", () => {
    const wrong = seeing("wrong.png", "1", knowledge[1]);
    const blind = { ...seeing("blind.png", "2", knowledge[1]), descriptions: [["foxes"], ["camels"]] };
    const data = build([...right, wrong, blind, right[2]]);
    expect(data.records.some((r) => ["wrong.png", "blind.png"].includes(r.record.image))).toBe(false);
    expect(data.rejections["wrong prediction"] + data.rejections["truth not among candidates"]).toBe(2);
    expect(data.rejections["wrong prediction"]).toBeGreaterThan(0);
    expect(data.rejections["no concepts"]).toBe(2);
    expect(data.rejections.duplicate).toBe(2);
    expect(data.attempts).toBe(data.records.length + 6);
    expect(dataCard(data)).toMatchObject({
      attempts: 14,
      accepted: 8,
      closed: 4,
      open: 4,
      sub_categories: 4,
      acceptance_rate: 8 / 14,
      rejections: data.rejections,
    });
  });

  it("repeats for the same seed", () => expect(build(right)).toEqual(build(right)));
});

describe("shuffledRationales", () => {
  const record = (concept: string, n: number, setting: "closed" | "open" = "open"): CotRecord => {
    const base = { system: null, user: `${setting}?`, image: `${concept}-${n}.png` };
    return {
      record: { ...base, assistant: `<think> ${concept} ${n} $& ${setting}</think><answer> ${concept}</answer>` },
      direct: { ...base, assistant: `<answer> ${concept}</answer>` },
      setting,
      concept,
      kept: [],
    };
  };
  const domainOf = new Map([
    ["fox", "mammal"],
    ["wolf", "mammal"],
    ["bear", "mammal"],
    ["car", "vehicle"],
    ["bus", "vehicle"],
  ]);
  const records = [
    ...["fox", "wolf", "bear"].flatMap((c) => [
      record(c, 1),
      record(c, 2),
      record(c, 1, "closed"),
      record(c, 2, "closed"),
    ]),
    record("fox", 3),
    record("car", 1),
    record("bus", 1),
  ];
  const thinkOf = ({ record: { assistant } }: CotRecord): string => assistant.slice(0, assistant.indexOf("<answer>"));

  it("gives each record the reasoning of another sub-category of its domain and setting; all else stays", () => {
    const shuffled = shuffledRationales(records, domainOf, 1);
    shuffled.forEach((one, i) => {
      const [from] = records.filter((other) => thinkOf(other) === thinkOf(one));
      expect([domainOf.get(from.concept), from.setting, from.concept === one.concept]).toEqual([
        domainOf.get(one.concept),
        one.setting,
        false,
      ]);
      expect({ ...one, record: { ...one.record, assistant: records[i].record.assistant } }).toEqual(records[i]);
      expect(one.record.assistant.endsWith(`<answer> ${records[i].concept}</answer>`)).toBe(true);
    });
    expect(shuffled.map(thinkOf).sort()).toEqual(records.map(thinkOf).sort());
    expect(shuffledRationales(records, domainOf, 1)).toEqual(shuffled);
    expect(shuffledRationales(records, domainOf, 2)).not.toEqual(shuffled);
  });

  it("one sub-category alone: another record's reasoning; one record alone keeps its own; none without reasoning", () => {
    const alone = [record("fox", 1), record("fox", 2), record("fox", 3)];
    shuffledRationales(alone, domainOf, 1).forEach((one, i) => expect(thinkOf(one)).not.toBe(thinkOf(alone[i])));
    expect(shuffledRationales([alone[0]], domainOf, 1)).toEqual([alone[0]]);
    expect(() => shuffledRationales([{ ...alone[0], record: alone[0].direct }, alone[1]], domainOf, 1)).toThrow(
      /fox-1\.png: its response has no <think>/,
    );
    expect(shuffledRationales([], domainOf, 1)).toEqual([]);
  });
});
