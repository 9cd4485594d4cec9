import { describe, expect, it } from "vitest";
import { givesAway, parsePhrases, rationalePrompt } from "../../lib/cot/phrases";
import { parseRationale, withName } from "../../lib/cot/rationale";
import { buildTeacherCot, type CotImage, type TeacherOptions, type TeacherRequest } from "../../lib/cot/teacher";
import { teacherCard } from "../../lib/cot/teacher-card";
import {
  duplicateFilter,
  plainAnswer,
  rejectionOf,
  withPlainAnswer,
  type ValidationOptions,
} from "../../lib/cot/validate";
import { paperPrompts } from "../../lib/benchmark/prompts";

const filler = (word: string, n: number): string => Array.from({ length: n }, (_, i) => `${word}${i}`).join(" ");
/** A rationale of the four parts; `words` of its own. */
const rationale = (name: string, words = "x", others = "wolf, jackal, dhole"): string =>
  `<think>Analysis of Visual Features: ${filler(words, 40)}\nCandidate Subcategories: ${name}, ${others}\nComparison Process: the first matches best\nPrediction: ${name} it is</think> <answer>${name}</answer>`;
const limits: ValidationOptions = { minWords: 10, maxWords: 200, match: "exact", duplicateShare: 0.8 };

describe("parsePhrases", () => {
  it("takes lines, commas, bullets, numbers and `key: value`, each once, in lower case", () => {
    expect(
      parsePhrases("- A curved black bill\n2. **Wings**: long, pointed.\n• white throat; white throat\nEyes: dark"),
    ).toEqual(["curved black bill", "long wings", "pointed", "white throat", "dark eyes"]);
  });
  it("leaves out sentences and what is no phrase", () => {
    expect(parsePhrases("The bird stands on a branch and looks left.\n<think>\n\n===\n")).toEqual([]);
  });
});

describe("givesAway", () => {
  const names = ["Red winged Blackbird", "Song Sparrow"];
  it.each([
    ["song sparrow tail", true],
    ["red wings", true],
    ["blackbird", true],
    ["red throat", false],
    ["striped breast", false],
  ])("%s: %s", (phrase, expected) => expect(givesAway(phrase, names)).toBe(expected));
});

describe("rejectionOf", () => {
  const judge = (text: string, over: Partial<ValidationOptions> = {}, finished = true) =>
    rejectionOf({ text, finished }, "red fox", { ...limits, ...over });
  it.each<[string, string, Partial<ValidationOptions>, string | null]>([
    ["right", rationale("Red_Fox"), {}, null],
    ["unbalanced tags", rationale("red fox").replace("</think>", ""), {}, "malformed"],
    ["two answers", `${rationale("red fox")}<answer>wolf</answer>`, {}, "malformed"],
    ["no comparison", rationale("red fox").replace(/Comparison Process: the first matches best/, ""), {}, "malformed"],
    ["empty", "", {}, "malformed"],
    ["short", rationale("red fox"), { minWords: 100 }, "too short"],
    ["long", rationale("red fox"), { maxWords: 30 }, "too long"],
    ["wrong", rationale("wolf", "x", "red fox, jackal, dhole"), {}, "wrong answer"],
    [
      "more than the name",
      rationale("red fox").replace("<answer>red fox", "<answer>a red fox or a wolf"),
      {},
      "wrong answer",
    ],
    [
      "more than the name under the paper's rule",
      rationale("red fox").replace("<answer>red fox", "<answer>a red fox"),
      { match: "substring" },
      null,
    ],
    [
      "another prediction",
      rationale("wolf", "x", "red fox").replace("<answer>wolf", "<answer>red fox"),
      {},
      "prediction and answer differ",
    ],
  ])("%s", (_, text, over, expected) => expect(judge(text, over)).toBe(expected));
  it("the form is the language's where it has one of its own: the tiny base's analysis is a few words", () => {
    const tiny =
      "<think> Analysis: red, fox tail. Candidates: red fox. Comparison: red fox fits tail. Prediction: red fox.</think><answer> red fox</answer>";
    expect(judge(tiny)).toBe("malformed");
    const isWellFormed = (text: string): boolean => parseRationale(text) !== null;
    expect(judge(tiny, { isWellFormed, minWords: 1 })).toBe(null);
    expect(judge(tiny.replace("Candidates", "Names"), { isWellFormed, minWords: 1 })).toBe("malformed");
  });
  it("cut off by the limit of tokens", () => expect(judge(rationale("red fox"), {}, false)).toBe("cut off"));
});

describe("answers in other spellings of the name", () => {
  const judge = (answer: string, truth = "Boeing 737-200", prediction = answer): string | null =>
    rejectionOf(
      {
        text: rationale(truth)
          .replace(`Prediction: ${truth}`, () => `Prediction: ${prediction}`)
          .replace(`<answer>${truth}<`, () => `<answer>${answer}<`),
        finished: true,
      },
      truth,
      limits,
    );
  it.each([
    "Boeing 737-200",
    "**Boeing 737-200**",
    "**Boeing 737-200.**",
    "__Boeing 737-200__",
    "`Boeing 737-200`",
    "the Boeing 737-200",
    "A **Boeing 737-200**",
    "Boeing 737\u2011200",
    "Boeing\u00a0737\u2010200",
    "Boeing 737\u2013200",
    "Boeing 737\u2212200",
    '"Boeing 737-200"',
    "\u201cBoeing 737-200\u201d.",
    "'the boeing_737-200'!",
    "\nBoeing  737-200\n",
  ])("%j is the name", (answer) => expect(judge(answer)).toBe(null));
  it.each([
    "Boeing 737-300",
    "737-200",
    "Boeing 737 200",
    "Boeing 737-200 or 737-300",
    "another Boeing 737-200",
    "**",
    "",
  ])("%j is not", (answer) => expect(judge(answer, "Boeing 737-200", "Boeing 737-200")).not.toBe(null));
  it("takes names with an article, an apostrophe or an accent of their own, composed or not", () => {
    expect(judge("Cafe\u0301 Finch", "Caf\u00e9 Finch")).toBe(null);
    expect(judge("Caf\u00e9 Finch", "Cafe\u0301 Finch")).toBe(null);
    expect(judge("Cafe Finch", "Caf\u00e9 Finch")).toBe("wrong answer");
    expect(judge("Cooper\u2019s Hawk", "Cooper's Hawk")).toBe(null);
    expect(judge("Painted Lady", "The Painted Lady")).toBe(null);
    expect(judge("Anhinga", "Anhinga")).toBe(null);
    expect(plainAnswer("A340-300")).toBe("a340-300");
  });
  it("still asks for the name in the prediction", () =>
    expect(judge("**Boeing 737-200**", "Boeing 737-200", "**Boeing 737\u2011300**")).toBe(
      "prediction and answer differ",
    ));
  it("withPlainAnswer puts the name in the place of its other spelling, and leaves other answers alone", () => {
    const text = (answer: string): string => `<think>**Boeing**</think> <answer> ${answer}\n</answer>`;
    const plain = (answer: string): string => withPlainAnswer(text(answer), "Boeing 737-200");
    expect(plain("**Boeing 737\u2011200**")).toBe(text("Boeing 737-200"));
    expect(plain("the Boeing 737-200.")).toBe(text("Boeing 737-200"));
    for (const same of ["boeing_737-200", "Boeing 737-300", "a Boeing 737-200 in flight"])
      expect(plain(same)).toBe(text(same));
    expect(withPlainAnswer(text("**$& $1**"), "$& $1")).toBe(text("$& $1"));
  });
});

describe("duplicateFilter", () => {
  it("compares runs of four words: `a b c d e` and `a b c d f` share 1 of 3", () => {
    expect(duplicateFilter(0.34).isNew("a b c d e")).toBe(true);
    const strict = duplicateFilter(1 / 3);
    expect([strict.isNew("a b c d e"), strict.isNew("A, b c d f!"), strict.isNew("v w x y z")]).toEqual([
      true,
      false,
      true,
    ]);
    const loose = duplicateFilter(0.34);
    expect([loose.isNew("a b c d e"), loose.isNew("a b c d f"), loose.isNew("a b c d e.")]).toEqual([
      true,
      true,
      false,
    ]);
  });
});

const options: TeacherOptions = {
  ...limits,
  descriptions: 3,
  samples: 3,
  concepts: 2,
  redundancyWeight: 0.5,
  temperature: 1,
  maxTokens: 100,
  prompts: paperPrompts,
  seed: 1,
  atOnce: 2,
};
const image = (set: string, name: string, n: number): CotImage => ({
  set,
  image: `${set}/${name}/${n}.jpg`,
  file: `/x/${set}/${name}/${n}.jpg`,
  name,
  kind: "animal",
  question: "What animal is this?",
});
const images = [
  image("mine", "red fox", 1),
  image("mine", "red fox", 2),
  image("mine", "grey wolf", 1),
  image("other", "zebra", 1),
];
const features: Record<string, string> = {
  "red fox": "orange fur\nred fox\nbushy tail",
  "grey wolf": "grizzled fur\nbushy tail",
  zebra: "black stripes",
};
const nameIn = (file: string): string => file.split("/")[3];

describe("buildTeacherCot", () => {
  const isDescribe = ({ text }: TeacherRequest): boolean => text.startsWith("Look at");
  it("describes, selects, reasons, and keeps the first rationale of an image that passes", async () => {
    const asked: TeacherRequest[] = [];
    const data = await buildTeacherCot(
      images,
      (request) => {
        asked.push(request);
        const name = nameIn(request.file);
        const texts = isDescribe(request)
          ? (Array(request.n).fill(features[name]) as string[])
          : [rationale("grey wolf"), rationale(name, request.file.replace(/\W/g, "")), rationale(name, "never seen")];
        return Promise.resolve(texts.map((text) => ({ text, finished: true })));
      },
      options,
    );
    expect(data.records.map(({ record }) => record.image)).toEqual(images.map((one) => one.image));
    expect(data.records[0].record).toEqual({
      system: paperPrompts.stage1System,
      user: "What animal is this?",
      image: "mine/red fox/1.jpg",
      assistant: rationale("red fox", "xminered_fox1jpg".replace("_", "")),
    });
    expect(data.records[0].direct.assistant).toBe("<answer> red fox</answer>");
    expect(data.records[0].concepts.map(({ word }) => word)).toEqual(["orange fur", "bushy tail"]); // "red fox" gives the name away
    expect(data.records[2].concepts[0].word).toBe("grizzled fur");
    expect(data.sets.mine).toMatchObject({ images: 3, records: 3, samples: 5, rejections: { "wrong answer": 2 } });
    expect(data.sets.other).toMatchObject({ images: 1, records: 1, samples: 2, rejections: { "wrong answer": 1 } });
    expect(asked.map(({ n }) => n)).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
    expect(new Set(asked.map(({ seed }) => seed)).size).toBe(8);
    expect(asked[4].text).toContain("orange fur; bushy tail.");
    for (const { text, file } of asked) expect(text).not.toContain(nameIn(file)); // never told
  });

  it("finds no concepts in a description's thoughts, whole or cut off", async () => {
    const thoughts = "<think>first idea, second idea\nthird idea";
    const data = await buildTeacherCot(
      images,
      (request) => {
        const name = nameIn(request.file);
        const text = isDescribe(request)
          ? `${thoughts}</think>${features[name]}`
          : rationale(name, request.file.replace(/\W/g, ""));
        return Promise.resolve([
          { text, finished: true },
          { text: isDescribe(request) ? thoughts : "", finished: false },
        ]);
      },
      options,
    );
    expect(data.records).toHaveLength(images.length);
    const words = data.records.flatMap(({ concepts }) => concepts.map(({ word }) => word));
    expect(words).toContain("bushy tail");
    expect(words.filter((word) => word.includes("idea"))).toEqual([]);
  });

  it("where no rationale of all passes, and the teacher's language can, the name is put right and counted", async () => {
    const tiny = (name: string): string =>
      `<think> Analysis: red, tail. Candidates: ${name}, lynx. Comparison: ${name} fits tail. Prediction: ${name}.</think><answer> ${name}</answer>`;
    const language = {
      describe: () => "Describe.",
      rationale: () => "Reason.",
      concepts: (text: string) => [text],
      isWellFormed: (text: string) => parseRationale(text) !== null,
      withName,
    };
    const build = (answer: (name: string) => string) =>
      buildTeacherCot(
        images,
        ({ text, file }) =>
          Promise.resolve([{ text: text === "Describe." ? "bushy tail" : tiny(answer(nameIn(file))), finished: true }]),
        { ...options, language, minWords: 1, duplicateShare: 1 },
      );
    const wrong = await build(() => "lynx");
    expect([wrong.named, wrong.records.length, wrong.sets.mine.records]).toEqual([images.length, images.length, 0]);
    expect(wrong.records[0].record.assistant).toBe(
      "<think> Analysis: red, tail. Candidates: red fox, lynx. Comparison: red fox unclear, lynx unclear. Prediction: red fox.</think><answer> red fox</answer>",
    );
    const right = await build((name) => (name === "red fox" ? name : "lynx"));
    expect([right.named, right.records.every(({ of }) => of.name === "red fox")]).toEqual([0, true]);
  });

  it("counts duplicates, and says why an image has no rationale", async () => {
    const data = await buildTeacherCot(
      images,
      (request) => {
        const name = nameIn(request.file);
        if (isDescribe(request) && name === "grey wolf") return Promise.reject(new Error("400 no such image"));
        if (isDescribe(request))
          return Promise.resolve([
            {
              text: name === "zebra" ? "This is a long sentence about a horse with stripes." : features[name],
              finished: true,
            },
          ]);
        return Promise.resolve([{ text: rationale(name), finished: true }]);
      },
      { ...options, onBadRow: "skip" },
    );
    expect(data.skipped).toEqual([
      { image: "mine/grey wolf/1.jpg", reason: "400 no such image" },
      { image: "other/zebra/1.jpg", reason: "no visual concept in its descriptions" },
    ]);
    expect(data.sets.mine).toMatchObject({ images: 3, records: 1, samples: 2, rejections: { duplicate: 1 } });
    const card = teacherCard(
      data,
      "t",
      {
        requests: 5,
        retries: 1,
        cached: 2,
        promptTokens: 1000,
        completionTokens: 500,
        cachedPromptTokens: 3000,
        cachedCompletionTokens: 0,
        reshaped: 1,
        thoughtsPutBack: 3,
        leftOut: ["temperature"],
      },
      { prompt: 2, completion: 10 },
      {},
    );
    expect(card).toMatchObject({
      images: 4,
      records: 1,
      acceptance_rate: 1 / 4,
      skipped: 2,
      words_per_response: { "50-99": 1 },
      concepts_per_record: 2,
      requests: { sent: 5, retries: 1, in_another_form: 1, from_cache: 2 },
      thoughts_put_back: 3,
      left_out: ["temperature"],
      tokens: { prompt: 4000, completion: 500 },
    });
    expect(card.cost!.total).toBeCloseTo(4000e-6 * 2 + 500e-6 * 10, 12);
    expect(card.cost!.this_run).toBeCloseTo(0.002 + 0.005, 12);
    expect(card.sets.other).toMatchObject({ acceptance_rate: 0, sub_categories: 0 });
  });

  it("stops at a failed request unless told to skip", async () => {
    await expect(buildTeacherCot(images, () => Promise.reject(new Error("401 no key")), options)).rejects.toThrow(
      /mine\/.*: 401 no key; finished requests are cached/,
    );
  });

  it("hands the candidates on where they are given", () => {
    expect(rationalePrompt("What?", ["bushy tail"], ["red fox", "wolf"])).toMatch(
      /The candidates are: red fox; wolf\./,
    );
    expect(rationalePrompt("What?", ["bushy tail"])).not.toMatch(/The candidates are/);
  });
});
