/** The benchmark as figures: ratios with what they must and should be; growth of our times. */
import { axis, type Figure, INK, layout, panelHeading } from "../../lib/report/figures-theme";
import { saveFigure, sha256 } from "../../lib/report/static-figures";
import { cases } from "./cases";
import type { GrowthSeries } from "./growth";
import type { ResultRow } from "./types";

const MET = "#009e73";
const MISSED = "#d55e00";
const REPORTED = "#8c8c8c";
const LINE = "#0072b2";
/** 1, 2 and 5 times powers of ten: plotly's own ticks leave out the power. */
const TICKS = [-3, -2, -1, 0, 1, 2, 3].flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)));
const logAxis = { type: "log", tickvals: TICKS, ticktext: TICKS.map(String) };

/**
 * Horizontal bars of peer / ours on a logarithmic axis, one per case and instruction set, with marks at `must` and
 * `aim`.
 */
export function benchFigure(rows: readonly ResultRow[]): Figure {
  const label = (row: ResultRow): string => `<b>${row.name}</b>, ${row.machine.instructions}<br>${row.peer_name}`;
  const order = new Map(cases.map(({ name }, i) => [name, i]));
  const shown = [...rows].sort(
    (a, b) =>
      (order.get(b.name) ?? 0) - (order.get(a.name) ?? 0) ||
      b.machine.instructions.localeCompare(a.machine.instructions),
  );
  const bars = [
    { name: "reaches what it must", color: MET, of: shown.filter((row) => row.must !== null && row.ratio >= row.must) },
    { name: "misses it", color: MISSED, of: shown.filter((row) => row.must !== null && row.ratio < row.must) },
    { name: "reported only", color: REPORTED, of: shown.filter((row) => row.must === null) },
  ].filter(({ of }) => of.length > 0);
  const mark = (name: "must" | "aim", symbol: string): Record<string, unknown> => {
    const marked = shown.filter((row) => row[name] !== null);
    return {
      type: "scatter",
      mode: "markers",
      name,
      x: marked.map((row) => row[name]),
      y: marked.map(label),
      marker: { symbol, size: 22, color: INK, line: { width: name === "must" ? 3 : 1.5, color: INK } },
    };
  };
  const values = rows.flatMap(({ ratio, must, aim }) => [ratio, must ?? ratio, aim ?? ratio, 1]);
  const range = [Math.log10(Math.min(...values) / 3), Math.log10(Math.max(...values) * 1.3)];
  return {
    data: [
      ...bars.map(({ name, color, of }) => ({
        type: "bar",
        orientation: "h",
        name,
        x: of.map(({ ratio }) => ratio),
        y: of.map(label),
        marker: { color },
        width: 0.6,
        text: of.map(({ ratio }) => `${ratio.toFixed(2)}x`),
        textposition: "inside",
        insidetextanchor: "start",
        textangle: 0,
        textfont: { color: "white" },
      })),
      mark("must", "line-ns-open"),
      mark("aim", "line-ns-open"),
    ],
    layout: layout("Speed against the peer that comes nearest", 900, 130 + 52 * rows.length, {
      barmode: "overlay",
      xaxis: axis("peer's time / ours", { ...logAxis, range }),
      yaxis: axis("", { type: "category", categoryorder: "array", categoryarray: shown.map(label), showgrid: false }),
      shapes: [
        {
          type: "line",
          xref: "x",
          yref: "paper",
          x0: 1,
          x1: 1,
          y0: 0,
          y1: 1,
          line: { color: INK, width: 1, dash: "dash" },
        },
      ],
    }),
  };
}

/** One panel per series, both axes logarithmic; the heading says the power that fits. */
export function growthFigure(series: readonly GrowthSeries[]): Figure {
  const columns = Math.min(2, series.length);
  const lines = Math.ceil(series.length / columns);
  const [gapX, gapY] = [0.12, lines > 1 ? 0.22 : 0];
  const [width, height] = [(1 - gapX * (columns - 1)) / columns, (1 - gapY * (lines - 1)) / lines];
  const axes: Record<string, unknown> = {};
  const annotations: Record<string, unknown>[] = [];
  const data = series.map(({ name, x_title, exponent, points }, i) => {
    const suffix = i === 0 ? "" : String(i + 1);
    const [left, top] = [(i % columns) * (width + gapX), 1 - Math.floor(i / columns) * (height + gapY)];
    axes[`xaxis${suffix}`] = axis(x_title, {
      type: "log",
      domain: [left, left + width],
      anchor: `y${suffix}`,
      tickvals: points.map(({ x }) => x),
      ticktext: points.map(({ x }) => (x < 1e6 ? String(x) : `${(x / 1e6).toPrecision(2)} M`)),
    });
    axes[`yaxis${suffix}`] = axis(i % columns === 0 ? "Seconds" : "", {
      ...logAxis,
      domain: [top - height, top],
      anchor: `x${suffix}`,
    });
    annotations.push(panelHeading(`${name}: time ∝ x<sup>${exponent.toFixed(2)}</sup>`, left + width / 2, top + 0.008));
    return {
      type: "scatter",
      mode: "lines+markers",
      showlegend: false,
      xaxis: `x${suffix}`,
      yaxis: `y${suffix}`,
      x: points.map(({ x }) => x),
      y: points.map(({ seconds }) => seconds),
      line: { color: LINE, width: 2 },
      marker: { color: LINE, size: 7 },
    };
  });
  return { data, layout: layout("How our times grow", 400 * columns + 60, 90 + 270 * lines, { ...axes, annotations }) };
}

/**
 * Writes `figures/<name>.svg` with its table and stamp: the code's hash, the cases (as settings) and the measured rows
 * (as data).
 */
export function saveBenchFigure(
  name: "bench" | "bench-growth",
  figure: Figure,
  rows: readonly object[],
  inputs: string,
  settings: unknown,
): Promise<string> {
  return saveFigure(name, figure, rows, {
    code: inputs,
    settings: sha256(JSON.stringify(settings)),
    data: sha256(JSON.stringify(rows)),
  });
}
