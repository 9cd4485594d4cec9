/**
 * `pretrain`: trains the tiny base from nothing and writes it as a Hugging Face directory, with its log.
 * It stands for the web pre-training of Qwen2.5-VL; see `lib/cot/corpus.ts` for what it reads.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { namingConversations, textConversation } from "../lib/cot/corpus";
import type { Knowledge } from "../lib/benchmark/emoji-fgvr/knowledge";
import { ensureDrawings, IMAGE_SIZE, loadEmojiFgvr, loadImage } from "../lib/benchmark/emoji-fgvr";
import { emojiKnowledge } from "../lib/benchmark/emoji-fgvr/knowledge";
import { engineStats } from "../lib/engine/compile";
import { foldIn, random } from "../lib/util/random";
import type { Params } from "../lib/engine/tensorflow";
import { disposeTree } from "../lib/engine/tree";
import { loadModel, saveModel } from "../lib/model/checkpoint";
import { initParams } from "../lib/model/init";
import { tinyConfig, tokenIds } from "../lib/model/tiny";
import type { Grid } from "../lib/model/vision-plan";
import { chatTemplate } from "../lib/processor/chat-template";
import { TINY_TEMPLATE } from "../lib/processor/conversation";
import {
  CLIP_MEAN,
  CLIP_STD,
  preprocessorConfigToJson,
  type PreprocessorConfig,
} from "../lib/processor/preprocessor-config";
import { createProcessor } from "../lib/processor/processor";
import { trainTokenizer } from "../lib/processor/tokenizer-files";
import { createTokenizer } from "../lib/processor/tokenizer";
import { loadImageBank } from "../lib/train/images";
import type { Checkpointing } from "../lib/train/training-state";
import { readJson } from "../lib/util/files";
import { hashTree } from "../lib/util/hash";
import type { PretrainOptions } from "./commands/pretrain";
import { print } from "./output";
import { languagePhase, LOG_COLUMNS } from "./pretraining/language-phase";
import { RECIPES, type Recipe } from "./pretraining/recipes";
import { readTeacher } from "./pretraining/teacher";
import { visionPhase } from "./pretraining/vision-phase";

/** Where `tools/teacher` writes. */
const TEACHER_FOLDER = "data/cache/teacher";

const GRID: Grid = [1, 8, 8];

const RECIPE_FILE = "pretraining.json";
const LOG_FILE = "pretraining.csv";

function* tokenizerCorpus(knowledge: readonly Knowledge[], seed: number): Generator<string> {
  for (let round = 0; round < 4; round++) {
    for (const [i, k] of knowledge.entries()) {
      const r = random(foldIn(seed, "tokenizer", round, i));
      const { rationale, direct } = namingConversations(k, r.choice(k.drawings), r);
      for (const conversation of [rationale, direct, textConversation(k, r)])
        for (const turn of conversation.turns) yield `user\n${turn.user}\nassistant\n${turn.assistant}`;
    }
  }
  for (const k of knowledge) yield `Options: ${k.name}, ${k.name}. ${k.words.join(" ")}`;
}

/** A checkpoint's identity: what the phase depends on. */
const identityOf = (...facts: unknown[]): string =>
  createHash("sha256")
    .update(JSON.stringify([hashTree(["lib/train", "lib/model", "lib/cot"]), ...facts]))
    .digest("hex");

/** A base that the first phases have made. */
interface Begun {
  params: Params;
  /** Language phases that it has seen. */
  phases: number;
  log: string[];
}

/**
 * Reads a base to go on from.
 * @throws Error where its recipe is not this one's beginning, or its tokenizer another
 */
function readBegun(dir: string, recipe: Recipe, seed: number, files: Readonly<Record<string, string>>): Begun {
  const made = readJson(path.join(dir, RECIPE_FILE)) as { language?: unknown };
  const phases = Array.isArray(made.language) ? made.language.length : 0;
  const expected: unknown = JSON.parse(JSON.stringify({ ...recipe, language: recipe.language.slice(0, phases), seed }));
  if (phases === 0 || !isDeepStrictEqual(made, expected))
    throw new Error(
      `${path.join(dir, RECIPE_FILE)}: not the beginning of this recipe; train from nothing without --from`,
    );
  if (fs.readFileSync(path.join(dir, "tokenizer.json"), "utf8") !== files["tokenizer.json"])
    throw new Error(`${path.join(dir, "tokenizer.json")}: not the tokenizer of this corpus; train without --from`);
  const log = fs.readFileSync(path.join(dir, LOG_FILE), "utf8").trim().split("\n").slice(1);
  return { params: loadModel(dir).params, phases, log };
}

export async function run(options: PretrainOptions): Promise<number> {
  const edition = options.benchmark;
  const {
    seed = 0,
    every,
    steps = Infinity,
    from,
    out = edition === "emoji-fgvr" ? "data/base" : "data/study-base",
  } = options;
  const whole = RECIPES[edition];
  await ensureDrawings(edition);
  const benchmark = loadEmojiFgvr({ edition });
  const knowledge = await emojiKnowledge(benchmark);
  const files = trainTokenizer(tokenizerCorpus(knowledge, seed), {
    vocabSize: whole.vocabSize,
    chatTemplate: TINY_TEMPLATE,
  });
  const begun = from === undefined ? null : readBegun(from, whole, seed, files);
  const recipe: Recipe = {
    ...whole,
    language: whole.language.map((phase, number) =>
      number < (begun?.phases ?? 0) ? phase : { ...phase, steps: Math.min(phase.steps, steps) },
    ),
  };
  const tokenizer = createTokenizer(JSON.parse(files["tokenizer.json"]), JSON.parse(files["tokenizer_config.json"]));
  const preprocessor: PreprocessorConfig = {
    minPixels: 32 * 32,
    maxPixels: 128 * 128,
    patchSize: 8,
    temporalPatchSize: 2,
    mergeSize: 2,
    imageMean: CLIP_MEAN,
    imageStd: CLIP_STD,
    rescaleFactor: 1 / 255,
  };
  const processor = createProcessor(tokenizer, chatTemplate(TINY_TEMPLATE), preprocessor);
  const tiny = tinyConfig(tokenizer.vocabSize, tokenIds(tokenizer));
  const config = { ...tiny, vision: { ...tiny.vision, ...recipe.tower } };
  const bank = await loadImageBank(
    knowledge.flatMap((k) => k.drawings.map((d) => d.path)),
    IMAGE_SIZE,
    loadImage,
  );
  const isFlag = new Set(benchmark.concepts.filter((c) => c.kind === "flag").map((c) => c.id));
  const checkpoints = (phase: string, ...facts: unknown[]): Checkpointing => ({
    folder: path.join("data/cache/pretraining", edition, phase),
    everySteps: every,
    identity: identityOf(edition, phase, recipe, seed, hashTree([`data/${edition}`]), ...facts),
  });

  let params: Params = initParams(config, seed, { scheme: recipe.init });
  const size = Object.values(params).reduce((n, p) => n + p.size, 0);
  print(
    `vocabulary ${tokenizer.vocabSize}, ${(size / 1e6).toFixed(2)} M parameters, ${knowledge.length} concepts, ${bank.images.shape[0]} drawings`,
  );
  const take = (trained: Params): void => {
    for (const [name, tensor] of Object.entries(trained)) {
      if (name in params) {
        params[name].dispose();
        params[name] = tensor;
      } else tensor.dispose();
    }
  };
  if (begun) take(begun.params);
  else if (recipe.vision) {
    const pixels = new Map<string, Uint8Array>();
    for (const file of knowledge.flatMap((k) => k.drawings.map((d) => d.path)))
      pixels.set(file, (await loadImage(file)).data);
    const seen = visionPhase(
      config,
      preprocessor,
      { recipe, vision: recipe.vision },
      {
        knowledge,
        pixels: (file) => pixels.get(file)!,
        size: IMAGE_SIZE,
        teacher: readTeacher(TEACHER_FOLDER, IMAGE_SIZE),
        isFlag,
      },
      { seed, checkpointing: checkpoints("vision") },
    );
    take(seen.params);
    print(`vision tower: ${seen.log.length} steps`);
  }

  const log = begun?.log ?? [];
  for (const [number, phase] of recipe.language.entries()) {
    if (number < (begun?.phases ?? 0)) continue;
    const name = number === 0 ? "language" : `language-${number + 1}`;
    print(`${name}: ${phase.steps} steps`);
    const trained = languagePhase(
      config,
      processor,
      preprocessor,
      { recipe, phase, number },
      { knowledge, bank, size: IMAGE_SIZE, grid: GRID, isFlag },
      params,
      { seed, checkpointing: checkpoints(name, from === undefined ? null : hashTree([from])) },
    );
    params = trained.params;
    log.push(...trained.log.map((line) => `${number + 1},${line}`));
  }
  saveModel(out, {
    config,
    params,
    generationConfig: { eosTokenIds: [config.eosTokenId!], padTokenId: config.padTokenId, doSample: false },
    dtype: "F32",
    files: {
      ...files,
      "preprocessor_config.json": `${JSON.stringify(preprocessorConfigToJson(preprocessor), null, 2)}\n`,
      [LOG_FILE]: `phase,${LOG_COLUMNS}\n${log.join("\n")}\n`,
      [RECIPE_FILE]: `${JSON.stringify({ ...recipe, seed }, null, 2)}\n`,
    },
  });
  disposeTree(params);
  bank.dispose();
  print(
    `${out}: written; ${engineStats().length} compiled functions; ${fs.statSync(path.join(out, "model.safetensors")).size} bytes of weights`,
  );
  return 0;
}
