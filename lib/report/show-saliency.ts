/** Where a response looks, in its own image and in the negative one, side by side. */
import sharp from "sharp";
import type { Params } from "../engine/tensorflow";
import type { Group } from "../rollout/groups";
import { imageSaliency, type ImageSaliency, type SaliencyMap, type SaliencyOptions } from "../train/saliency";
import type { Workbench } from "../train/workbench";
import { imageHtml, imageStrip } from "./image-strip";
import { show } from "./notebook";
import { imagePng, percent, saliencyOverlay, saliencyScale } from "./saliency-picture";

export interface ShowSaliencyOptions extends SaliencyOptions {
  /** One token of the response, counted from 0; in place of `span`. */
  token?: number;
  /** Height and width of each picture's square in pixels, 192 unless given. */
  size?: number;
}

/** The tokens' text, and which they are. */
function spanText({ tokens, span: [start, end] }: ImageSaliency): string {
  const text = tokens.slice(start, end).join("").replace(/\s+/g, " ").trim();
  return `“${text}” (${end - start === 1 ? `token ${start}` : `tokens ${start} to ${end - 1}`} of ${tokens.length})`;
}

/** Log-prob, how strong the gradient is at all, and the place that counts most. */
function mapText({ source, values, columns, rows, logProb, total }: SaliencyMap): string {
  const most = values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
  const where =
    values[most] > 0
      ? `most at row ${Math.floor(most / columns) + 1} of ${rows}, column ${(most % columns) + 1} of ${columns} (${percent(values[most])})`
      : "nothing of the image counts";
  return `${source}: log-prob ${logProb.toFixed(2)}, gradient ${Number(total.toPrecision(2))}, ${where}`;
}

/** In words: what `showSaliency` draws, for those who see no picture. */
export function saliencyText(saliency: ImageSaliency): string {
  return `[where ${spanText(saliency)} looks. ${mapText(saliency.own)}; ${mapText(saliency.negative)}]`;
}

/**
 * Both images, each beside its map, and the scale that the maps share: up to the largest share of a place in either.
 * @param size height and width of each picture's square, pixels
 * @returns a PNG on white
 */
export async function saliencyPicture(saliency: ImageSaliency, size = 192): Promise<Buffer> {
  const maps = [saliency.own, saliency.negative];
  const largest = Math.max(...maps.flatMap(({ values }) => values));
  const full = largest > 0 ? largest : 1;
  const pairs = await Promise.all(
    maps.flatMap((map) => [imagePng(map.image), saliencyOverlay(map, full, size)] as const),
  );
  const captions = maps.flatMap(({ source, logProb, total }) => [
    source,
    `${spanText(saliency)}: log-prob ${logProb.toFixed(2)}, gradient ${Number(total.toPrecision(2))}`,
  ]);
  const strip = await imageStrip([...pairs, await saliencyScale(full, size)], {
    captions: [...captions, "share of the gradient in one place"],
    size,
    columns: 5,
  });
  return sharp(strip).png({ palette: true, effort: 10 }).toBuffer(); // a quarter of the size: it stays in notebooks
}

/**
 * Shows where a group's response looks (`imageSaliency`): how much each place of the image counts for the log-prob of
 * the tokens of its answer, under its own image and with the negative in its place. A map only says how the gradient is
 * shared out: where the gradient itself is small, as for an answer that repeats what the response reasoned, the image
 * hardly counts, and the map says little. Then look at a token of the reasoning.
 * @throws Error as `imageSaliency`, and where both `token` and `span` are given
 */
export async function showSaliency(
  params: Params,
  bench: Workbench,
  group: Group,
  { token, size, ...options }: ShowSaliencyOptions,
): Promise<void> {
  if (token !== undefined && options.span !== undefined)
    throw new Error("showSaliency: token and span are both given; leave one out");
  const span = token === undefined ? options.span : ([token, token + 1] as [number, number]);
  const saliency = await imageSaliency(params, bench, group, { ...options, span });
  const text = saliencyText(saliency);
  const picture = await saliencyPicture(saliency, size);
  const html = { "text/html": imageHtml(picture, text) };
  show({ ...html, "image/png": picture.toString("base64"), "text/plain": text }, { "image/png": { alt: text } });
}
