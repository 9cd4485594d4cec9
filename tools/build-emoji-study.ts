/**
 * Builds the study's committed files, `data/emoji-study/{concepts,splits,near-duplicates}.json`, from the pinned npm
 * packages and the table of visual words. Deterministic; run it after one of these changed:
 *
 *     npx tsx tools/build-emoji-study.ts
 */
import * as path from "node:path";
import { dealRoles, joinFamilies, type Shares } from "../lib/benchmark/emoji-fgvr/deal";
import * as hash from "../lib/benchmark/emoji-fgvr/hash";
import { mapEmoji } from "../lib/benchmark/emoji-fgvr/mapping";
import { COLOR_WORDS, measure } from "../lib/benchmark/emoji-fgvr/measure";
import { packageVersion } from "../lib/benchmark/emoji-fgvr/packages";
import { dataFolder } from "../lib/benchmark/emoji-fgvr/paths";
import { rasterise } from "../lib/benchmark/emoji-fgvr/render";
import { DOMAIN_SUBGROUPS, plainName, STYLES } from "../lib/benchmark/emoji-fgvr/select";
import { rankBySimilarity, type Appearance } from "../lib/benchmark/emoji-fgvr/similarity";
import type { DesignerRole, Domain, Style } from "../lib/benchmark/emoji-fgvr/types";
import { writeWhole } from "../lib/benchmark/emoji-fgvr/write";
import { readJson } from "../lib/util/files";
import { foldIn, random } from "../lib/util/random";
import { sharesStem } from "../lib/util/stem";

const SEED = 29;
const SHARES: Shares = { test: 2, fewshot: 4, pretraining: 2 };
const SEEN_SHARE = 0.6;
const MAX_WORDS_IN_NAME = 5;
/** Sub-categories a domain may have. */
const MAX_PER_DOMAIN = { dev: 40, test: 60 } as const;

/** The domains of the first benchmark: for development. */
const DEV: Readonly<Record<Domain, readonly string[]>> = DOMAIN_SUBGROUPS;

/** New domains: no earlier run looked at their drawings. */
const TEST: Readonly<Record<Domain, readonly string[]>> = {
  face: (
    "face-smiling face-affection face-tongue face-hand face-neutral-skeptical face-sleepy face-unwell face-hat " +
    "face-glasses face-concerned face-negative face-costume cat-face monkey-face"
  ).split(" "),
  hand: [
    "hand-fingers-open",
    "hand-fingers-partial",
    "hand-single-finger",
    "hand-fingers-closed",
    "hands",
    "hand-prop",
    "body-parts",
  ],
  person: [
    "person",
    "person-gesture",
    "person-role",
    "person-fantasy",
    "person-activity",
    "person-sport",
    "person-resting",
  ],
  plant: ["plant-flower", "plant-other"],
  sky: ["sky-weather"],
  place: ["place-map", "place-geographic", "place-building", "place-religious", "place-other", "hotel"],
  leisure: ["event", "award-medal", "sport", "game", "arts-crafts"],
  sound: ["sound", "music", "musical-instrument"],
  device: ["phone", "computer", "light-video"],
  office: ["book-paper", "money", "mail", "writing", "office", "lock"],
  tool: ["tool", "science", "medical", "household", "other-object", "dishware", "time"],
  sign: ["transport-sign", "warning", "religion", "zodiac", "av-symbol", "other-symbol", "heart", "emotion"],
};

const GROUPS = { dev: DEV, test: TEST } as const;
type Group = keyof typeof GROUPS;

type WordTable = Record<string, Record<string, string[]>>;

interface Candidate {
  id: string;
  name: string;
  domain: Domain;
  group: Group;
  subgroup: string;
  order: number;
  tags: string[];
  words: string[];
  drawings: Record<Style, string>;
}

const imageKey = (id: string, style: Style): string => `${id}/${style}`;

/** A gendered twin of another emoji of the list (`man cook` beside `woman cook`). */
function isTwin(name: string, names: ReadonlySet<string>): boolean {
  return name.startsWith("man ") && names.has(`woman ${name.slice(4)}`);
}

/** Every emoji of the domains that has words in the table. */
function candidates(table: WordTable): Candidate[] {
  const emoji = mapEmoji().flatMap((e) => {
    const name = plainName(e.label);
    return name === null ? [] : [{ ...e, name }];
  });
  const names = new Set(emoji.map((e) => e.name));
  const taken = new Set<string>();
  const out: Candidate[] = [];
  for (const e of emoji) {
    for (const group of ["dev", "test"] as const) {
      const domain = Object.entries(GROUPS[group]).find(([, subgroups]) => subgroups.includes(e.subgroup))?.[0];
      if (domain === undefined || taken.has(e.name) || isTwin(e.name, names)) continue;
      const words = table[domain]?.[e.name];
      if (!words || / (oclock|thirty)$/.test(e.name) || Object.keys(e.drawings).length < 3) continue;
      taken.add(e.name);
      out.push({ ...e, domain, group, words });
    }
  }
  return out;
}

async function rasteriseAll(all: readonly Candidate[]): Promise<Map<string, hash.HashedImage>> {
  const images = new Map<string, hash.HashedImage>();
  const jobs = all.flatMap((c) => Object.entries(c.drawings).map(([style, icon]) => ({ c, style, icon })));
  const worker = async (): Promise<void> => {
    for (let job = jobs.pop(); job; job = jobs.pop()) {
      const image = await rasterise(STYLES[job.style].package, job.icon);
      images.set(imageKey(job.c.id, job.style), { image, hash: hash.perceptualHash(image) });
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return images;
}

/** Pairs of near-duplicate drawings, both ways, flags among flags too. */
function nearDuplicates(images: ReadonlyMap<string, hash.HashedImage>): Map<string, Set<string>> {
  const keys = [...images.keys()].sort();
  const found = new Map<string, Set<string>>(keys.map((key) => [key, new Set()]));
  for (let i = 0; i < keys.length; i++)
    for (let j = i + 1; j < keys.length; j++) {
      const [a, b] = [images.get(keys[i])!, images.get(keys[j])!];
      if (hash.hammingDistance(a.hash, b.hash) > hash.NEAR_DUPLICATE_BITS || !hash.nearDuplicate(a, b)) continue;
      found.get(keys[i])!.add(keys[j]);
      found.get(keys[j])!.add(keys[i]);
    }
  return found;
}

/** Names that are part of another name of the domain go, then the best drawn stay. */
function chooseSubcategories(all: readonly Candidate[], fits: (c: Candidate) => boolean): Candidate[] {
  const chosen: Candidate[] = [];
  for (const group of ["dev", "test"] as const)
    for (const domain of Object.keys(GROUPS[group])) {
      const own = all.filter((c) => c.domain === domain && c.name.split(" ").length <= MAX_WORDS_IN_NAME && fits(c));
      const distinct = own.filter((c) => !own.some((other) => other !== c && other.name.includes(c.name)));
      distinct.sort((a, b) => Object.keys(b.drawings).length - Object.keys(a.drawings).length || a.order - b.order);
      chosen.push(...distinct.slice(0, MAX_PER_DOMAIN[group]).sort((a, b) => a.order - b.order));
    }
  return chosen;
}

function chooseSeen(chosen: readonly Candidate[]): Set<string> {
  const seen = new Set<string>();
  for (const domain of new Set(chosen.map((c) => c.domain))) {
    const ids = chosen.filter((c) => c.domain === domain).map((c) => c.id);
    const shuffled = random(foldIn(SEED, "seen", domain)).shuffle(ids);
    for (const id of shuffled.slice(0, Math.round(SEEN_SHARE * ids.length))) seen.add(id);
  }
  return seen;
}

/** One coarse word: the domain, or within the domains of development what the first benchmark says. */
function kindOf(c: Candidate): string {
  if (c.group === "test") return c.domain;
  if (c.domain === "flag") return "flag";
  if (/^food-(prepared|asian)$/.test(c.subgroup)) return "dish";
  if (c.subgroup === "transport-ground") return "land";
  return c.subgroup.split("-").slice(-1)[0];
}

const lines = (items: readonly unknown[]): string =>
  `[\n${items.map((item) => `  ${JSON.stringify(item)}`).join(",\n")}\n]`;

async function main(): Promise<void> {
  const folder = dataFolder("emoji-study");
  const all = candidates(readJson(path.join(folder, "visual-words.json")) as WordTable);
  const images = await rasteriseAll(all);
  const alike = nearDuplicates(images);
  const same = (id: string) => (a: Style, b: Style) => alike.get(imageKey(id, a))!.has(imageKey(id, b));
  const familiesOf = (c: Candidate): Style[][] => {
    const byDesigner = new Map<string, Style[]>();
    for (const style of Object.keys(c.drawings)) {
      const { designer } = STYLES[style];
      byDesigner.set(designer, [...(byDesigner.get(designer) ?? []), style]);
    }
    return joinFamilies([...byDesigner.values()], same(c.id));
  };
  const roles = new Map<string, Record<Style, DesignerRole>>();
  for (const c of all) {
    const dealt = dealRoles(familiesOf(c), SHARES, foldIn(SEED, "roles", c.id));
    if (dealt) roles.set(c.id, dealt);
  }
  const picked = chooseSubcategories(all, (c) => roles.has(c.id));
  const evaluated = new Set(picked.map((c) => c.id));
  const rest = all.filter((c) => !evaluated.has(c.id));
  for (const c of rest)
    roles.set(c.id, Object.fromEntries(Object.keys(c.drawings).map((style) => [style, "pretraining" as const])));

  // a drawing of training that looks like a test drawing of any sub-category is used for nothing
  const testKeys = picked.flatMap((c) =>
    Object.entries(roles.get(c.id)!).flatMap(([style, role]) => (role === "test" ? [imageKey(c.id, style)] : [])),
  );
  const removed: { test: string; other: string }[] = [];
  const idOf = (key: string): string => key.slice(0, key.indexOf("/"));
  const styleOf = (key: string): string => key.slice(key.indexOf("/") + 1);
  for (const test of testKeys)
    for (const other of [...alike.get(test)!].sort()) {
      const role = roles.get(idOf(other))?.[styleOf(other)];
      if (role === undefined || role === "test") continue;
      delete roles.get(idOf(other))![styleOf(other)];
      removed.push({ test, other });
    }

  // a sub-category that is left without a pre-training drawing is used for nothing
  const chosen = picked.filter((c) => Object.values(roles.get(c.id)!).includes("pretraining"));
  const seen = chooseSeen(chosen);

  const shares = (c: Candidate): Record<string, number> => {
    const styles = Object.entries(roles.get(c.id)!).flatMap(([style, role]) => (role === "test" ? [] : [style]));
    const measured = styles.map(
      (style) => measure(images.get(imageKey(c.id, style))!.image, c.domain === "flag" ? "flag" : "object").shares,
    );
    const mean = (word: string): number => measured.reduce((sum, s) => sum + s[word], 0) / Math.max(1, measured.length);
    return Object.fromEntries(COLOR_WORDS.map((word) => [word, mean(word)]));
  };
  const problems: string[] = [];
  for (const c of chosen) {
    const names = chosen.filter((other) => other.domain === c.domain).map((other) => other.name);
    const bad = c.words.filter((word) => !/^[a-z]+$/.test(word) || sharesStem(word, names) !== null);
    for (const word of bad)
      problems.push(
        `visual-words.json: "${word}" of "${c.domain}.${c.name}" shares a stem with "${sharesStem(word, names)}"`,
      );
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));

  const appearances = new Map(
    chosen.map((c): [string, Appearance] => [c.id, { id: c.id, visualWords: c.words, shares: shares(c) }]),
  );
  const concepts = [...chosen, ...rest]
    .filter((c) => Object.keys(roles.get(c.id)!).length > 0)
    .map((c) => {
      const own = appearances.get(c.id);
      const sameDomain = chosen.filter((other) => other.domain === c.domain).map((other) => appearances.get(other.id)!);
      const used = roles.get(c.id)!;
      return {
        id: c.id,
        name: c.name,
        domain: own ? c.domain : null,
        kind: kindOf(c),
        keywords: [],
        visual_words: c.words,
        hard_negatives: own ? rankBySimilarity(own, sameDomain) : [],
        drawings: Object.fromEntries(
          Object.keys(c.drawings)
            .filter((s) => used[s])
            .map((s) => [s, c.drawings[s]]),
        ),
        roles: Object.fromEntries(
          Object.keys(c.drawings)
            .filter((s) => used[s])
            .map((s) => [s, used[s]]),
        ),
      };
    });
  writeWhole(path.join(folder, "concepts.json"), `${lines(concepts)}\n`);
  const packages = [...new Set(Object.values(STYLES).map((s) => `@iconify-json/${s.package}`)), "emojibase-data"];
  const splits = {
    seed: SEED,
    shares: SHARES,
    packages: Object.fromEntries(packages.map((name) => [name, packageVersion(name)])),
    styles: Object.fromEntries(
      Object.entries(STYLES).map(([style, { package: from, designer }]) => [style, { package: from, designer }]),
    ),
    domains: [...Object.keys(DEV), ...Object.keys(TEST)],
    groups: { dev: Object.keys(DEV), test: Object.keys(TEST) },
    seen: chosen.filter((c) => seen.has(c.id)).map((c) => c.id),
    unseen: chosen.filter((c) => !seen.has(c.id)).map((c) => c.id),
  };
  writeWhole(path.join(folder, "splits.json"), `${JSON.stringify(splits, null, 2)}\n`);
  const rule = { bits: hash.NEAR_DUPLICATE_BITS, color: hash.NEAR_DUPLICATE_COLOR };
  writeWhole(path.join(folder, "near-duplicates.json"), `${JSON.stringify({ rule, removed }, null, 2)}\n`);
  for (const domain of splits.domains) {
    const own = chosen.filter((c) => c.domain === domain);
    console.log(`${domain}: ${own.length} sub-categories, ${own.filter((c) => seen.has(c.id)).length} seen`);
  }
  const drawn = concepts.flatMap((c) => Object.values(c.roles));
  const of = (role: DesignerRole): number => drawn.filter((one) => one === role).length;
  console.log(
    `${chosen.length} sub-categories, ${rest.length} further concepts; drawings: ${of("pretraining")} pre-training, ${of("fewshot")} few-shot, ${of("test")} test; ${removed.length} near-duplicates taken out`,
  );
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
