/** Weights put in place while a server runs: what is loaded, and what is refused. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel } from "../../lib/model/checkpoint";
import { root } from "../../tools/environment";
import { loadWeights } from "../../lib/serve/weights";
import { fixture, modelDir, served, type Served } from "./served";

const { config, params } = loadModel(modelDir);
afterAll(() => disposeTree(params));
const outside = mkdtempSync(path.join(tmpdir(), "weights-"));
const folder = path.join(outside, "weights");
beforeAll(() => {
  mkdirSync(folder);
  cpSync(path.join(fixture, "adapters/attention"), path.join(folder, "adapter"), { recursive: true });
  cpSync(modelDir, path.join(folder, "model"), { recursive: true });
  cpSync(path.join(root, "data/base"), path.join(folder, "other"), { recursive: true });
  symlinkSync(modelDir, path.join(folder, "link"));
  mkdirSync(path.join(folder, "empty"));
});
afterAll(() => rmSync(outside, { recursive: true }));
const load = (name: string) => loadWeights(folder, name, config, params, {});

describe("loadWeights", () => {
  it("an adapter beside the model, or all of the model; released, nothing is left", () => {
    const before = tf.memory().numTensors;
    const adapter = load("adapter");
    expect(Object.keys(adapter.params).length).toBeGreaterThan(Object.keys(params).length);
    expect(adapter.params["model.norm.weight"]).toBe(params["model.norm.weight"]);
    adapter.release();
    const whole = load("model");
    expect(Object.keys(whole.params).sort()).toEqual(Object.keys(params).sort());
    whole.release();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ["none", /there is no none/],
    ["link", /link is a link out of the folder of weights/],
    ["other", /other is another model than the one that is served/],
    ["empty", /config\.json/],
  ])("refuses %s, and leaves nothing", (name, message) => {
    const before = tf.memory().numTensors;
    expect(() => load(name)).toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("POST /v1/reload", () => {
  let own: Served;
  beforeAll(async () => {
    own = await served();
  });
  it("is not there where no folder was named at start", async () => {
    await expect(own.client.post("/reload", { body: { weights: "model" } })).rejects.toMatchObject({
      status: 404,
      message: expect.stringMatching(/--weights DIR/) as string,
    });
  });

  it("adapted answers after it, the first ones after going back", async () => {
    const answer = async () => {
      const { choices, system_fingerprint } = await own.client.chat.completions.create({
        model: "fixture",
        messages: [{ role: "user", content: "Which is larger?" }],
        max_tokens: 12,
        temperature: 0,
        ...{ ignore_eos: true },
      });
      return [system_fingerprint, choices[0].message.content];
    };
    const first = await answer();
    const before = tf.memory().numTensors;
    await own.completions.reload("adapter", () => load("adapter"));
    const adapted = await answer();
    expect([first[0], adapted[0]]).toEqual(["start", "adapter"]);
    expect(adapted[1]).not.toBe(first[1]);
    await own.completions.reload("start", () => ({ params: own.params, release: () => undefined }));
    expect(await answer()).toEqual(first);
    expect(tf.memory().numTensors).toBe(before);
    await expect(own.completions.reload("none", () => load("none"))).rejects.toThrow(/there is no none/);
    expect(await answer()).toEqual(first);
  });
});
