/** A photographic image set as a benchmark: few-shot images of the training portion, the split, published questions. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { isSetName, type SetName } from "../../formats/set-names";
import { badRows } from "../../util/lines";
import { SPLITS } from "../types";
import type { Benchmark, BenchmarkImage, Question, QuestionRequest, QuestionSet, Role, Subcategory } from "../types";
import { setDescription } from "./catalog";
import { resolveImage } from "./paths";
import { linkReleased, releasedQuestions } from "./questions";
import { readReleased, releasedFile } from "./released";
import { devImages, fewShots } from "./shots";
import { splitOf, type SubcategorySplit } from "./splits";
import type { ImageSet, SetImage } from "./types";

/** How a set is made into a benchmark. */
export interface PhotographOptions {
  /** Training images of a sub-category; default 4, the paper's. */
  shots?: number;
  /** Draws them; default 0. */
  seed?: number;
  /** Asked about every image in place of the set's own question. */
  question?: string;
}

/** Size of every image file: with the names, what the images are known by. */
function fingerprintOf(set: ImageSet, split: SubcategorySplit, options: PhotographOptions): string {
  const hash = createHash("sha256").update(JSON.stringify([set.name, options, split.seen, split.unseen]));
  for (const { path, name, portion } of set.images) {
    const file = resolveImage(set.root, path);
    hash.update(JSON.stringify([path, name, portion, file === null ? null : statSync(file).size]));
  }
  return hash.digest("hex");
}

/** Questions of the released rows of one of the six sets; null where a side that is asked for has none. */
function released(set: ImageSet, name: SetName, request: QuestionRequest): QuestionSet | null {
  const { setting, splits = SPLITS, role = "test", seed = 0, optionOrder, onBadRow = "stop" } = request;
  if (role !== "test" || splits.some((split) => !existsSync(releasedFile(name, split)))) return null;
  const questions: Question[] = [];
  const { skipped, add } = badRows(onBadRow);
  const known = new Set(set.names);
  for (const split of splits) {
    const file = releasedFile(name, split);
    const { rows, lines, skipped: bad } = readReleased(file, onBadRow);
    bad.forEach(add);
    const { images, disagree } = linkReleased(set, rows);
    releasedQuestions(rows, { domain: name, split, setting, order: optionOrder, seed }).forEach((row, i) => {
      if (!known.has(row.ground_truth)) return; // a set with some of the published classes
      const image = images[i];
      if (disagree.includes(rows[i])) {
        const reason = `${rows[i].image_path} is "${rows[i].ground_truth}" here and "${image!.name}" in the set`;
        add({ file, line: lines[i], reason });
        return;
      }
      const found = image === null ? null : resolveImage(set.root, image.path);
      questions.push({ ...row, image: found, where: `${file}, line ${lines[i]}` });
    });
  }
  return { name, questions, skipped };
}

/** A set's images by role and sub-category, with who they are. */
function imagesByRole(set: ImageSet, of: ReadonlyMap<string, Subcategory>, { shots = 4, seed = 0 }: PhotographOptions) {
  const fewshot = fewShots(set, set.names, { count: shots, seed, allowFewer: true });
  const roles: Record<Role, readonly SetImage[]> = {
    fewshot,
    dev: devImages(set, fewshot),
    test: set.images.filter(({ portion }) => portion === "test"),
  };
  const resolved = new Map<string, Map<string, BenchmarkImage[]>>();
  for (const [role, images] of Object.entries(roles)) {
    const bySubcategory = new Map<string, BenchmarkImage[]>();
    for (const { path, name } of images) {
      const subcategory = of.get(name)!;
      const image = { id: `${set.name}/${path}`, file: resolveImage(set.root, path), subcategory, key: [path] };
      bySubcategory.set(subcategory.id, [...(bySubcategory.get(subcategory.id) ?? []), image]);
    }
    resolved.set(role, bySubcategory);
  }
  return resolved;
}

/** A set as a benchmark. @throws Error where its split cannot be told, naming file or class */
export function photographBenchmark(set: ImageSet, options: PhotographOptions = {}): Benchmark {
  const split = splitOf(set);
  const { title, question, kind } = setDescription(set.name);
  const seen = new Set(split.seen);
  const subcategories = set.names.map((name): Subcategory => ({
    id: `${set.name}/${name}`,
    name,
    domain: set.groups?.get(name)?.domain ?? set.name,
    split: seen.has(name) ? "seen" : "unseen",
  }));
  const kin = new Map(subcategories.map(({ id, name }) => [id, set.groups?.get(name)?.kin]));
  const images = imagesByRole(set, new Map(subcategories.map((one) => [one.name, one])), options);
  const name = set.name;
  return {
    name,
    title,
    domains: [...new Set(subcategories.map(({ domain }) => domain))],
    fingerprint: fingerprintOf(set, split, options),
    splitSource: split.source,
    subcategories: (only = {}) =>
      subcategories.filter(
        (one) => (only.domain ?? one.domain) === one.domain && (only.split ?? one.split) === one.split,
      ),
    images: (role, of) =>
      (of ? [of] : subcategories).flatMap((subcategory) => images.get(role)!.get(subcategory.id) ?? []),
    question: (domain) => options.question ?? question(domain),
    kind: (domain) => kind(domain),
    neighbours: () => null,
    kin: ({ id }) => kin.get(id),
    questions: isSetName(name) ? (request) => released(set, name, request) : undefined,
  };
}
