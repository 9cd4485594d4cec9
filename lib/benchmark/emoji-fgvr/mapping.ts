/**
 * From an emoji to the icon that draws it in each set. Four sets come with a code point table (`chars.json`); the
 * older ones are matched by name: emojibase's label and short codes, and the names the four tables use. Firefox OS
 * names clash (its `cat` is the cat's face, `catside` the cat), so that set only takes names that agree exactly and
 * follows the corrections below.
 */
import * as path from "node:path";
import { readJson } from "../../util/files";
import { iconSet, plainHexcode, resolveIcon, packageFolder } from "./packages";

/** One emoji of `emojibase-data`, with the icon that draws it in each set. */
export interface MappedEmoji {
  /** hexcode, lower case, `-` joined, without `fe0f` */
  id: string;
  label: string;
  subgroup: string;
  tags: string[];
  order: number;
  drawings: Record<string, string>;
}

const TABLED = ["noto", "twemoji", "openmoji", "fluent-emoji-flat"];
const NAMED = ["noto-v1", "fluent-emoji", "emojione", "emojione-v1", "fxemoji", "streamline-emojis"];
const FLAG_SETS: Record<string, (iso: string) => string> = {
  flag: (iso) => `${iso}-4x3`,
  "flag-square": (iso) => `${iso}-1x1`,
  "circle-flags": (iso) => iso,
  flagpack: (iso) => (iso === "gb" ? "gb-ukm" : iso), // its gb is England
  cif: (iso) => iso,
};

/** Firefox OS Emoji: emojibase label -> icon; an empty string means that no icon of the set draws it. */
const FXEMOJI: Record<string, string> = {
  "cat face": "cat",
  cat: "catside",
  "dog face": "dog",
  dog: "dogside",
  "mouse face": "mouse",
  mouse: "mouseside",
  "tiger face": "tiger",
  tiger: "tigerside",
  "pig face": "pig",
  pig: "pigside",
  leopard: "leopardside",
  "rabbit face": "bunny",
  rabbit: "bunnyside",
  "dragon face": "dragonhead",
  dragon: "dragonside",
  dolphin: "dolphin",
  "spouting whale": "spurtingwhale",
  whale: "whale",
  ewe: "sheep",
  "pig nose": "pigsnout",
  hamster: "hampster",
  panda: "pandaface",
  wolf: "wolfface",
  frog: "frog",
  bear: "bear",
  "two-hump camel": "bactriancamel",
  camel: "dromedarycamel",
  "front-facing baby chick": "frontfacingchick",
  "lady beetle": "ladybeetle",
  "paw prints": "pawprints",
  "face with open mouth": "openmouth",
  airplane: "airplane",
  "racing car": "racecar",
  "high-speed train": "highspeedtrain",
  "bullet train": "highspeedtrainbulletnose",
  locomotive: "steamlocomotive",
  "tram car": "tramcar",
  motorcycle: "motorcycle",
  ship: "ship",
  "sport utility vehicle": "recreationalvehicle",
  "oncoming automobile": "oncomingautomobile",
  automobile: "automobile",
  rowboat: "",
  "person rowing boat": "",
  satellite: "",
  "high-heeled shoe": "heels",
  "woman’s boot": "boot",
  "man’s shoe": "mensshoe",
  "running shoe": "athleticshoe",
  "woman’s sandal": "sandals",
  "woman’s clothes": "womansshirt",
  "t-shirt": "mansshirt",
  "woman’s hat": "womanshat",
  purse: "pinkwallet",
  sunglasses: "sunglasses",
  handbag: "handbag",
  "clutch bag": "",
  backpack: "schoolsatchel",
  necktie: "tie",
  "gem stone": "gem",
  "ear of corn": "earofmaize",
  "hot pepper": "chilipepper",
  "green apple": "greenapple",
  "red apple": "redapple",
  "ice cream": "icecream",
  "soft ice cream": "softicecream",
  sake: "sakebottleandcup",
  dango: "dango",
  "curry rice": "curryandrice",
  pizza: "sliceofpizza",
  "pot of food": "potoffood",
  "fish cake with swirl": "fishcakeswirl",
  "teacup without handle": "teacupwithouthandle",
  "tropical drink": "tropicaldrink",
  "wine glass": "wineglass",
  "clinking beer mugs": "clinkingbeermugs",
  "beer mug": "beermug",
  custard: "custard",
  "bento box": "bentobox",
  "shaved ice": "shavedice",
  melon: "melon",
  bug: "bug",
  butterfly: "",
  bird: "bird",
  penguin: "penguin",
  "fork and knife": "forkknife",
  "fork and knife with plate": "forkandknife",
  "kitchen knife": "hocho",
  "sake bottle": "",
  "evergreen tree": "evergreen",
  "cherry blossom": "cherryblossom",
  "sheaf of rice": "earofrice",
  "game die": "gamedie",
  joker: "playingcardblackjoker",
  house: "housebuilding",
  houses: "housebuildings",
  castle: "europeancastle",
  "Japanese castle": "japanesecastle",
  "post office": "europeanpostoffice",
  "Japanese post office": "japanesepostoffice",
  "mobile phone": "cellphone",
  "water pistol": "pistol",
  "flag: France": "franceflag",
  "flag: Italy": "italianflag",
  "flag: Japan": "japanflag",
  "flag: China": "chineseflag",
  "flag: Germany": "",
  "flag: Russia": "russianflag",
  "flag: Spain": "spanishflag",
  "flag: South Korea": "koreaflag",
  "flag: United Kingdom": "greatbritainflag",
  "flag: United States": "usflag",
};

/** Names that are strictly equal but draw something else, by set: found by looking at the drawings. */
const WRONG: Record<string, string[]> = {
  emojione: ["cricket"], // the game
  "noto-v1": ["cricket"], // the game
  fxemoji: ["sunglasses", "construction", "tram car"], // a face; a crane; a silhouette
  "streamline-emojis": ["turkey"], // the flag
  "circle-flags": ["flag: Argentina"], // Arabic: the set mixes country and language codes
};

/** `Woman’s Boot` -> `woman-s-boot` without the apostrophe: lower-case a-z, 0-9, `-`. */
export function iconName(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/['’.]/g, "")
    .replace(/&/g, "and")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

interface EmojibaseEmoji {
  hexcode: string;
  label: string;
  tags?: string[];
  subgroup?: number;
  order?: number;
  tone?: number;
  gender?: number;
}

function find(prefix: string, names: string[], loose: boolean): string | null {
  const set = iconSet(prefix);
  for (const name of names) {
    for (const candidate of [name, `${name}-1`, ...(loose ? [`${name}-face`, `${name}-2`] : [])]) {
      const icon = resolveIcon(set, candidate);
      if (icon && (candidate === name || prefix === "streamline-emojis" || candidate.endsWith("-face"))) return icon;
    }
  }
  return null;
}

/** Every emoji of emojibase (without skin tones and gendered variants) with its icons, in emojibase's order. */
export function mapEmoji(): MappedEmoji[] {
  const base = packageFolder("emojibase-data");
  const data = readJson(path.join(base, "en", "data.json")) as EmojibaseEmoji[];
  const groups = readJson(path.join(base, "meta", "groups.json")) as { subgroups: Record<string, string> };
  const shortcodes = ["github", "emojibase", "iamcal", "joypixels", "cldr"].map(
    (kind) => readJson(path.join(base, "en", "shortcodes", `${kind}.json`)) as Record<string, string | string[]>,
  );
  const emoji = data.filter((e) => e.subgroup !== undefined && e.tone === undefined && e.gender === undefined);
  const labels = new Set(emoji.map((e) => iconName(e.label)));
  const out: MappedEmoji[] = [];
  for (const e of emoji) {
    const id = plainHexcode(e.hexcode);
    const subgroup = groups.subgroups[String(e.subgroup)];
    const label = iconName(e.label);
    const names = [label];
    const add = (name: string): void => {
      // a name that is another emoji's label belongs to that one
      if (!names.includes(name) && !labels.has(name)) names.push(name);
    };
    const drawings: Record<string, string> = {};
    for (const prefix of TABLED) {
      const icon = iconSet(prefix).chars[id];
      if (!icon) continue;
      add(icon);
      const resolved = resolveIcon(iconSet(prefix), icon);
      if (resolved) drawings[prefix] = resolved;
    }
    for (const codes of shortcodes) for (const code of [codes[e.hexcode] ?? []].flat()) add(iconName(code));
    if (subgroup === "country-flag") {
      const country = label.replace(/^flag-/, "");
      names.unshift(`flag-for-${country}`, `flag-for-flag-${country}`, `flag-${country}`);
      const iso = id
        .split("-")
        .map((hex) => String.fromCharCode(parseInt(hex, 16) - 0x1f1e6 + 97))
        .join("");
      for (const [prefix, name] of Object.entries(FLAG_SETS)) {
        const icon = resolveIcon(iconSet(prefix.split("-square")[0]), name(iso));
        if (icon && !WRONG[prefix]?.includes(e.label)) drawings[prefix] = icon;
      }
    }
    for (const prefix of NAMED) {
      let icon: string | null;
      if (prefix === "fxemoji") icon = FXEMOJI[e.label] ?? find(prefix, [names[0].replace(/-/g, "")], false);
      else icon = find(prefix, names, !labels.has(`${label}-face`));
      if (icon && iconSet(prefix).icons[icon] && !WRONG[prefix]?.includes(e.label)) drawings[prefix] = icon;
    }
    out.push({ id, label: e.label, subgroup, tags: e.tags ?? [], order: e.order ?? 0, drawings });
  }
  return out;
}
