/** `study` by its parts: which seeds are asked, and which look is written down before. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { run } from "../../cli/study";
import type { Settings } from "../../lib/experiment/settings";
import type { Look } from "../../lib/experiment/study/look";

/** What was done, in order. */
const done = vi.hoisted(() => ({ looks: [] as Look[], files: {} as Record<string, string>, asked: [] as string[] }));

vi.mock("../../lib/experiment/study/look", async (original) => ({
  ...(await original<object>()),
  recordLook: (look: Look) => {
    done.asked.push("look");
    done.looks.push(look);
  },
}));
vi.mock("../../lib/experiment/open", async (original) => ({
  ...(await original<object>()),
  benchmarkOf: () => Promise.resolve({ fingerprint: "f" }),
}));
vi.mock("../../cli/experiment", async (original) => ({
  ...(await original<object>()),
  withExperiment: (settings: Settings, _: string, work: (experiment: object, watch: object) => Promise<number>) =>
    work({ settings, benchmark: { name: settings.benchmark }, folder: "run" }, {}),
}));
vi.mock("../../cli/study-probes", () => ({
  showProbes: async ({ seed }: Settings, look: () => Promise<void>) => {
    await look();
    done.asked.push(`probes ${seed}`);
    return 0;
  },
}));
vi.mock("../../cli/output", () => ({ print: () => undefined }));
vi.mock("../../lib/util/files", async (original) => ({
  ...(await original<object>()),
  writeText: (file: string, text: string) => {
    done.files[file.split("/").at(-1)!] = text;
  },
}));
vi.mock("../../lib/experiment/evaluate", async (original) => ({
  ...(await original<object>()),
  methodParams: () => Promise.resolve({}),
}));
vi.mock("../../lib/experiment/ablations/run", async (original) => ({
  ...(await original<object>()),
  variantExperiment: (
    { settings }: { settings: Settings },
    { name }: { name: string },
    { seed }: { seed: number },
  ) => ({
    name,
    runSeed: settings.seed,
    seed,
  }),
}));
vi.mock("../../lib/experiment/study/links", () => ({
  chainLinks: ({ name, runSeed, seed }: { name: string; runSeed: number; seed: number }) => {
    done.asked.push(`${name} ${seed} of run ${runSeed}`);
    const accuracy = name === "tapo" ? 0.5 + seed / 10 : 0.25;
    return Promise.resolve([{ given: "own", setting: "open", split: "seen", accuracy, n: 10 }]);
  },
}));

const options = { on: "test", seeds: [1, 3], table: false } as const;
const study = (part: "links" | "probes", reason?: string): Promise<number> =>
  run({ ...options, seeds: [...options.seeds], part, reason, set: [] } as unknown as Parameters<typeof run>[0]);

beforeEach(() => void Object.assign(done, { looks: [], files: {}, asked: [] }));

describe("study --part links", () => {
  it("writes its look down first, asks every seed, and reports the mean with the number of seeds", async () => {
    expect(await study("links", "links of the chain")).toBe(0);
    expect(done.looks).toMatchObject([{ part: "links", seeds: [1, 3], reason: "links of the chain" }]);
    // the run's own seed stays 0
    const asked = [1, 3].flatMap((seed) => ["base-cot", "sft", "tapo"].map((name) => `${name} ${seed} of run 0`));
    expect(done.asked).toEqual(["look", ...asked]);
    expect(done.files["links.md"]).toMatch(/--part links --seeds 1,3`/);
    expect(done.files["links.md"]).toMatch(/\| tapo +\| own +\| +2 \| +70\.0 \|/); // 0.6 and 0.8
    expect(JSON.parse(done.files["links.json"])).toContainEqual({
      method: "tapo",
      seed: 3,
      given: "own",
      setting: "open",
      split: "seen",
      accuracy: 0.8,
      n: 10,
    });
  });
});

describe("study --part probes", () => {
  it("asks the first seed, and that is the look", async () => {
    await study("probes");
    expect(done.looks).toMatchObject([{ part: "probes", seeds: [1], reason: null }]);
    expect(done.asked).toEqual(["look", "probes 1"]);
  });
});
