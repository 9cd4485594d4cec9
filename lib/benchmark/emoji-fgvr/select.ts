/**
 * Which emoji become sub-categories, which stay for pre-training, and which are seen: deterministic, from the icon
 * sets and one seed. Used by `tools/build-emoji-fgvr.ts`; the result is committed.
 */
import { foldIn, random } from "../../util/random";
import type { MappedEmoji } from "./mapping";
import type { DesignerRole, Domain, Style, StyleInfo } from "./types";

/** Every style, with its package, designer and role. A designer has one role. */
export const STYLES: Readonly<Record<Style, StyleInfo & { readonly role: DesignerRole }>> = {
  emojione: { package: "emojione", designer: "emojione", role: "pretraining" },
  "emojione-v1": { package: "emojione-v1", designer: "emojione", role: "pretraining" },
  fxemoji: { package: "fxemoji", designer: "fxemoji", role: "pretraining" },
  flagpack: { package: "flagpack", designer: "flagpack", role: "pretraining" },
  noto: { package: "noto", designer: "noto", role: "fewshot" },
  "noto-v1": { package: "noto-v1", designer: "noto", role: "fewshot" },
  "fluent-emoji": { package: "fluent-emoji", designer: "fluent", role: "fewshot" },
  "fluent-emoji-flat": { package: "fluent-emoji-flat", designer: "fluent", role: "fewshot" },
  flag: { package: "flag", designer: "flag-icons", role: "fewshot" },
  "flag-square": { package: "flag", designer: "flag-icons", role: "fewshot" },
  "circle-flags": { package: "circle-flags", designer: "circle-flags", role: "fewshot" },
  cif: { package: "cif", designer: "cif", role: "fewshot" },
  "streamline-emojis": { package: "streamline-emojis", designer: "streamline", role: "dev" },
  twemoji: { package: "twemoji", designer: "twemoji", role: "test" },
  openmoji: { package: "openmoji", designer: "openmoji", role: "test" },
};

/** Domain -> emojibase subgroups. */
export const DOMAIN_SUBGROUPS: Readonly<Record<Domain, readonly string[]>> = {
  mammal: ["animal-mammal"],
  creature: ["animal-bird", "animal-amphibian", "animal-reptile", "animal-marine", "animal-bug"],
  food: ["food-fruit", "food-vegetable", "food-prepared", "food-asian", "food-sweet", "drink"],
  vehicle: ["transport-ground", "transport-water", "transport-air"],
  flag: ["country-flag"],
  clothing: ["clothing"],
};

/** The four few-shot styles of a domain's sub-categories. */
export function fewShotStyles(domain: Domain): Style[] {
  return domain === "flag"
    ? ["flag", "flag-square", "circle-flags", "cif"]
    : ["noto", "noto-v1", "fluent-emoji", "fluent-emoji-flat"];
}

/** Transport emoji that are no vehicles. */
const NOT_A_VEHICLE = new Set(
  (
    "wheel;railway track;motorway;oil drum;fuel pump;police car light;horizontal traffic light;vertical traffic light;" +
    "stop sign;construction;bus stop;anchor;ring buoy;seat;airplane departure;airplane arrival;station"
  ).split(";"),
);

/** Flags that changed while the sets were drawn, so that designers draw two different ones. */
const CHANGED_FLAGS = new Set(["flag: Syria", "flag: Afghanistan", "flag: Mauritania"]);

/** Subgroups whose other emoji are worth pre-training on. */
const PRETRAINING_SUBGROUPS = new Set(
  (
    "animal-mammal animal-bird animal-amphibian animal-reptile animal-marine animal-bug plant-flower plant-other " +
    "food-fruit food-vegetable food-prepared food-asian food-sweet drink dishware transport-ground transport-water " +
    "transport-air country-flag clothing musical-instrument music tool household sport sky-weather place-building " +
    "place-geographic place-other face-smiling office book-paper light-video game computer phone " +
    "writing lock event mail money hotel time arts-crafts medical science award-medal"
  ).split(" "),
);

/** Flags taken before other flags without a dev drawing: well known, and told apart at 64 pixels. */
const FAMILIAR_FLAGS = new Set(
  "belgium chile cuba denmark israel jamaica kenya lebanon norway sweden ukraine vietnam".split(" "),
);

/** Sub-categories a domain may have. */
export const MAX_PER_DOMAIN = 40;
/** Pre-training drawings a sub-category needs; those with more are preferred. */
export const MIN_PRETRAINING_DRAWINGS = 1;
/** Share of a domain's sub-categories that are seen. */
export const SEEN_SHARE = 0.6;

/** An emoji with its name in the benchmark. */
export interface Candidate extends MappedEmoji {
  name: string;
  domain: Domain | null;
}

/** `flag: Côte d’Ivoire` -> `cote divoire`: lower-case words of a-z; null where nothing or a digit is left. */
export function plainName(label: string): string | null {
  const text = label
    .normalize("NFKD")
    .replace(/[\u0300-\u036f'’.]/g, "")
    .toLowerCase()
    .replace(/^flag: /, "")
    .replace(/&/g, " and ")
    .replace(/\(.*?\)/g, " ");
  if (/\d/.test(text)) return null;
  return text.match(/[a-z]+/g)?.join(" ") ?? null;
}

/** The styles of an emoji that have the role. */
export function stylesOf(emoji: Pick<MappedEmoji, "drawings">, role: DesignerRole): Style[] {
  return Object.keys(STYLES).filter((style) => STYLES[style].role === role && emoji.drawings[style] !== undefined);
}

function domainOf(emoji: MappedEmoji): Domain | null {
  const found = Object.entries(DOMAIN_SUBGROUPS).find(([, subgroups]) => subgroups.includes(emoji.subgroup));
  return found && !NOT_A_VEHICLE.has(emoji.label) && !CHANGED_FLAGS.has(emoji.label) ? found[0] : null;
}

/** Emoji that could be sub-categories, by domain: both test drawings, four few-shot ones, enough for pre-training. */
export function eligible(emoji: readonly MappedEmoji[]): Candidate[] {
  const out: Candidate[] = [];
  for (const e of emoji) {
    const [domain, name] = [domainOf(e), plainName(e.label)];
    if (domain === null || name === null) continue;
    if (stylesOf(e, "test").length < 2 || stylesOf(e, "pretraining").length < MIN_PRETRAINING_DRAWINGS) continue;
    if (!fewShotStyles(domain).every((style) => e.drawings[style])) continue;
    out.push({ ...e, name, domain });
  }
  return out;
}

/** Larger is better: two pre-training drawings, then a dev drawing, then the number of drawings. */
function coverage(c: Candidate): number {
  const pretraining = Math.min(2, stylesOf(c, "pretraining").length);
  const familiar = c.domain === "flag" && FAMILIAR_FLAGS.has(c.name) ? 50 : 0;
  return pretraining * 1000 + stylesOf(c, "dev").length * 100 + familiar + Object.keys(c.drawings).length;
}

/** Drops names contained in another name of their domain, then keeps the best covered of each domain. */
export function chooseSubcategories(candidates: readonly Candidate[]): Candidate[] {
  const chosen: Candidate[] = [];
  for (const domain of Object.keys(DOMAIN_SUBGROUPS)) {
    const all = candidates.filter((c) => c.domain === domain);
    const distinct = all.filter((c) => !all.some((other) => other !== c && other.name.includes(c.name)));
    distinct.sort((a, b) => coverage(b) - coverage(a) || a.order - b.order);
    chosen.push(...distinct.slice(0, MAX_PER_DOMAIN).sort((a, b) => a.order - b.order));
  }
  return chosen;
}

/** Ids of the seen sub-categories: 60 % of each domain, drawn with the seed. */
export function chooseSeen(chosen: readonly Candidate[], seed: number): Set<string> {
  const seen = new Set<string>();
  for (const domain of Object.keys(DOMAIN_SUBGROUPS)) {
    const ids = chosen.filter((c) => c.domain === domain).map((c) => c.id);
    const shuffled = random(foldIn(seed, "seen", domain)).shuffle(ids);
    for (const id of shuffled.slice(0, Math.round(SEEN_SHARE * ids.length))) seen.add(id);
  }
  return seen;
}

/** Concepts that only pre-training sees: useful subgroups, at least two pre-training drawings, a name of words. */
export function choosePretraining(emoji: readonly MappedEmoji[], chosen: readonly Candidate[]): Candidate[] {
  const taken = new Set(chosen.map((c) => c.id));
  const names = new Set(chosen.map((c) => c.name));
  const out: Candidate[] = [];
  for (const e of emoji) {
    const name = plainName(e.label);
    if (taken.has(e.id) || name === null || names.has(name) || !PRETRAINING_SUBGROUPS.has(e.subgroup)) continue;
    if (name.split(" ").length > 4 || / (oclock|thirty)$/.test(name)) continue; // long names; 24 clock faces
    const styles = stylesOf(e, "pretraining");
    if (styles.length < 2) continue;
    names.add(name);
    const drawings = Object.fromEntries(styles.map((style) => [style, e.drawings[style]]));
    out.push({ ...e, name, domain: null, drawings });
  }
  return out;
}
