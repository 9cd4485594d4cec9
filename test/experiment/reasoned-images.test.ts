/** `cot.images`: which few-shot images get a rationale. */
import { describe, expect, it } from "vitest";
import { reasonedImages } from "../../lib/experiment/cot";
import { loadSettings } from "../../lib/experiment/load-settings";
import { benchmarkOf } from "../../lib/experiment/open";

const opened = benchmarkOf(loadSettings({ environment: {} }));

async function chosen(set: readonly string[]): Promise<{ id: string; of: string }[]> {
  const settings = loadSettings({ environment: {}, set });
  return reasonedImages({ benchmark: await opened, settings }).map(({ id, subcategory }) => ({
    id,
    of: subcategory.id,
  }));
}

describe("images that get a rationale", () => {
  it("are all few-shot images of seen sub-categories unless fewer are asked for", async () => {
    const all = await chosen([]);
    const counts = new Map<string, number>();
    for (const { of } of all) counts.set(of, (counts.get(of) ?? 0) + 1);
    expect(Math.max(...counts.values())).toBe(4);
    expect(await chosen(["cot.images=4"])).toEqual(all);
  });

  it("are one of each, in the benchmark's order, others with another seed", async () => {
    const all = await chosen([]);
    const one = await chosen(["cot.images=1"]);
    const names = one.map(({ of }) => of);
    expect(names).toEqual([...new Set(all.map(({ of }) => of))]);
    expect(one).toEqual(all.filter(({ id }) => one.some((own) => own.id === id)));
    expect(await chosen(["cot.images=1"])).toEqual(one);
    expect(await chosen(["cot.images=1", "seed=1"])).not.toEqual(one);
  });

  it("are the first shots of each where fewer are trained on", async () => {
    const all = await chosen([]);
    const three = await chosen(["shots=3"]);
    const names = [...new Set(all.map(({ of }) => of))];
    expect(three).toEqual(names.flatMap((name) => all.filter(({ of }) => of === name).slice(0, 3)));
  });

  it("are two of each where two are asked for", async () => {
    const two = await chosen(["cot.images=2", "cot.subCategories=5"]);
    expect(two).toHaveLength(10);
    expect(new Set(two.map(({ id }) => id)).size).toBe(10);
  });
});
