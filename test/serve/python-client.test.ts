/**
 * The official client for Python against a server. It is no dependency: `FINE_R1_OPENAI_PYTHON` names a Python that has
 * the package `openai`, in an environment of its own.
 */
import { execFile } from "node:child_process";
import * as path from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { imageDataUri } from "../../lib/processor/image-uri";
import { createTextGenerator } from "../../lib/rollout/text-generator";
import { imageFile, served, type Served } from "./served";

const python = process.env.FINE_R1_OPENAI_PYTHON;

describe.skipIf(python === undefined)("the client for Python", () => {
  let own: Served;
  beforeAll(async () => {
    own = await served();
  });

  it("gets models, answers, log-probs, a stream and errors", async () => {
    const image = await imageDataUri(imageFile("square"));
    const args = [path.join(__dirname, "python_client.py"), own.server.baseUrl, "fixture", image];
    const { stdout } = await promisify(execFile)(python!, args);
    const generator = createTextGenerator(own.config, own.processor, own.generationConfig);
    const content = [
      { type: "image" as const, image: imageFile("square") },
      { type: "text" as const, text: "Which is larger?" },
    ];
    const { text, logProbs } = await generator.generate(own.params, [{ role: "user", content }], {
      maxNewTokens: 12,
      temperature: 0,
      eosTokenIds: [],
    });
    expect(JSON.parse(stdout)).toEqual({
      version: expect.any(String) as string,
      models: ["fixture"],
      texts: [text, text],
      log_probs: logProbs.map((p) => expect.closeTo(p, 3) as number),
      streamed: text,
      completion_tokens: 12,
      error: "model_not_found",
    });
  });
});
