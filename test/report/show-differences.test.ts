import { afterEach, describe, expect, it, vi } from "vitest";
import type { PredictionRow } from "../../lib/eval/rows";
import type { MimeBundle } from "../../lib/report/kernel";
import * as kernel from "../../lib/report/kernel";
import { differences, filteredDifferences, showDifferences } from "../../lib/report/show-differences";

afterEach(() => void vi.restoreAllMocks());

const row = (method: string, image_path: string, output: string, more: Partial<PredictionRow> = {}): PredictionRow => ({
  method,
  image_path,
  output,
  question: "What is this?",
  ground_truth: "red fox",
  seed: 0,
  domain: "mammal",
  split: "unseen",
  setting: "open",
  ...more,
});
const rows = [
  row("sft", "1", "<answer> wolf</answer>"),
  row("sft", "2", "<answer> red fox</answer>"),
  row("sft", "3", "<answer> red fox</answer>"),
  row("sft", "4", "<answer> lynx</answer>"),
  row("tapo", "4", "<answer> lynx</answer>"),
  row("tapo", "3", "<answer> <b>wolf</b></answer>"),
  row("tapo", "2", "<answer> red fox</answer>"),
  row("tapo", "1", "<answer> red fox</answer>"),
  row("tapo", "1", "<answer> wolf</answer>", { setting: "closed" }), // sft was not asked this
];

describe("differences", () => {
  it("are questions that one of two has right, whatever the order of the rows", () => {
    expect(differences(rows, ["tapo", "sft"]).map(({ first, right }) => [first.image_path, right])).toEqual([
      ["3", "second"],
      ["1", "first"],
    ]);
    expect(differences(rows, ["sft", "tapo"]).map(({ first, right }) => [first.image_path, right])).toEqual([
      ["1", "second"],
      ["3", "first"],
    ]);
    expect(differences(rows, ["sft", "none"])).toEqual([]);
  });
});

describe("filteredDifferences", () => {
  const more = [
    ...rows,
    row("sft", "5", "<answer> red fox</answer>", { ground_truth: "wolf", setting: "closed" }),
    row("tapo", "5", "<answer> wolf</answer>", { ground_truth: "wolf", setting: "closed" }),
  ];
  const images = (filter: Parameters<typeof filteredDifferences>[2]): string[] =>
    filteredDifferences(more, ["tapo", "sft"], filter).map(({ first }) => first.image_path);

  it("keeps what fits every filter", () => {
    expect(images({})).toEqual(["3", "1", "5"]);
    expect(images({ setting: "closed" })).toEqual(["5"]);
    expect(images({ subcategory: "red fox" })).toEqual(["3", "1"]);
    expect(images({ subcategory: "red fox", setting: "closed" })).toEqual([]);
  });

  it("a pair is one that either method confused", () => {
    expect(images({ pair: { truth: "red fox", answer: "wolf" } })).toEqual(["3", "1"]);
    expect(images({ pair: { truth: "wolf", answer: "red fox" } })).toEqual(["5"]);
    expect(images({ pair: { truth: "red fox", answer: "red fox" } })).toEqual([]);
  });
});

describe("showDifferences", () => {
  it("shows both answers and the truth, as text, and counts what it leaves out", async () => {
    const shown: MimeBundle[] = [];
    vi.spyOn(kernel, "currentKernel").mockReturnValue({
      display: (bundle: MimeBundle) => void shown.push(bundle),
    } as unknown as ReturnType<typeof kernel.currentKernel>);
    await showDifferences(rows, ["tapo", "sft"], { benchmark: { images: () => [] }, role: "dev", limit: 2 });
    const html = shown[0]["text/html"] as string;
    expect(html).toContain("TAPO alone is right on 1, CoT SFT alone on 1; 2 of them:");
    expect(html).toContain("&lt;b&gt;wolf&lt;/b&gt;");
    expect(html.match(/<b>right<\/b>/g)).toHaveLength(2);
    expect(html).toContain("red fox<br>open, unseen");
  });
});
