/**
 * `pretrain`: trains the tiny base from nothing and writes it as a Hugging Face directory, with its log.
 * It stands for the web pre-training of Qwen2.5-VL; see `lib/cot/corpus.ts` for what it reads.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { namedDrawings, namingConversations, perceptionConversation, textConversation } from "../lib/cot/corpus";
import type { Conversation } from "../lib/processor/conversation";
import type { Knowledge } from "../lib/benchmark/emoji-fgvr/knowledge";
import { ensureDrawings, IMAGE_SIZE, loadEmojiFgvr, loadImage } from "../lib/benchmark/emoji-fgvr";
import { emojiKnowledge } from "../lib/benchmark/emoji-fgvr/knowledge";
import { engineStats } from "../lib/engine/compile";
import { adamWDefaults, adamWInit, cosineSchedule } from "../lib/engine/optimizer";
import { foldIn, random } from "../lib/util/random";
import { tf, type Params } from "../lib/engine/tensorflow";
import { disposeTree } from "../lib/engine/tree";
import { saveModel } from "../lib/model/checkpoint";
import { initParams } from "../lib/model/init";
import { tinyConfig, tokenIds } from "../lib/model/tiny";
import { imagePlaces, visionInputs, visionPlan, type Grid, type ImagePlace } from "../lib/model/vision-plan";
import { chatTemplate } from "../lib/processor/chat-template";
import { conversationRow, TINY_TEMPLATE } from "../lib/processor/conversation";
import {
  CLIP_MEAN,
  CLIP_STD,
  preprocessorConfigToJson,
  type PreprocessorConfig,
} from "../lib/processor/preprocessor-config";
import { createProcessor } from "../lib/processor/processor";
import { trainTokenizer } from "../lib/processor/tokenizer-files";
import { createTokenizer } from "../lib/processor/tokenizer";
import { drawAugmentation } from "../lib/train/augment";
import { rowBatch, type RowBatch, type TrainingRow } from "../lib/train/batch";
import { loadImageBank } from "../lib/train/images";
import { AUXILIARY_WEIGHT, createPretrainStep } from "../lib/train/pretrain";
import { loadTrainingState, saveTrainingState, type Checkpointing } from "../lib/train/training-state";
import { hashTree } from "../lib/util/hash";
import type { PretrainOptions } from "./commands/pretrain";
import { print } from "./output";
import { RECIPES, type Recipe } from "./pretraining/recipes";
import { readTeacher } from "./pretraining/teacher";
import { visionPhase } from "./pretraining/vision-phase";

/** Where `tools/teacher` writes. */
const TEACHER_FOLDER = "data/cache/teacher";

const GRID: Grid = [1, 8, 8];

/** Draws concepts by weight. */
function sampler(knowledge: readonly Knowledge[], recipe: Recipe): (u: number) => Knowledge {
  let total = 0;
  const cumulative = knowledge.map((k) => (total += k.evaluated ? recipe.evaluatedWeight : 1));
  return (u) => knowledge[cumulative.findIndex((c) => u * total < c)] ?? knowledge[knowledge.length - 1];
}

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

export async function run(options: PretrainOptions): Promise<number> {
  const edition = options.benchmark;
  const recipe = RECIPES[edition];
  const {
    seed = 0,
    every,
    steps = recipe.steps,
    out = edition === "emoji-fgvr" ? "data/base" : "data/study-base",
  } = options;
  await ensureDrawings(edition);
  const benchmark = loadEmojiFgvr({ edition });
  const knowledge = await emojiKnowledge(benchmark);
  const files = trainTokenizer(tokenizerCorpus(knowledge, seed), {
    vocabSize: recipe.vocabSize,
    chatTemplate: TINY_TEMPLATE,
  });
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
  const conceptIndex = new Map(knowledge.map((k, i) => [k.id, i]));
  const draw = sampler(knowledge, recipe);
  const isFlag = new Set(benchmark.concepts.filter((c) => c.kind === "flag").map((c) => c.id));

  let params: Params = initParams(config, seed, { scheme: recipe.init });
  const size = Object.values(params).reduce((n, p) => n + p.size, 0);
  print(
    `vocabulary ${tokenizer.vocabSize}, ${(size / 1e6).toFixed(2)} M parameters, ${knowledge.length} concepts, ${bank.images.shape[0]} drawings`,
  );
  params[AUXILIARY_WEIGHT] = tf.randomNormal(
    [knowledge.length, config.vision.outHiddenSize],
    0,
    0.02,
    "float32",
    foldIn(seed, "auxiliary"),
  );
  const checkpoints = (phase: string, ...facts: unknown[]): Checkpointing => ({
    folder: path.join("data/cache/pretraining", edition, phase),
    everySteps: every,
    identity: identityOf(edition, phase, recipe, steps, seed, hashTree([`data/${edition}`]), ...facts),
  });
  if (recipe.vision) {
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
    for (const [name, tensor] of Object.entries(seen.params)) {
      if (name in params) {
        params[name].dispose();
        params[name] = tensor;
      } else tensor.dispose();
    }
    print(`vision tower: ${seen.log.length} steps`);
  }
  const optimizer = {
    ...adamWDefaults,
    beta2: 0.98,
    weightDecay: recipe.weightDecay,
    learningRateScale: (name: string) => (name.startsWith("visual.") ? recipe.visionLearningRateScale : 1),
  };
  const grids = new Array<Grid>(recipe.images).fill(GRID);
  const [vision, places] = [visionInputs(visionPlan(config, grids)), imagePlaces(config, grids)];

  /** Draws until the row fits. */
  const fit = (draw: () => Conversation, image: ImagePlace | null, limit: number): TrainingRow => {
    for (let attempt = 0; attempt < 100; attempt++) {
      const row = { ...conversationRow(draw(), processor, GRID), image };
      if (row.inputIds.length <= limit) return row;
    }
    throw new Error(`pretrain: no conversation of at most ${limit} tokens in 100 draws`);
  };
  const log = ["step,seconds,learning_rate,loss,language,auxiliary,grad_norm"];
  const save = (dir: string): void => {
    const { [AUXILIARY_WEIGHT]: _, ...model } = params;
    saveModel(dir, {
      config,
      params: model,
      generationConfig: { eosTokenIds: [config.eosTokenId!], padTokenId: config.padTokenId, doSample: false },
      dtype: "F32",
      files: {
        ...files,
        "preprocessor_config.json": `${JSON.stringify(preprocessorConfigToJson(preprocessor), null, 2)}\n`,
        "pretraining.csv": `${log.join("\n")}\n`,
        "pretraining.json": `${JSON.stringify({ ...recipe, steps, seed }, null, 2)}\n`,
      },
    });
  };
  const started = Date.now();
  let smooth: number[] | null = null;
  const step = createPretrainStep(config, preprocessor, {
    optimizer,
    maxGradNorm: recipe.maxGradNorm,
    auxiliaryWeight: recipe.auxiliaryWeight,
    bf16: recipe.bf16,
  });
  const checkpointing = checkpoints("language");
  const saved = loadTrainingState<string>(checkpointing, params);
  if (saved) disposeTree(params);
  params = saved?.params ?? params;
  let state = saved?.state ?? adamWInit(params);
  log.push(...(saved?.log ?? []));
  const secondsBefore = Number(saved?.log.at(-1)?.split(",")[1] ?? 0);
  const seconds = (): number => secondsBefore + (Date.now() - started) / 1000;
  for (let i = saved?.log.length ?? 0; i < steps; i++) {
    const r = random(foldIn(seed, "step", i));
    const drawn = Array.from({ length: recipe.images }, (_, n) => {
      const truth = draw(r.uniform());
      return { truth, drawing: r.choice(n < recipe.named ? namedDrawings(truth) : truth.drawings) };
    });
    const named = drawn.slice(0, recipe.named);
    const long = [
      ...named.map(({ truth, drawing }, n) =>
        fit(() => namingConversations(truth, drawing, r).rationale, places[n], recipe.longRow.tokens),
      ),
      ...Array.from({ length: recipe.texts }, () =>
        fit(() => textConversation(draw(r.uniform()), r), null, recipe.longRow.tokens),
      ),
    ];
    const short = drawn.map(({ truth, drawing }, n) =>
      fit(
        () =>
          n < recipe.named ? namingConversations(truth, drawing, r).direct : perceptionConversation(truth, drawing, r),
        places[n],
        recipe.shortRow.tokens,
      ),
    );
    const group = (rows: TrainingRow[], { tokens, places }: { tokens: number; places: number }): RowBatch =>
      rowBatch(
        rows.map((row) => [row]),
        config,
        { lengthBucket: tokens, placesBucket: places },
      );
    const batch = {
      imageIds: tf.tensor1d(
        drawn.map((d) => bank.indexOf(d.drawing.path)),
        "int32",
      ),
      augmentation: drawAugmentation(
        drawn.map((_, n) => foldIn(foldIn(seed, "augment", i), n)),
        IMAGE_SIZE,
        recipe.augmentation,
        drawn.map((d) => !isFlag.has(d.truth.id)),
      ),
      conceptIds: tf.tensor1d(
        drawn.map((d) => conceptIndex.get(d.truth.id)!),
        "int32",
      ),
      groups: [group(long, recipe.longRow), group(short, recipe.shortRow)],
    };
    const batchPlaces = batch.groups.map((g) => g.targets.size).join("+");
    const rate = recipe.learningRate * cosineSchedule(i, steps, recipe.warmupSteps, 0.02);
    const learningRate = tf.scalar(rate);
    const next = step(params, state, bank.images, { ...batch, vision }, learningRate);
    const numbers = ["loss", "language", "auxiliary", "gradNorm", "loss0", "loss1"].map(
      (name) => (next.metrics as Params)[name].dataSync()[0],
    );
    disposeTree(params, state, next.metrics, learningRate, batch);
    [params, state] = [next.params, next.state];
    if (!Number.isFinite(numbers[0]))
      throw new Error(`pretrain: the loss is ${numbers[0]} at step ${i}; nothing was saved after the last checkpoint`);
    smooth = smooth ? smooth.map((s, n) => 0.95 * s + 0.05 * numbers[n]) : numbers;
    log.push(
      [i + 1, seconds().toFixed(1), rate.toExponential(3), ...numbers.slice(0, 4).map((x) => x.toFixed(4))].join(","),
    );
    if ((i + 1) % 25 === 0 || i === 0) {
      print(
        `${i + 1}/${steps}  ${seconds().toFixed(0)} s  loss ${smooth[0].toFixed(3)}  rationale+text ${smooth[4].toFixed(3)}  short ${smooth[5].toFixed(3)}  concept head ${smooth[2].toFixed(3)}  grad ${numbers[3].toFixed(2)}  places ${batchPlaces}`,
      );
    }
    saveTrainingState(checkpointing, { params, state, log: log.slice(1) }, { steps });
  }
  disposeTree(state);
  save(out);
  disposeTree(params, vision);
  bank.dispose();
  print(
    `${out}: written; ${engineStats().length} compiled functions; ${fs.statSync(path.join(out, "model.safetensors")).size} bytes of weights`,
  );
  return 0;
}
