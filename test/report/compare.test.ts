import { afterEach, describe, expect, it, vi } from "vitest";
import type { PredictionRow } from "../../lib/eval/rows";
import { compare } from "../../lib/report/compare";
import * as kernels from "../../lib/report/kernel";
import { fakePage } from "./fake-page";

afterEach(() => void vi.restoreAllMocks());

const row = (method: string, image_path: string, answer: string, ground_truth = "red fox"): PredictionRow => ({
  method,
  image_path,
  output: `<answer> ${answer}</answer>`,
  question: "What is this?",
  ground_truth,
  seed: 0,
  domain: "mammal",
  split: "unseen",
  setting: "open",
});
const rows = [
  row("sft", "1", "wolf"),
  row("tapo", "1", "red fox"),
  row("base", "1", "lynx"),
  row("sft", "2", "wolf", "wolf"),
  row("tapo", "2", "lynx", "wolf"),
  row("base", "2", "wolf", "wolf"),
  ...["sft", "tapo", "base"].map((method) => row(method, "3", "lynx", "lynx")),
];
const options = { methods: ["tapo", "sft"], benchmark: { images: () => [] }, role: "dev" } as const;

async function compared(isListening = true): Promise<ReturnType<typeof fakePage> & { close(): void }> {
  const page = fakePage(isListening);
  vi.spyOn(kernels, "currentKernel").mockReturnValue(page.kernel);
  return { ...page, ...(await compare(rows, options)) };
}

describe("compare", () => {
  it("is the table of showDifferences where no page draws controls", async () => {
    const { shown, models } = await compared(false);
    expect(models).toEqual([]);
    expect(shown).toHaveLength(1);
    expect(shown[0]["text/plain"]).toMatch(/^TAPO alone is right on 1, CoT SFT alone on 1; 2 of them:/);
  });

  it("draws anew what is chosen, and lists the confusions among it", async () => {
    const page = await compared();
    const said = (): string => String(page.model("HTML").state.value);
    const [second, truth, pair] = [1, 2, 3].map((n) => page.model("Dropdown", n));
    expect(pair.state._options_labels).toEqual(["all", "red fox → wolf (1)", "wolf → lynx (1)"]);
    await page.send(pair, { index: 2 });
    expect(said()).toContain("TAPO alone is right on 0, CoT SFT alone on 1; 1 of them:");
    await page.send(second, { index: 0 }); // base; the confusion is there too, and stays chosen
    expect(said()).toContain("TAPO alone is right on 0, Base, direct alone on 1; 1 of them:");
    expect(pair.state._options_labels).toEqual(["all", "red fox → lynx (1)", "wolf → lynx (1)"]);
    await page.send(truth, { index: 2 }); // all, lynx, red fox
    expect(said()).toContain("TAPO alone is right on 1, Base, direct alone on 0; 1 of them:");
    await page.send(page.model("ToggleButtons"), { index: 1 });
    expect(said()).toContain("No question that one of TAPO and Base, direct has right");
    page.close();
    expect(page.models.filter(({ isOpen }) => isOpen)).toEqual([]);
  });
});
