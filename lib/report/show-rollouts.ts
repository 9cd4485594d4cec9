/**
 * The rollouts of one group as a page of its own in a cell: each response with its reward and advantage, its tokens
 * coloured by log-prob, by advantage or by the KL to the negative image. Controls are radio buttons and CSS, so they
 * work in a saved page too, without kernel or script. JupyterLab takes style sheets out of a notebook that it does not
 * trust: then there are no controls, and inline styles show the KL.
 */
import type { Group, ScoredRollout } from "../rollout/groups";
import type { TokenScores } from "../train/token-scores";
import { escapeHtml } from "../util/escape-html";
import { sum } from "../util/sums";
import { OWN_KEYS, show } from "./notebook";

const COLOURS = [
  { key: "l", label: "log-prob", says: "orange: unlikely" },
  { key: "a", label: "advantage", says: "blue: made likelier; orange: made less likely" },
  { key: "k", label: "KL to the negative image", says: "purple: likely for this image, not for the negative" },
] as const;

const FILTERS = [
  { key: "all", label: "all" },
  { key: "right", label: "right" },
  { key: "wrong", label: "wrong" },
  { key: "broken", label: "format broken" },
] as const;

/** Values at which a colour is full. */
const FULL = { logProb: 3, advantage: 2, kl: 0.5 };
const OPACITY = 0.7;

const [ORANGE, BLUE, PURPLE] = ["#d55e00", "#0072b2", "#9452c8"];

/** A colour at an opacity that grows with `share` of its full value, `#rrggbbaa`. */
const tint = (color: string, share: number): string => {
  const opacity = OPACITY * Math.min(1, Math.max(0, share));
  return `${color}${Math.round(255 * opacity)
    .toString(16)
    .padStart(2, "0")}`;
};

/** A token: in the colour of its KL, or of its log-prob where there is none; the other colours are for the controls. */
function tokenHtml({ tokens, logProbs, negativeLogProbs, kl }: TokenScores, i: number): string {
  const l = tint(ORANGE, -logProbs[i] / FULL.logProb);
  const style = kl === null ? `background-color:${l}` : `background-color:${tint(PURPLE, kl[i] / FULL.kl)};--l:${l}`;
  const contrast =
    negativeLogProbs === null || kl === null
      ? ""
      : `; under the negative ${negativeLogProbs[i].toFixed(2)}; KL ${kl[i].toFixed(3)}`;
  const title = `log-prob ${logProbs[i].toFixed(2)}${contrast}`;
  return `<span class="t" style="${style}" title="${title}">${escapeHtml(tokens[i])}</span>`;
}

const ROW = "border-left:3px solid #767676;margin:0.6em 0;padding-left:1em";
const TEXT = "white-space:pre-wrap;line-height:1.7";

const mean = (values: readonly number[]): number => sum(values) / Math.max(1, values.length);

const isRight = ({ reward }: ScoredRollout): boolean => reward.accuracy > 0;

/** One line of facts about a rollout of a group. */
function facts({ rollouts, advantages, noiseStep }: Group, r: number, { kl, tokens }: TokenScores): string {
  const [rollout, advantage] = [rollouts[r], advantages[r]];
  const { source, reward } = rollout;
  const sign = advantage < 0 ? "−" : "+";
  return [
    `from the ${source === "positive" && noiseStep !== undefined ? "anchor with noise" : source}`,
    isRight(rollout) ? "right" : "wrong",
    `reward ${reward.overall.toFixed(2)}`,
    `advantage ${sign}${Math.abs(advantage).toFixed(2)}`,
    reward.format > 0 ? "format kept" : "format broken",
    `${tokens.length} tokens`,
    ...(kl === null ? [] : [`mean KL ${mean(kl).toFixed(3)}`]),
  ].join(" · ");
}

/** Radio buttons of one group; each is followed, somewhere behind it, by what its rule colours or hides. */
function radios(id: string, name: string, choices: readonly { key: string; label: string }[], checked: string): string {
  return choices
    .map(({ key }) => {
      const mark = key === checked ? " checked" : "";
      return `<input type="radio" name="${id}-${name}" id="${id}-${name}-${key}"${mark} ${OWN_KEYS} style="display:none">`;
    })
    .join("");
}

function labels(id: string, name: string, title: string, choices: readonly { key: string; label: string }[]): string {
  const buttons = choices.map(({ key, label }) => `<label for="${id}-${name}-${key}">${label}</label>`);
  return `<div class="bar" style="display:none"><b>${title}</b> ${buttons.join(" ")}</div>`;
}

function rules(id: string): string {
  const root = `#${id}`;
  return [
    `${root} input{display:inline!important;position:absolute;opacity:0}`,
    `${root} .bar{display:block!important}`,
    `${root} label{display:inline-block;padding:.1em .6em;margin:.1em;border:1px solid #767676;border-radius:1em;cursor:pointer}`,
    // what a token has no variable for is its own background
    `#${id}-c-l:checked~.body .t[style*="--l"]{background-color:var(--l)!important}`,
    `#${id}-c-a:checked~.body .t{background-color:var(--a)!important}`,
    ...COLOURS.flatMap(({ key }) => [
      `#${id}-c-${key}:checked~.says{display:none!important}`,
      `#${id}-c-${key}:checked~.says-${key}{display:block!important}`,
    ]),
    ...FILTERS.filter(({ key }) => key !== "all").map(
      ({ key }) => `#${id}-s-${key}:checked~.body .r:not(.${key}){display:none}`,
    ),
    ...[...COLOURS.map(({ key }) => `c-${key}`), ...FILTERS.map(({ key }) => `s-${key}`)].flatMap((one) => [
      `#${id}-${one}:checked~.bar label[for="${id}-${one}"]{background:#0072b2;color:#fff;border-color:#0072b2}`,
      `#${id}-${one}:focus-visible~.bar label[for="${id}-${one}"]{outline:2px solid #d55e00;outline-offset:1px}`,
    ]),
  ].join("\n");
}

/** What stands above a group's rollouts. */
export interface RolloutsOptions {
  title?: string;
  /** Images of the triplet: name, and a `data:` URL. */
  images?: readonly { name: string; source: string }[];
}

/** Height of an image, pixels. */
const IMAGE_SIZE = 96;

/**
 * The page of a group, self-contained.
 * @param id of its elements; different for each on a page
 */
export function rolloutsHtml(
  group: Group,
  scores: readonly TokenScores[],
  id: string,
  { title = "", images = [] }: RolloutsOptions = {},
): string {
  const { prompt, rollouts, advantages } = group;
  const isContrasted = scores.every(({ kl }) => kl !== null);
  const colours = COLOURS.filter(({ key }) => isContrasted || key !== "k");
  const first = isContrasted ? "k" : "l";
  const figures = images.map(
    ({ name, source }) =>
      `<div style="display:inline-block;margin-right:1em"><img alt="${escapeHtml(name)}" height="${IMAGE_SIZE}" src="${escapeHtml(source)}"><div style="font-size:90%">${escapeHtml(name)}</div></div>`,
  );
  const items = rollouts.map((rollout, r) => {
    const classes = ["r", isRight(rollout) ? "right" : "wrong", ...(rollout.reward.format > 0 ? [] : ["broken"])];
    const text = scores[r].tokens.map((_, i) => tokenHtml(scores[r], i)).join("");
    const a = tint(advantages[r] > 0 ? BLUE : ORANGE, Math.abs(advantages[r]) / FULL.advantage);
    const says = `<div style="font-size:90%">${facts(group, r, scores[r])}</div>`;
    return `<div class="${classes.join(" ")}" style="${ROW}">${says}<div style="${TEXT};--a:${a}">${text}</div></div>`;
  });
  return [
    `<style>${rules(id)}</style>`,
    `<div id="${id}" role="group" aria-label="Rollouts of one group">`,
    ...(title === "" ? [] : [`<div><b>${escapeHtml(title)}</b></div>`]),
    ...(figures.length === 0 ? [] : [`<div>${figures.join("")}</div>`]),
    `<div><b>${escapeHtml(prompt.user)}</b> Truth: ${escapeHtml(prompt.groundTruth)}.</div>`,
    radios(id, "c", colours, first),
    radios(id, "s", FILTERS, "all"),
    labels(id, "c", "Colour", colours),
    labels(id, "s", "Show", FILTERS),
    ...colours.map(
      ({ key, says }) =>
        `<div class="says says-${key}"${key === first ? "" : ' style="display:none"'}><i>${says}</i></div>`,
    ),
    `<div class="body">${items.join("")}</div>`,
    "</div>",
  ].join("\n");
}

let shown = 0;

/**
 * Shows a group's rollouts (`tokenScores` or `sampledScores` makes the scores). Outside a notebook: a line of facts and
 * the text of each.
 */
export function showRollouts(group: Group, scores: readonly TokenScores[], options: RolloutsOptions = {}): void {
  const id = `rollouts-${++shown}`;
  const text = group.rollouts.map((rollout, r) => `${facts(group, r, scores[r])}\n${rollout.text}`);
  const head = options.title === undefined ? [] : [options.title];
  show({ "text/html": rolloutsHtml(group, scores, id, options), "text/plain": [...head, ...text].join("\n\n") });
}
