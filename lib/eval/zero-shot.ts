/** Zero-shot recognition by comparing an image with names: the contrastive baselines of the paper's tables. */
import type { Question } from "../benchmark/types";
import { chooseNames, type ChoiceRow } from "./choose";
import type { OnnxTowers } from "./onnx";
import type { PredictionRow } from "./rows";

/** CLIP's plain prompt (Radford et al. 2021, section 3.1.4); SigLIP's pipelines use the same words. */
export const DEFAULT_TEMPLATES = ["a photo of a {}."] as const;

/** Where a name goes. */
const PLACE = "{}";

/** A name in words: `_` reads as a space, as in scoring. */
const spoken = (name: string): string => name.replace(/_/g, " ");

/**
 * A vector for each name: the mean over the templates' unit vectors, scaled to length 1 (prompt ensembling, same
 * section).
 * @throws Error where a template has no place for the name
 */
export async function nameVectors(
  towers: Pick<OnnxTowers, "texts">,
  names: readonly string[],
  templates: readonly string[],
): Promise<Map<string, Float32Array>> {
  const bad = templates.find((template) => !template.includes(PLACE));
  if (templates.length === 0 || bad !== undefined)
    throw new Error(`prompt ${JSON.stringify(bad ?? "")}: no ${PLACE} in it, where the name goes`);
  const vectors = await towers.texts(
    names.flatMap((name) => templates.map((template) => template.replace(PLACE, () => spoken(name)))),
  );
  return new Map(
    names.map((name, i) => {
      const own = vectors.slice(i * templates.length, (i + 1) * templates.length);
      const mean = own[0].map((_, d) => own.reduce((sum, row) => sum + row[d], 0));
      const norm = Math.hypot(...mean);
      return [name, mean.map((x) => x / norm)];
    }),
  );
}

/** What a zero-shot run is told. */
export interface ZeroShotOptions {
  method: string;
  templates: readonly string[];
  /** Every name of a domain: the candidates of an open question. */
  namesOfDomain: ReadonlyMap<string, readonly string[]>;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Answers the questions that have an image; those without are given back. An image is read once, whatever asks about
 * it.
 */
export async function zeroShot(
  towers: Pick<OnnxTowers, "texts" | "images">,
  questions: readonly Question[],
  options: ZeroShotOptions,
): Promise<{ rows: PredictionRow[]; missing: Question[] }> {
  const { method, templates, namesOfDomain, onProgress } = options;
  const asked = questions.filter((question): question is Question & { image: string } => question.image !== null);
  const missing = questions.filter((question) => question.image === null);
  const files = new Map(asked.map((question) => [question.image_path, question.image]));
  const names = [...new Set(asked.flatMap((question) => question.options ?? namesOfDomain.get(question.domain) ?? []))];
  if (asked.length === 0) return { rows: [], missing };
  const vectors = await nameVectors(towers, names, templates);
  const images = await towers.images([...files.values()], onProgress);
  const table = { images: new Map([...files.keys()].map((image, i) => [image, images[i]])), names: vectors };
  const rows = asked.map(({ image: _image, where: _where, ...row }): ChoiceRow => row);
  return {
    rows: chooseNames(rows, table, { method, seed: 0, namesOfDomain: (domain) => namesOfDomain.get(domain) ?? [] }),
    missing,
  };
}
