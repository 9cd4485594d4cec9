/** One look for every figure: a colour and a mark per method, readable type, a legend outside, tidy margins. */

import { methodFacts, type MethodFacts } from "../train/methods";

/** A plotly figure: what `Plotly.newPlot` and the notebook's `application/vnd.plotly.v1+json` take. */
export interface Figure {
  data: Record<string, unknown>[];
  layout: Record<string, unknown>;
}

type MethodStyle = Pick<MethodFacts, "label" | "color" | "symbol">;

/** Colours of what is no method of this project; told apart by colour-blind readers. */
export const OTHER_COLORS = ["#332288", "#88ccee", "#117733", "#999933", "#aa4499", "#882255"];

/** Label, colour and mark of a method: fixed for this project's own, by the letters of the name for others. */
export function methodStyle(method: string): MethodStyle {
  const known = methodFacts(method);
  if (known) return known;
  const sum = Array.from(method).reduce((total, letter) => total + letter.charCodeAt(0), 0);
  return { label: method, color: OTHER_COLORS[sum % OTHER_COLORS.length], symbol: "x" };
}

/**
 * Nothing of this is in kaleido, which measures text in the wider DejaVu Sans: so no reader's font overruns its room.
 */
export const FONT = "Helvetica Neue, Arial, Helvetica, sans-serif";
export const INK = "#222222";
const GRID = "#e6e6e6";

/**
 * A text of data in a figure: plotly takes `<…>` for markup and decodes entities, so these are escaped; it has none for
 * quotes, which stay.
 */
export const plotlyText = (text: string): string => text.replace(/&(?=#?\w+;)/g, "&amp;").replace(/</g, "&lt;");

/** An axis in the house style; `extra` overrides. */
export function axis(title: string, extra: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    title: { text: title, standoff: 8, font: { size: 14 } },
    tickfont: { size: 12 },
    showline: true,
    linecolor: "#999999",
    linewidth: 1,
    ticks: "outside",
    ticklen: 4,
    tickcolor: "#999999",
    gridcolor: GRID,
    zeroline: false,
    automargin: true,
    ...extra,
  };
}

/** A layout in the house style: white, the legend right of the plot, room for a title only where there is one. */
export function layout(
  title: string,
  width: number,
  height: number,
  extra: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    width,
    height,
    title:
      title === ""
        ? undefined
        : { text: title, x: 0.01, xanchor: "left", y: 0.985, yanchor: "top", font: { size: 16 } },
    font: { family: FONT, size: 13, color: INK },
    paper_bgcolor: "white",
    plot_bgcolor: "white",
    margin: { l: 60, r: 20, t: title === "" ? 30 : 64, b: 50 },
    legend: { x: 1.02, xanchor: "left", y: 1, yanchor: "top", font: { size: 13 }, tracegroupgap: 2 },
    ...extra,
  };
}

/** Height of a legend below the plot, two lines, pixels. */
const LEGEND = 52;

/** The same with the legend below the plot, in the two lines that it takes at most: for figures as wide as the page. */
export function wideLayout(
  title: string,
  width: number,
  height: number,
  extra: Record<string, unknown> = {},
): Record<string, unknown> {
  const base = layout(title, width, height + LEGEND, extra) as { margin: object; legend: object };
  return {
    ...base,
    margin: { ...base.margin, b: 50 + LEGEND },
    legend: { ...base.legend, orientation: "h", yref: "container", x: 0, y: 0.01, yanchor: "bottom" },
  };
}

/** A heading over one panel, at paper coordinates; a text of data needs `plotlyText`. */
export function panelHeading(text: string, x: number, y: number): Record<string, unknown> {
  return {
    text: `<b>${text}</b>`,
    x,
    y,
    xref: "paper",
    yref: "paper",
    xanchor: "center",
    yanchor: "bottom",
    showarrow: false,
    font: { size: 13 },
  };
}

/** `#rrggbb` as an rgba colour of the given opacity. */
export function faded(color: string, opacity: number): string {
  const channel = (at: number): number => parseInt(color.slice(at, at + 2), 16);
  return `rgba(${channel(1)},${channel(3)},${channel(5)},${opacity})`;
}
