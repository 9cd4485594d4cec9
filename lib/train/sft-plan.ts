/** Which rows an SFT run reads at which step: drawn and packed before the first. */
import { conversationRow, conversationRows, type Conversation } from "../processor/conversation";
import { commonShape, type VisionShape } from "../model/vision-plan";
import { foldIn, random } from "../util/random";
import type { BatchShape, TrainingRow } from "./batch";
import { packLengths } from "./pack";
import type { SftSettings } from "./settings";
import type { Workbench } from "./workbench";

/** What is drawn from. */
export interface SftSource {
  /** One image, one user turn, one response each. */
  conversations: readonly Conversation[];
  /** Draws a further row per batch place from pre-training data (`replayRows`). */
  replay?: (seed: number) => Conversation;
  seed: number;
}

/** The rows of one part of a mini-batch, packed. */
export interface PlannedPart {
  images: string[];
  augmentationSeeds: number[];
  packed: TrainingRow[][];
}

/** One mini-batch of a run, and the shapes that it is padded to; plain JSON. */
export interface PlannedStep {
  parts: PlannedPart[];
  shape: BatchShape;
  visionShape: VisionShape;
}

/** Every part of every mini-batch of a run, and the one shape that all of them fit in. */
export interface PlannedRun {
  steps: PlannedPart[][];
  shape: BatchShape;
  visionShape: VisionShape;
}

/**
 * Draws a whole run. Rows are packed into rows as long as the longest: longer packs would waste less and cost more
 * attention (measured: two of the longest in one are 10 % slower).
 */
export function planRun(bench: Workbench, settings: SftSettings, run: SftSource): PlannedRun {
  const { conversations, seed } = run;
  const replayRows = run.replay ? settings.replayRows : 0;
  if (replayRows >= settings.batchSize)
    throw new Error(`SFT: sft.replayRows (${replayRows}) leaves no room in sft.batchSize (${settings.batchSize})`);
  const encoded = conversationRows(conversations, bench.processor, bench.images.grid);
  const parts = settings.gradientAccumulationSteps;
  // a batch larger than what there is takes every record once
  const ownRows = Math.min(settings.batchSize - replayRows, conversations.length);
  const perPart = Math.ceil((ownRows + replayRows) / parts);
  const perEpoch = Math.ceil(conversations.length / ownRows);
  const drawn = Array.from({ length: settings.epochs * perEpoch }, (_, index) => {
    const [epoch, b] = [Math.floor(index / perEpoch), index % perEpoch];
    const order = random(foldIn(seed, "sft-order", epoch)).shuffle(conversations.map((_, i) => i));
    const own = Array.from({ length: ownRows }, (_, i) => order[(b * ownRows + i) % order.length]);
    const rows = own.map((i) => ({ image: conversations[i].image!, row: encoded[i] }));
    for (let i = 0; i < replayRows; i++) {
      const conversation = run.replay!(foldIn(seed, "sft-replay", index, i));
      const image = conversation.image!;
      rows.push({ image, row: conversationRow(conversation, bench.processor, bench.images.grid(image)) });
    }
    return rows.map((row, i) => ({ ...row, augmentationSeed: foldIn(seed, "sft-augment", index, i) }));
  });
  return packRows(bench, drawn, perPart);
}

/** A row, the image that it is about, and the seed that changes it. */
interface DrawnRow {
  image: string;
  row: Omit<TrainingRow, "image">;
  augmentationSeed: number;
}

/** Rows of each mini-batch, packed, in parts of `perPart` rows. */
function packRows(bench: Workbench, drawn: readonly (readonly DrawnRow[])[], perPart: number): PlannedRun {
  const capacity = Math.max(...drawn.flat().map(({ row }) => row.inputIds.length));
  const steps = drawn.map((rows) =>
    Array.from({ length: Math.ceil(rows.length / perPart) }, (_, p): PlannedPart => {
      const part = rows.slice(p * perPart, (p + 1) * perPart);
      const images = part.map(({ image }) => image);
      const places = bench.places(images);
      const bins = packLengths(
        part.map(({ row }) => row.inputIds.length),
        capacity,
      );
      return {
        images,
        augmentationSeeds: part.map((row) => row.augmentationSeed),
        packed: bins.map((bin) => bin.map((i) => ({ ...part[i].row, image: places[i] }))),
      };
    }),
  );
  const all = steps.flat();
  const most = (count: (part: PlannedPart) => number): number => all.reduce((n, part) => Math.max(n, count(part)), 0);
  return {
    steps,
    shape: {
      lengthBucket: most(({ packed }) =>
        Math.max(...packed.map((rows) => rows.reduce((n, row) => n + row.inputIds.length, 0))),
      ),
      rowsBucket: most(({ packed }) => packed.length),
      placesBucket: most(scoredTokens),
    },
    visionShape: commonShape(all.map(({ images }) => bench.shape(images))),
  };
}

/**
 * Draws the pre-training rows of every update of a run.
 * @param updates how many
 * @param rows of each; a multiple of `parts`
 */
export function planReplay(
  bench: Workbench,
  replay: (seed: number) => Conversation,
  { updates, rows, parts, seed }: { updates: number; rows: number; parts: number; seed: number },
): PlannedRun {
  const drawn = Array.from({ length: updates }, (_, u) =>
    Array.from({ length: rows }, (_, i): DrawnRow => {
      const conversation = replay(foldIn(seed, "replay", u, i));
      const image = conversation.image!;
      const row = conversationRow(conversation, bench.processor, bench.images.grid(image));
      return { image, row, augmentationSeed: foldIn(seed, "replay-augment", u, i) };
    }),
  );
  return packRows(bench, drawn, rows / parts);
}

export function scoredTokens({ packed }: PlannedPart): number {
  return packed.flat().reduce((n, row) => n + row.predicted.filter(Boolean).length, 0);
}

export const readTokens = (parts: readonly PlannedPart[]): number =>
  parts.flatMap(({ packed }) => packed.flat()).reduce((n, { inputIds }) => n + inputIds.length, 0);
