/**
 * Builds Emoji-FGVR's committed files, `data/emoji-fgvr/{concepts,splits}.json`, from the pinned npm packages and the
 * hand-written `visual-words.json`. Deterministic; run it after one of these changed:
 *
 *     npx tsx tools/build-emoji-fgvr.ts
 */
import * as path from "node:path";
import * as hash from "../lib/benchmark/emoji-fgvr/hash";
import { mapEmoji } from "../lib/benchmark/emoji-fgvr/mapping";
import { COLOR_WORDS, measure } from "../lib/benchmark/emoji-fgvr/measure";
import { packageVersion } from "../lib/benchmark/emoji-fgvr/packages";
import { readJson } from "../lib/util/files";
import { dataFolder } from "../lib/benchmark/emoji-fgvr/paths";
import { rasterise } from "../lib/benchmark/emoji-fgvr/render";
import * as select from "../lib/benchmark/emoji-fgvr/select";
import { rankBySimilarity, type Appearance } from "../lib/benchmark/emoji-fgvr/similarity";
import type { DesignerRole, Style } from "../lib/benchmark/emoji-fgvr/types";
import { writeWhole } from "../lib/benchmark/emoji-fgvr/write";
import { sharesStem } from "../lib/util/stem";

const SEED = 17;
const MAX_KEYWORDS = 4;
const MAX_TAG_WORDS = 3;

type VisualWords = Record<string, Record<string, string[]>>;
type Images = Map<string, hash.HashedImage>;

const imageKey = (style: Style, id: string): string => `${style}/${id}`;

async function rasteriseAll(candidates: readonly select.Candidate[]): Promise<Images> {
  const images: Images = new Map();
  const jobs = candidates.flatMap((c) => usedStyles(c).map((style) => ({ c, style })));
  const worker = async (): Promise<void> => {
    for (let job = jobs.pop(); job; job = jobs.pop()) {
      const image = await rasterise(select.STYLES[job.style].package, job.c.drawings[job.style]);
      images.set(imageKey(job.style, job.c.id), { image, hash: hash.perceptualHash(image) });
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  return images;
}

/** The styles of a candidate that the benchmark uses. */
function usedStyles(c: select.Candidate): Style[] {
  if (c.domain === null) return select.stylesOf(c, "pretraining");
  const roles: DesignerRole[] = ["pretraining", "dev", "test"];
  return [...roles.flatMap((role) => select.stylesOf(c, role)), ...select.fewShotStyles(c.domain)];
}

interface Duplicate {
  test: string;
  other: string;
  bits: number;
  color: number;
}

/** Candidates (flags, or all others) whose test drawing is a near-duplicate of a drawing of another role. */
function nearDuplicates(
  candidates: readonly select.Candidate[],
  images: Images,
  flags: boolean,
): Map<string, Duplicate> {
  const found = new Map<string, Duplicate>();
  const role = (key: string): DesignerRole => select.STYLES[key.split("/")[0]].role;
  const isFlag = new Set(candidates.filter((c) => c.domain === "flag").map((c) => c.id));
  const sorted = [...images].sort(([a], [b]) => (a < b ? -1 : 1)); // they were drawn in no fixed order
  const own = sorted.filter(([key]) => isFlag.has(key.split("/")[1]) === flags);
  const pool = own.filter(([key]) => role(key) !== "test");
  for (const [key, test] of own) {
    const id = key.split("/")[1];
    if (role(key) !== "test") continue;
    for (const [otherKey, other] of pool) {
      if (found.has(id) || !hash.nearDuplicate(test, other)) continue;
      const color = Number(hash.colorDistance(test.image, other.image).toFixed(2));
      found.set(id, { test: key, other: otherKey, bits: hash.hammingDistance(test.hash, other.hash), color });
    }
  }
  return found;
}

/** Tags that are single words, occur at two concepts or more and share no stem with the name; frequent ones first. */
function tagWords(c: select.Candidate, frequency: ReadonlyMap<string, number>): string[] {
  const words = [...new Set(c.tags.map((tag) => tag.toLowerCase()))].filter(
    (tag) =>
      /^[a-z]{2,}$/.test(tag) &&
      (frequency.get(tag) ?? 0) >= 2 &&
      sharesStem(tag, [c.name], { compounds: false }) === null,
  );
  const rank = (tag: string): number => Math.min(frequency.get(tag) ?? 0, 12);
  return words.sort((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1));
}

function kindOf(c: select.Candidate): string {
  if (c.subgroup === "country-flag") return "flag";
  if (c.subgroup === "drink") return "drink";
  if (/^food-(prepared|asian)$/.test(c.subgroup)) return "dish";
  if (c.subgroup === "transport-ground") return "land";
  if (/^(place|face|sky|light|book)-/.test(c.subgroup)) return c.subgroup.split("-")[0];
  return c.subgroup.split("-").slice(-1)[0];
}

function meanShares(c: select.Candidate, images: Images): Record<string, number> {
  const styles = usedStyles(c).filter((style) => ["pretraining", "fewshot"].includes(select.STYLES[style].role));
  const subject = c.domain === "flag" ? "flag" : "object";
  const shares = styles.map(
    (style) => measure((images.get(imageKey(style, c.id)) as hash.HashedImage).image, subject).shares,
  );
  return Object.fromEntries(COLOR_WORDS.map((w) => [w, shares.reduce((sum, s) => sum + s[w], 0) / shares.length]));
}

/** JSON with one array element or record entry a line, so that diffs stay readable. */
function lines(items: readonly unknown[]): string {
  return `[\n${items.map((item) => `  ${JSON.stringify(item)}`).join(",\n")}\n]`;
}

async function main(): Promise<void> {
  const folder = dataFolder();
  const table = readJson(path.join(folder, "visual-words.json")) as VisualWords;
  const emoji = mapEmoji();
  const eligible = select.eligible(emoji);
  const firstGuess = select.choosePretraining(emoji, []);
  const images = await rasteriseAll(eligible);
  const pretrainingImages = await rasteriseAll(firstGuess);
  const all: Images = new Map([...pretrainingImages, ...images]);
  const duplicates = nearDuplicates(eligible, all, false);
  const chosen = select.chooseSubcategories(eligible.filter((c) => !duplicates.has(c.id)));
  const pretraining = select.choosePretraining(emoji, chosen);
  const seen = select.chooseSeen(chosen, SEED);

  const frequency = new Map<string, number>();
  for (const c of [...chosen, ...pretraining])
    for (const tag of new Set(c.tags.map((t) => t.toLowerCase()))) frequency.set(tag, (frequency.get(tag) ?? 0) + 1);

  const appearances = new Map<string, Appearance>();
  const problems: string[] = [];
  for (const c of chosen) {
    const visualWords = table[c.domain as string]?.[c.name];
    if (!visualWords) problems.push(`visual-words.json: field "${c.domain}.${c.name}" is missing`);
    appearances.set(c.id, { id: c.id, visualWords: visualWords ?? [], shares: meanShares(c, images) });
  }
  for (const c of chosen) {
    const names = chosen.filter((other) => other.domain === c.domain).map((other) => other.name);
    for (const word of appearances.get(c.id)?.visualWords ?? []) {
      const name = sharesStem(word, names);
      if (name !== null) problems.push(`visual-words.json: "${word}" of "${c.name}" shares a stem with "${name}"`);
    }
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));

  const concepts = [...chosen, ...pretraining].map((c) => {
    const keywords = tagWords(c, frequency);
    const own = appearances.get(c.id);
    const sameDomain = chosen.filter((other) => other.domain === c.domain).map((other) => appearances.get(other.id));
    return {
      id: c.id,
      name: c.name,
      domain: c.domain,
      kind: kindOf(c),
      keywords: keywords.slice(0, MAX_KEYWORDS),
      visual_words: own ? own.visualWords : keywords.slice(0, MAX_TAG_WORDS),
      hard_negatives: own ? rankBySimilarity(own, sameDomain as Appearance[]) : [],
      drawings: Object.fromEntries(usedStyles(c).map((style) => [style, c.drawings[style]])),
    };
  });
  writeWhole(path.join(folder, "concepts.json"), `${lines(concepts)}\n`);

  const packages = [
    ...new Set(Object.values(select.STYLES).map((s) => `@iconify-json/${s.package}`)),
    "emojibase-data",
  ];
  const splits = {
    seed: SEED,
    packages: Object.fromEntries(packages.map((name) => [name, packageVersion(name)])),
    styles: select.STYLES,
    domains: Object.keys(select.DOMAIN_SUBGROUPS),
    seen: chosen.filter((c) => seen.has(c.id)).map((c) => c.id),
    unseen: chosen.filter((c) => !seen.has(c.id)).map((c) => c.id),
  };
  writeWhole(path.join(folder, "splits.json"), `${JSON.stringify(splits, null, 2)}\n`);
  const flagDuplicates = nearDuplicates(chosen, all, true);
  const report = {
    rule: { bits: hash.NEAR_DUPLICATE_BITS, color: hash.NEAR_DUPLICATE_COLOR },
    removed: [...duplicates.values()],
    flags_kept: [...flagDuplicates.values()].filter((d) => chosen.some((c) => c.id === d.test.split("/")[1])),
  };
  writeWhole(path.join(folder, "near-duplicates.json"), `${JSON.stringify(report, null, 2)}\n`);
  console.log(`near-duplicates: ${report.removed.length} removed, ${report.flags_kept.length} flags kept`);
  for (const domain of splits.domains) {
    const own = chosen.filter((c) => c.domain === domain);
    const few = own.filter((c) => select.stylesOf(c, "pretraining").length < 2).length;
    const dev = own.filter((c) => select.stylesOf(c, "dev").length > 0).length;
    const share = own.filter((c) => seen.has(c.id)).length;
    const counts = `${own.length} sub-categories, ${share} seen, ${dev} with a dev drawing`;
    console.log(`${domain}: ${counts}, ${few} with one pre-training drawing`);
  }
  console.log(`${pretraining.length} further concepts for pre-training`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
