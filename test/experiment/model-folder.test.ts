import { mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { TRAINED_FILE, trainedPrompts } from "../../lib/experiment/model-folder";
import { loadSettings } from "../../lib/experiment/load-settings";
import { temporaryFolder } from "../benchmark/photographs/trees";

const root = temporaryFolder();
/** A model directory with this in the file that training leaves. */
function folder(name: string, content?: string): string {
  const model = path.join(root, name);
  mkdirSync(model);
  if (content !== undefined) writeFileSync(path.join(model, TRAINED_FILE), content);
  return model;
}

describe("a model that was trained here", () => {
  it("is asked in the words it was trained on, at the scale of its base", () => {
    const tiny = folder("tiny", '{"prompts": "tiny"}');
    expect(trainedPrompts({ model: tiny })).toBe("tiny");
    const load = (model: string) => loadSettings({ environment: {}, set: [`model=${model}`] });
    expect(load(tiny)).toMatchObject({ scale: "default", prompts: "tiny" });
    expect(load(folder("paper", '{"prompts": "paper"}'))).toMatchObject({ scale: "paper", prompts: "paper" });
    expect(load(folder("elsewhere"))).toMatchObject({ scale: "paper", prompts: "paper" });
  });

  it("with a wrong file is refused by name", () => {
    expect(() => trainedPrompts({ model: folder("wrong", '{"prompts": "rm"}') })).toThrow(
      /fine_r1\.json: prompts: expected/,
    );
    expect(() => trainedPrompts({ model: folder("no-json", "{") })).toThrow(/fine_r1\.json: no valid JSON/);
  });
});
