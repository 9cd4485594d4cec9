/**
 * The TypeScript side of the parity suite: runs a case made by reference.py and measures how far it is from the
 * reference.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { tokenLogProbs } from "../../lib/loss/log-probs";
import { loadModel } from "../../lib/model/checkpoint";
import { forward } from "../../lib/model/forward";
import { readHeader, readValues } from "../../lib/model/safetensors";
import type { Grid } from "../../lib/model/vision-plan";
import type { ContentPart, Message } from "../../lib/processor/chat-template";
import { collate, modelInputs } from "../../lib/processor/collate";
import { loadProcessor } from "../../lib/processor/processor";
import { loadTokenizer } from "../../lib/processor/tokenizer";
import type { Check } from "./checks";

/** One prompt of a case. */
export interface ReferenceRow {
  messages: Message[];
  text: string;
  images: string[];
  input_ids: number[];
  /** [3][T] */
  position_ids: number[][];
  rope_delta: number;
  image_grid_thw: Grid[];
  logits_every: number;
  patches_every: number;
}

/** How far a case is from its reference; the first three are counts of rows that differ. */
export interface CaseReport {
  rows: number;
  texts: number;
  tokenIds: number;
  positions: number;
  /** Largest difference of a pixel, in steps of 8 bits. */
  pixels: number;
  /** Largest |difference| / max(1, |reference|). */
  logits: number;
  /** Largest difference of a prompt token's log-probability, in nats. */
  logProbs: number;
  /** Largest |reference|, to see that the comparison means something. */
  largestLogit: number;
}

/** Messages whose images are files of the case. */
export const withPaths = (messages: Message[], dir: string): Message[] =>
  messages.map((message) => {
    if (typeof message.content === "string") return message;
    const content = message.content.map((part): ContentPart =>
      part.type === "image" ? { ...part, image: path.join(dir, "images", part.image) } : part,
    );
    return { ...message, content };
  });

/** Whether two lists of numbers are equal. */
export const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  a.length === b.length && Array.from(a).every((x, i) => x === b[i]);

/** Largest difference in 8-bit steps between patches and every n-th patch of the reference. */
function pixelDifference(
  ours: Float32Array,
  theirs: ArrayLike<number>,
  patchValues: number,
  every: number,
  std: number[],
): number {
  if (Math.ceil(ours.length / patchValues / every) * patchValues !== theirs.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < theirs.length; i++) {
    const within = i % patchValues;
    const channel = Math.floor((within * 3) / patchValues);
    const mine = ours[Math.floor(i / patchValues) * every * patchValues + within];
    worst = Math.max(worst, Math.abs(mine - theirs[i]) * std[channel] * 255);
  }
  return worst;
}

/** Runs all prompts of a case in one right-padded batch. */
export async function compareCase(dir: string): Promise<CaseReport> {
  const { rows } = JSON.parse(fs.readFileSync(path.join(dir, "reference.json"), "utf8")) as { rows: ReferenceRow[] };
  const reference = readHeader(path.join(dir, "reference.safetensors"));
  const processor = loadProcessor(path.join(dir, "model"));
  const { config, params } = loadModel(path.join(dir, "model"));
  const report: CaseReport = {
    rows: rows.length,
    texts: 0,
    tokenIds: 0,
    positions: 0,
    pixels: 0,
    logits: 0,
    logProbs: 0,
    largestLogit: 0,
  };
  const patchValues = config.vision.inChannels * config.vision.temporalPatchSize * config.vision.patchSize ** 2;
  const prompts = await Promise.all(rows.map((row) => processor.prompt(withPaths(row.messages, dir))));
  const host = collate(config, prompts, { padTokenId: processor.tokenizer.padTokenId ?? 0 });
  const inputs = modelInputs(config, host);
  const vocab = config.text.vocabSize;
  const [logits, logProbs] = tf.tidy(() => {
    const all = tf.reshape(forward(params, config, inputs), [-1, vocab]) as tf.Tensor2D;
    const next = Int32Array.from(host.inputIds, (_, i) => host.inputIds[i + 1] ?? 0);
    return [all.dataSync(), tokenLogProbs(all, tf.tensor1d(next, "int32")).dataSync()];
  });
  disposeTree(inputs, params);
  rows.forEach((row, b) => {
    const prompt = prompts[b];
    if (prompt.text !== row.text) report.texts++;
    if (
      !same(prompt.inputIds, row.input_ids) ||
      !same(
        prompt.images.flatMap((image) => image.grid),
        row.image_grid_thw.flat(),
      )
    ) {
      report.tokenIds++;
      return;
    }
    const length = row.input_ids.length;
    const axes = [0, 1, 2].map((axis) =>
      host.positionIds.slice((axis * host.batchSize + b) * host.length).slice(0, length),
    );
    if (host.ropeDeltas[b] !== row.rope_delta || !axes.every((axis, i) => same(axis, row.position_ids[i])))
      report.positions++;
    if (row.images.length > 0) {
      const pixels = Float32Array.from(prompt.images.flatMap((image) => Array.from(image.pixelValues)));
      report.pixels = Math.max(
        report.pixels,
        pixelDifference(
          pixels,
          readValues(reference, `${b}.pixel_values`),
          patchValues,
          row.patches_every,
          processor.imageConfig.imageStd,
        ),
      );
    }
    readValues(reference, `${b}.log_probs`).forEach(
      (wanted, t) => (report.logProbs = Math.max(report.logProbs, Math.abs(logProbs[b * host.length + t] - wanted))),
    );
    readValues(reference, `${b}.logits`).forEach((wanted, i) => {
      const place = (b * host.length + Math.floor(i / vocab) * row.logits_every) * vocab + (i % vocab);
      report.logits = Math.max(report.logits, Math.abs(logits[place] - wanted) / Math.max(1, Math.abs(wanted)));
      report.largestLogit = Math.max(report.largestLogit, Math.abs(wanted));
    });
  });
  return report;
}

/** The report as checks. Pixels are exact where nothing is resized and within one 8-bit step elsewhere. */
export const caseChecks = (report: CaseReport): Check[] => [
  { check: "rendered prompts that differ", worst: report.texts, tolerance: 0 },
  { check: "rows whose token ids or grids differ", worst: report.tokenIds, tolerance: 0 },
  { check: "rows whose positions differ", worst: report.positions, tolerance: 0 },
  { check: "pixels, |difference| in 1/255, Pillow's processor", worst: report.pixels, tolerance: 1.001 },
  { check: "logits, |difference| / max(1, |logit|)", worst: report.logits, tolerance: 1e-4 },
  { check: "log-probs of prompt tokens, |difference|", worst: report.logProbs, tolerance: 1e-4 },
];

/** Strings of a case's `tokens.json` whose ids or decoded text differ; null where the case has no such file. */
export function compareTokens(dir: string): { strings: number; differing: string[] } | null {
  const file = path.join(dir, "tokens.json");
  if (!fs.existsSync(file)) return null;
  const cases = JSON.parse(fs.readFileSync(file, "utf8")) as { text: string; ids: number[]; decoded: string }[];
  const tokenizer = loadTokenizer(path.join(dir, "model"));
  const differing = cases.filter(
    ({ text, ids, decoded }) => !same(tokenizer.encode(text), ids) || tokenizer.decode(ids) !== decoded,
  );
  return { strings: cases.length, differing: differing.map(({ text }) => text) };
}

/**
 * What differs between transformers' two image processors on a case's images; the one by torchvision resizes otherwise.
 */
export function torchvisionNotes(dir: string): string[] {
  const { torchvision } = JSON.parse(fs.readFileSync(path.join(dir, "reference.json"), "utf8")) as {
    torchvision: { images: string[]; largest: number; share: number }[];
  };
  const single = torchvision.filter(({ images }) => images.length === 1);
  const differing = single.filter(({ largest }) => largest > 0.5);
  if (differing.length === 0) return ["torchvision's processor makes the same pixels as Pillow's of all images"];
  const worst = differing.reduce((a, b) => (b.largest > a.largest ? b : a));
  const names = [...new Set(differing.flatMap(({ images }) => images))];
  const equal = [...new Set(single.flatMap(({ images }) => images))].filter((name) => !names.includes(name));
  return [
    `torchvision's processor differs from Pillow's by up to ${worst.largest.toFixed(1)}/255 (${worst.images.join(", ")}) on ${names.length} images: ${names.join(", ")}`,
    `there on ${(100 * Math.max(...differing.map(({ share }) => share))).toFixed(1)} % of an image's values at most; equal are ${equal.join(", ")}`,
  ];
}
