/** The study's figure: each hypothesis as a difference of accuracy with its interval. */
import { axis, type Figure, plotlyText, wideLayout } from "./figures-theme";

/** One difference, in [-1, 1]. */
export interface Effect {
  /** `H2: TAPO - CoT SFT, seen and unseen` */
  label: string;
  difference: number;
  low: number;
  high: number;
  /** Whether the hypothesis it belongs to holds. */
  holds: boolean;
}

const COLORS = { holds: "#0072b2", open: "#8c8c8c" } as const;

/** Differences in points with 95 % intervals, one line each, the first on top. */
export function effectsFigure(effects: readonly Effect[]): Figure {
  const points = (x: number): number => 100 * x;
  const data = [true, false].map((holds) => {
    const own = effects.filter((effect) => effect.holds === holds);
    const color = holds ? COLORS.holds : COLORS.open;
    return {
      type: "scatter",
      mode: "markers",
      name: holds ? "holds" : "not shown",
      x: own.map(({ difference }) => points(difference)),
      y: own.map(({ label }) => plotlyText(label)),
      error_x: {
        type: "data",
        symmetric: false,
        color,
        thickness: 1.4,
        width: 4,
        array: own.map(({ difference, high }) => points(high - difference)),
        arrayminus: own.map(({ difference, low }) => points(difference - low)),
      },
      marker: { color, size: 9, symbol: holds ? "circle" : "circle-open" },
    };
  });
  return {
    data: data.filter(({ x }) => x.length > 0),
    layout: wideLayout("The study's hypotheses", 900, 120 + 34 * effects.length, {
      xaxis: axis("Difference of accuracy (points, 95 % interval)", { zeroline: true }),
      yaxis: axis("", {
        categoryorder: "array",
        categoryarray: effects.map(({ label }) => plotlyText(label)).reverse(),
        automargin: true,
      }),
    }),
  };
}
