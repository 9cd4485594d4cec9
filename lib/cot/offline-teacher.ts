/**
 * The offline teacher of the shipped data: the base model itself, asked what it sees and what it would answer, with
 * colours measured on the pixels. It is never told the label.
 */
import type { Observation } from "./build";
import { tinyPrompts } from "../benchmark/prompts";
import { foldIn } from "../util/random";
import type { Params, Tensor } from "../engine/tensorflow";
import { extractAnswer } from "../reward/extract";
import { withFeatures } from "../train/with-features";
import type { Workbench } from "../train/workbench";

/** An image to be described. */
export interface TeacherImage {
  image: string;
  concept: string;
  domain: string;
  question: string;
  colors: readonly string[];
}

/** How often it is asked. */
export interface TeacherOptions {
  descriptions: number;
  beliefs: number;
  seed: number;
  batchSize?: number;
  /** Observations of the first images that an earlier call made; those of whole batches, or all, are not made again. */
  known?: readonly Observation[];
  /** Called after each batch with what it came to. */
  onBatch?: (done: number, total: number, fresh: readonly Observation[]) => void | Promise<void>;
}

/** The words after the colours of `" red white, head snout tusks."`. */
export function parseDescription(text: string): string[] {
  const [, words = ""] = text.replace(/\.\s*$/, "").split(",");
  return [
    ...new Set(
      words
        .trim()
        .split(/\s+/)
        .filter((word) => /^[a-z]+$/.test(word)),
    ),
  ];
}

/** Images described at once: what is sampled depends on which are together. */
export const OBSERVED_AT_ONCE = 48;

/** Observations of all images, in order. */
export async function observe(
  params: Params,
  bench: Workbench,
  images: readonly TeacherImage[],
  options: TeacherOptions,
): Promise<Observation[]> {
  const { batchSize = OBSERVED_AT_ONCE, known = [] } = options;
  const isWhole = known.length >= images.length;
  const out = known.slice(0, isWhole ? images.length : Math.floor(known.length / batchSize) * batchSize);
  for (let start = out.length; start < images.length; start += batchSize) {
    const batch = images.slice(start, start + batchSize);
    const paths = batch.map((b) => b.image);
    await bench.images.load(paths);
    const places = bench.places(paths);
    const ask = (features: Tensor, texts: readonly string[], numGenerations: number, purpose: string): string[][] => {
      const prompts = texts.map((text, i) => bench.prompt(text, places[i]));
      const rollouts = bench.generator.generate(
        params,
        { prompts, features },
        {
          numGenerations,
          maxNewTokens: 24,
          temperature: 1,
          topP: 1,
          eosTokenIds: bench.eosTokenIds,
          bannedTokenIds: bench.bannedTokenIds,
          seed: foldIn(options.seed, purpose, start),
        },
      );
      return texts.map((_, i) =>
        rollouts.filter((r) => r.promptIndex === i).map((r) => bench.processor.tokenizer.decode(r.tokenIds)),
      );
    };
    const descriptions = batch.map(() => "Describe.");
    const questions = batch.map((b) => tinyPrompts.direct(b.question));
    const { described, answered } = withFeatures(bench, params, paths, (features) => ({
      described: ask(features, descriptions, options.descriptions, "describe"),
      answered: ask(features, questions, options.beliefs, "believe"),
    }));
    batch.forEach(({ image, concept, domain, colors }, i) => {
      const beliefs = new Map<string, number>();
      for (const text of answered[i]) {
        const name = extractAnswer(text);
        if (name) beliefs.set(name, (beliefs.get(name) ?? 0) + 1);
      }
      out.push({ image, concept, domain, colors, descriptions: described[i].map(parseDescription), beliefs });
    });
    await options.onBatch?.(out.length, images.length, out.slice(start));
  }
  return out;
}
