/** Figures of accuracy: seen against unseen per domain in the paper's manner, and bars per method. */
import type { Metric } from "../eval/compare";
import type { OverviewRow } from "../eval/overview";
import { CELLS } from "../eval/overview";
import { aggregateSeeds, type AggregateRow, POOLED, type ResultRow } from "../eval/results";
import { compareText } from "../util/text";
import { compareMethods } from "../train/methods";
import type { Setting } from "../eval/rows";
import { axis, faded, type Figure, methodStyle, panelHeading, plotlyText, wideLayout } from "./figures-theme";

const percent = (x: number): number => 100 * x;

/** Error bars of a plotly trace from accuracies in [0, 1]. */
export function errorBars(
  cells: readonly { accuracy: number; low: number; high: number }[],
  color: string,
): Record<string, unknown> {
  return {
    type: "data",
    symmetric: false,
    color,
    thickness: 1.2,
    width: 3,
    array: cells.map((cell) => percent(Math.max(0, cell.high - cell.accuracy))),
    arrayminus: cells.map((cell) => percent(Math.max(0, cell.accuracy - cell.low))),
  };
}

function domainsOf(rows: readonly AggregateRow[]): string[] {
  const pooled = POOLED as readonly string[];
  return [...new Set(rows.map((row) => row.domain))].sort(
    (a, b) => pooled.indexOf(a) - pooled.indexOf(b) || compareText(a, b),
  );
}

const heading = (domain: string): string =>
  domain === "all"
    ? "All, pooled"
    : domain === "all-but-flags"
      ? "All but flags"
      : domain.charAt(0).toUpperCase() + domain.slice(1);

export interface SeenUnseenOptions {
  setting?: Setting;
  metric?: Metric;
  /** Methods to show, in this order of the legend; all by default. */
  methods?: readonly string[];
  columns?: number;
}

/**
 * Accuracy (%) on seen and unseen sub-categories: one panel per domain (the pooled ones last), a mark per method with
 * its 95 % interval, and a line from seen to unseen. Methods stand side by side so that intervals do not overlap.
 */
export function seenUnseenFigure(table: readonly ResultRow[], options: SeenUnseenOptions = {}): Figure {
  const { setting = "closed", metric = "substring" } = options;
  const rows = aggregateSeeds(table).filter((row) => row.setting === setting && row.metric === metric);
  const methods = options.methods ?? [...new Set(rows.map((row) => row.method))].sort(compareMethods);
  const domains = domainsOf(rows);
  const columns = Math.min(options.columns ?? 4, Math.max(1, domains.length));
  const lines = Math.ceil(domains.length / columns);
  const gapX = 0.035;
  const gapY = lines > 1 ? 0.15 : 0;
  const width = (1 - gapX * (columns - 1)) / columns;
  const height = (1 - gapY * (lines - 1)) / Math.max(1, lines);
  const shown = rows.filter((row) => methods.includes(row.method));
  const low = Math.max(0, Math.floor(Math.min(...shown.map((row) => percent(row.ci_low))) / 10) * 10);
  const high = Math.min(100, Math.ceil(Math.max(...shown.map((row) => percent(row.ci_high))) / 10) * 10);
  const figure: Figure = { data: [], layout: {} };
  const axes: Record<string, unknown> = {};
  const annotations: Record<string, unknown>[] = [];

  domains.forEach((domain, i) => {
    const suffix = i === 0 ? "" : String(i + 1);
    const column = i % columns;
    const line = Math.floor(i / columns);
    const left = column * (width + gapX);
    const top = 1 - line * (height + gapY);
    axes[`xaxis${suffix}`] = axis("", {
      domain: [left, left + width],
      anchor: `y${suffix}`,
      range: [-0.5, 1.5],
      tickvals: [0, 1],
      ticktext: ["seen", "unseen"],
      showgrid: false,
    });
    axes[`yaxis${suffix}`] = axis(column === 0 ? "Accuracy (%)" : "", {
      domain: [top - height, top],
      anchor: `x${suffix}`,
      range: [low, high],
      showticklabels: column === 0,
      automargin: column === 0,
    });
    annotations.push(panelHeading(plotlyText(heading(domain)), left + width / 2, top + 0.008));
    methods.forEach((method, m) => {
      const cells = (["seen", "unseen"] as const)
        .map((split, x) => ({
          x,
          row: rows.find((row) => row.method === method && row.domain === domain && row.split === split),
        }))
        .filter((cell): cell is { x: number; row: AggregateRow } => cell.row !== undefined);
      if (cells.length === 0) return;
      const { label, color, symbol } = methodStyle(method);
      const shift = methods.length > 1 ? (m / (methods.length - 1) - 0.5) * 0.66 : 0;
      figure.data.push({
        type: "scatter",
        mode: "lines+markers",
        name: plotlyText(label),
        legendgroup: method,
        showlegend: !figure.data.some((trace) => trace.legendgroup === method),
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        x: cells.map((cell) => cell.x + shift),
        y: cells.map((cell) => percent(cell.row.accuracy)),
        error_y: errorBars(
          cells.map(({ row }) => ({ accuracy: row.accuracy, low: row.ci_low, high: row.ci_high })),
          faded(color, 0.6),
        ),
        line: { color: faded(color, 0.6), width: 1.2 },
        marker: { color, symbol, size: 8 },
      });
    });
  });
  const world = setting === "closed" ? "Closed world" : "Open world";
  figure.layout = wideLayout(
    `${world}, ${metric === "substring" ? "text inclusion" : "exact match"}: seen and unseen sub-categories`,
    Math.max(520, 250 * columns),
    90 + 270 * lines,
    { ...axes, annotations },
  );
  return figure;
}

const CELL_LABELS = ["Closed, seen", "Closed, unseen", "Open, seen", "Open, unseen"];

/** Bars of every method over closed/open x seen/unseen and their mean, in %, with 95 % intervals. */
export function methodBarsFigure(rows: readonly OverviewRow[], title = "Accuracy by method"): Figure {
  const data = rows.map(({ method, cells, mean }) => {
    const { label, color } = methodStyle(method);
    const shown = [...cells, mean].map((cell, i) => ({
      cell,
      name: i < CELLS.length ? CELL_LABELS[i] : "Mean of the four",
    }));
    const present = shown.filter(
      (item): item is { cell: NonNullable<typeof item.cell>; name: string } => item.cell !== null,
    );
    return {
      type: "bar",
      name: plotlyText(label),
      x: present.map((item) => item.name),
      y: present.map((item) => percent(item.cell.accuracy)),
      marker: { color, line: { color: "white", width: 0.5 } },
      error_y: errorBars(
        present.map((item) => item.cell),
        "#333333",
      ),
    };
  });
  return {
    data,
    layout: wideLayout(title, 980, 400, {
      barmode: "group",
      bargap: 0.18,
      bargroupgap: 0.06,
      xaxis: axis("", { categoryorder: "array", categoryarray: [...CELL_LABELS, "Mean of the four"], showgrid: false }),
      yaxis: axis("Accuracy (%)", { rangemode: "tozero" }),
    }),
  };
}
