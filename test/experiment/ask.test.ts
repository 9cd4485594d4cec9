/** Asking the shipped base, small. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { isNative, tf } from "../../lib/engine/tensorflow";
import { showAsk } from "../../lib/experiment/ask";
import { createAsker, type AskRequest } from "../../lib/experiment/asker";
import { openExperiment, variantOf } from "../../lib/experiment/open";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { Experiment } from "../../lib/experiment/types";
import * as kernels from "../../lib/report/kernel";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { fakePage } from "../report/fake-page";

const settings = loadSettings({
  scale: "smoke",
  run: `ask-test-${process.pid}`,
  environment: {},
  set: ["eval.maxNewTokens=6"],
});
const folder = temporaryFolder();

describe.skipIf(!isNative)("asking", { timeout: 120_000 }, () => {
  let whole: Experiment;
  let experiment: Experiment;
  let request: AskRequest;
  let tensors: number;
  beforeAll(async () => {
    whole = await openExperiment(settings);
    experiment = variantOf(whole, { settings, folder: path.join(folder, "none") });
    const [subcategory] = experiment.benchmark.subcategories();
    const [image] = experiment.benchmark.images("fewshot", subcategory);
    request = { method: "base", subcategory, image, setting: "open", reason: false };
    tensors = tf.memory().numTensors;
  }, 120_000);
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(tensors);
  });
  afterAll(() => {
    whole.close();
    expect(tf.memory().numTensors).toBe(0);
  });

  it("streams the answer that it returns; without saved models there is the base alone", async () => {
    const asker = createAsker(experiment);
    expect(asker.methods).toEqual(["base", "base-cot"]);
    const pieces: string[] = [];
    const { text, prompt, right } = await asker.ask(request, { onText: (piece) => void pieces.push(piece) });
    expect(pieces.join("")).toBe(text);
    expect(pieces.length).toBeGreaterThan(1);
    expect(text).not.toBe("");
    expect(prompt).toBe(experiment.prompts.direct(experiment.benchmark.question(request.subcategory.domain)));
    expect(typeof right).toBe("boolean");
    const closed = await asker.ask({ ...request, setting: "closed" });
    expect(closed.prompt).toContain(request.subcategory.name);
    await expect(asker.ask({ ...request, method: "tapo" })).rejects.toThrow(/tapo: no model in/);
    asker.close();
    await expect(asker.ask(request)).rejects.toThrow(/run the cell again/);
  });

  it("answers about other files, and says which is none", async () => {
    const asker = createAsker(experiment);
    const bytes = new Uint8Array(readFileSync(request.image instanceof Uint8Array ? "" : request.image.file!));
    expect(await asker.ask({ ...request, image: bytes })).toMatchObject({ right: null });
    await expect(asker.ask({ ...request, image: new Uint8Array([1, 2]) })).rejects.toThrow(/can't be read as an image/);
    asker.close();
  });

  it("answers one at a time, stops where it is told, and is closed while it answers", async () => {
    const asker = createAsker(experiment);
    const stop = new AbortController();
    const first = asker.ask(request, { signal: stop.signal, onText: () => stop.abort(new Error("stopped")) });
    await expect(asker.ask(request)).rejects.toThrow(/still answering/);
    expect(asker.isAnswering).toBe(true);
    await expect(first).rejects.toThrow(/^stopped$/);
    expect(asker.isAnswering).toBe(false);
    const second = asker.ask(request, { onText: () => asker.close() });
    await expect(second).rejects.toThrow(/^closed$/);
  });

  it("shows an answer as its static form, and frees the model where no page listens", async () => {
    const page = fakePage(false);
    vi.spyOn(kernels, "currentKernel").mockReturnValue(page.kernel);
    await showAsk(experiment);
    expect(page.models).toEqual([]);
    expect(page.shown).toHaveLength(1);
    expect(page.shown[0]["text/html"]).toMatch(/<img alt=[^]*Base, CoT, open world\. Truth: /);
    await expect(showAsk(experiment, { method: "tapo" })).rejects.toThrow(/no model of it; there are base, base-cot/);
    await expect(showAsk(experiment, { subcategory: "nope" })).rejects.toThrow(/no sub-category "nope"/);
  });

  it("answers what its controls say, refuses a second press, and stops", async () => {
    const page = fakePage();
    vi.spyOn(kernels, "currentKernel").mockReturnValue(page.kernel);
    const asking = await showAsk(experiment, { method: "base" });
    const answer = (): string => String(page.model("HTML", 1).state.value);
    const notice = (): string => String(page.model("HTML", 2).state.value);
    const [go, stop] = [1, 2].map((n) => page.model("Button", n));
    await page.send(page.model("ToggleButtons"), { index: 1 });
    await page.click(go);
    expect(answer()).toContain("Base, direct, closed world.");
    const first = page.click(go);
    await page.click(go);
    expect(notice()).toContain("still answering; press Stop first, or wait");
    expect(stop.state.disabled).toBe(false);
    await page.click(stop);
    await first;
    expect(answer()).toContain("<b>stopped</b>");
    await page.send(page.model("FileUpload"), { value: [{ name: "<x>", content: new Uint8Array([1]) }] });
    expect(notice()).toContain("can't be read as an image");
    asking.close();
    expect(page.models.filter(({ isOpen }) => isOpen)).toEqual([]);
  });
});
