/** A figure of `accuracyBy`: accuracies with their intervals over one column, coloured by another. */
import type { AccuracyRow } from "../eval/accuracy-by";
import { errorBars } from "./figures-accuracy";
import { axis, type Figure, methodStyle, OTHER_COLORS, plotlyText, wideLayout } from "./figures-theme";

const MARKS = ["circle", "square", "diamond", "triangle-up", "cross", "star"] as const;

/** Which columns are drawn. */
export interface AccuracyFigureOptions {
  /** Along the horizontal axis. */
  x: string;
  /** Told apart by colour and mark; methods have the colours that they have everywhere. */
  color?: string;
  title?: string;
}

/**
 * Marks with 95 % intervals, in %.
 * @throws Error where the rows lack a column, or have several rows for one mark (a column is missing then)
 */
export function accuracyFigure(rows: readonly AccuracyRow[], { x, color, title }: AccuracyFigureOptions): Figure {
  const text = (row: AccuracyRow, column: string): string => {
    if (!(column in row))
      throw new Error(`accuracyFigure: the rows have no column "${column}"; give it to accuracyBy too`);
    return column === "method" ? methodStyle(String(row[column])).label : String(row[column]);
  };
  const groups = new Map<string, AccuracyRow[]>();
  for (const row of rows) {
    const key = color === undefined ? "" : String(row[color] ?? text(row, color));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const places = [...new Set(rows.map((row) => text(row, x)))];
  const data = [...groups].map(([key, own], i) => {
    const seen = new Set<string>();
    for (const row of own) {
      const place = text(row, x);
      if (seen.has(place))
        throw new Error(
          `accuracyFigure: several rows for ${x} = ${place}${color === undefined ? "" : `, ${color} = ${key}`}; choose among the rows, or group by fewer columns`,
        );
      seen.add(place);
    }
    const style =
      color === "method"
        ? methodStyle(key)
        : { label: key, color: OTHER_COLORS[i % OTHER_COLORS.length], symbol: MARKS[i % MARKS.length] };
    const shift = groups.size > 1 ? (i / (groups.size - 1) - 0.5) * 0.6 : 0;
    return {
      type: "scatter",
      mode: "markers",
      name: plotlyText(style.label),
      showlegend: color !== undefined,
      x: own.map((row) => places.indexOf(text(row, x)) + shift),
      y: own.map(({ accuracy }) => 100 * accuracy),
      text: own.map((row) => `${plotlyText(text(row, x))}: ${row.correct} of ${row.n}`),
      error_y: errorBars(own, style.color),
      marker: { color: style.color, symbol: style.symbol, size: 9 },
    };
  });
  return {
    data,
    layout: wideLayout(title ?? `Accuracy by ${plotlyText(x)}`, Math.max(520, 120 + 90 * places.length), 340, {
      xaxis: axis("", {
        tickvals: places.map((_, i) => i),
        ticktext: places.map(plotlyText),
        range: [-0.5, places.length - 0.5],
        showgrid: false,
      }),
      yaxis: axis("Accuracy (%)", { rangemode: "tozero" }),
    }),
  };
}
