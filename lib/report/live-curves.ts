/** The numbers of a training while it runs: for each metric its last value and a small curve of those before. */
import { escapeHtml } from "../util/escape-html";

/** What a step logged, by name; null where it did not have it. */
export type StepMetrics = Readonly<Record<string, number | null>>;

/** A step's metrics. */
export interface LivePoint {
  step: number;
  metrics: StepMetrics;
}

/** What is shown, in this order, where it was logged. */
const SHOWN = [
  { key: "loss", label: "loss", digits: 3 },
  { key: "reward", label: "reward", digits: 3 },
  { key: "accuracy", label: "accuracy", digits: 3 },
  { key: "kl", label: "KL to the negative", digits: 4 },
  { key: "entropy", label: "entropy", digits: 3 },
  { key: "format", label: "format kept", digits: 2 },
  { key: "tokensPerSecond", label: "tokens/s", digits: 0 },
] as const;

/** Width and height of a curve, pixels, and points it is drawn with at most. */
const [WIDTH, HEIGHT, POINTS] = [150, 34, 150];
/** At least 3:1 on white and on JupyterLab's dark background. */
const LINE = "#0072b2";

/** At most `most` of `values`, evenly spaced, the last among them. */
function thinned<T>(values: readonly T[], most: number): T[] {
  if (values.length <= most) return [...values];
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))]);
}

/** A curve as an SVG file: x from the first step to the last, y from the lowest value to the highest. */
export function curveSvg(points: readonly (readonly [step: number, value: number])[]): string {
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (step: number): number => 2 + ((WIDTH - 4) * (step - first)) / Math.max(1, last - first);
  const y = (value: number): number =>
    high === low ? HEIGHT / 2 : HEIGHT - 3 - ((HEIGHT - 6) * (value - low)) / (high - low);
  const at = ([step, value]: readonly [number, number]): string => `${x(step).toFixed(1)},${y(value).toFixed(1)}`;
  const [endX, endY] = at(points[points.length - 1]).split(",");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">`,
    `<polyline points="${thinned(points, POINTS).map(at).join(" ")}" fill="none" stroke="${LINE}" stroke-width="1.5"/>`,
    `<circle cx="${endX}" cy="${endY}" r="2.5" fill="${LINE}"/></svg>`,
  ].join("");
}

function tile({ key, label, digits }: (typeof SHOWN)[number], points: readonly LivePoint[]): string {
  const logged = points.flatMap(({ step, metrics }) => {
    const value = metrics[key];
    return value === null || value === undefined || !Number.isFinite(value) ? [] : [[step, value] as const];
  });
  if (logged.length === 0) return "";
  const text = (value: number): string => value.toFixed(digits);
  const values = logged.map(([, value]) => value);
  const range = `${text(Math.min(...values))} to ${text(Math.max(...values))}`;
  const alt = `${label}, steps ${logged[0][0]} to ${logged[logged.length - 1][0]}: ${range}`;
  const image = `data:image/svg+xml;base64,${Buffer.from(curveSvg(logged)).toString("base64")}`;
  return [
    `<div style="display:inline-block;margin:0.2em 1.4em 0.2em 0;vertical-align:top">`,
    `<div>${escapeHtml(label)} <b>${text(values[values.length - 1])}</b></div>`,
    `<img alt="${escapeHtml(alt)}" width="${WIDTH}" height="${HEIGHT}" src="${image}">`,
    `<div style="font-size:85%">${range}</div></div>`,
  ].join("");
}

/** HTML of a progress line with the curves so far below it; the line alone where nothing was logged. */
export function liveHtml(line: string, points: readonly LivePoint[]): string {
  const tiles = SHOWN.map((shown) => tile(shown, points)).join("");
  return `<pre style="margin:0">${escapeHtml(line)}</pre>${tiles === "" ? "" : `<div>${tiles}</div>`}`;
}
