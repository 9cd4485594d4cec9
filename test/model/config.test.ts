import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel } from "../../lib/model/checkpoint";
import { configToJson, parseConfig } from "../../lib/model/config";
import { publishedConfigJson } from "../../lib/model/published";
import { temporaryFolder } from "../benchmark/photographs/trees";

const base = publishedConfigJson("Qwen2.5-VL-3B-Instruct");
/** The nested layout of newer transformers: the decoder in `text_config`. */
function nested(root: object, text: object): Record<string, unknown> {
  const { model_type, vision_config, eos_token_id: _, tie_word_embeddings: __, ...decoder } = base;
  return { model_type, vision_config, ...root, text_config: { ...decoder, ...text } };
}

describe("tie_word_embeddings", () => {
  it.each<[unknown, unknown, boolean]>([
    [false, true, false],
    [true, false, true],
    [undefined, true, true],
    [undefined, false, false],
    [null, true, true],
    [undefined, undefined, false],
  ])("outer %s, in text_config %s: %s", (outer, inner, tied) =>
    expect(parseConfig(nested({ tie_word_embeddings: outer }, { tie_word_embeddings: inner })).tieWordEmbeddings).toBe(
      tied,
    ),
  );
  it("is true or false", () =>
    expect(() => parseConfig(nested({}, { tie_word_embeddings: "no" }), "c.json")).toThrow(
      /c\.json: text_config\.tie_word_embeddings is "no"; expected true or false/,
    ));
  it("false above true: the untied model loads with its own output layer", () => {
    const dir = path.join(temporaryFolder(), "untied");
    fs.cpSync(path.join(__dirname, "../fixtures/parity/fixture-untied/model"), dir, { recursive: true });
    const file = path.join(dir, "config.json");
    const json = JSON.parse(fs.readFileSync(file, "utf8")) as { text_config?: object };
    const text = Object.fromEntries(
      Object.entries(configToJson(parseConfig(json))).filter(([key]) => key !== "vision_config"),
    );
    fs.writeFileSync(
      file,
      JSON.stringify({
        ...json,
        tie_word_embeddings: false,
        text_config: { ...text, ...json.text_config, tie_word_embeddings: true },
      }),
    );
    const { config, params } = loadModel(dir);
    expect(config.tieWordEmbeddings).toBe(false);
    expect(params["lm_head.weight"].shape).toEqual(params["model.embed_tokens.weight"].shape);
    disposeTree(params);
  });
});

describe("eos_token_id", () => {
  it("is one token or a list, of the root or of text_config, and is written as it was read", () => {
    const of = (root: object, text: object): unknown[] => {
      const config = parseConfig(nested(root, text));
      expect(parseConfig(configToJson(config))).toEqual(config);
      return [config.eosTokenId, config.eosTokenIds];
    };
    expect(of({ eos_token_id: 7 }, {})).toEqual([7, undefined]);
    expect(of({}, { eos_token_id: 7 })).toEqual([7, undefined]);
    expect(of({ eos_token_id: [306, 305] }, { eos_token_id: 7 })).toEqual([306, [306, 305]]);
    expect(of({}, { eos_token_id: [306, 305] })).toEqual([306, [306, 305]]);
    expect(of({ eos_token_id: [] }, {})).toEqual([undefined, undefined]);
    expect(of({ eos_token_id: null }, {})).toEqual([undefined, undefined]);
  });
  it.each(["x", -1, [1, "x"], [[1]], 1.5])("refuses %j", (bad) =>
    expect(() => parseConfig(nested({ eos_token_id: bad }, {}), "c.json")).toThrow(
      /c\.json: eos_token_id is .*; expected a token id or a list of them/,
    ),
  );
});
