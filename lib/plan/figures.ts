/** Figures of plans and fleets. */
import { axis, faded, type Figure, layout, OTHER_COLORS, panelHeading, wideLayout } from "../report/figures-theme";
import type { FleetResult, Span } from "./fleet";
import type { Range } from "./range";

/** A point of a line: `x` is what grows, sub-categories or parameters. */
export interface PlanPoint {
  line: string;
  x: number;
  hours: Range;
  price: Range | null;
}

/** A line and the band of its range, on logarithmic axes. */
function bands(points: readonly PlanPoint[], of: (point: PlanPoint) => Range | null, panel: string, legend: boolean) {
  const lines = [...new Set(points.map(({ line }) => line))];
  return lines.flatMap((line, i) => {
    const own = points.flatMap((point) => {
      const range = point.line === line ? of(point) : null;
      return range ? [{ x: point.x, ...range }] : [];
    });
    if (own.length === 0) return [];
    const color = OTHER_COLORS[i % OTHER_COLORS.length];
    const back = [...own].reverse();
    const place = { type: "scatter", xaxis: `x${panel}`, yaxis: `y${panel}`, legendgroup: line, name: line };
    return [
      {
        ...place,
        x: [...own.map(({ x }) => x), ...back.map(({ x }) => x)],
        y: [...own.map(({ high }) => high), ...back.map(({ low }) => low)],
        fill: "toself",
        fillcolor: faded(color, 0.15),
        line: { width: 0 },
        mode: "lines",
        hoverinfo: "skip",
        showlegend: false,
      },
      {
        ...place,
        x: own.map(({ x }) => x),
        y: own.map(({ central }) => central),
        mode: "lines+markers",
        line: { color, width: 2 },
        marker: { color, size: 6 },
        showlegend: legend,
      },
    ];
  });
}

/** Hours and price over what grows, side by side: a line for each device or size, its range as a band. */
export function planFigure(points: readonly PlanPoint[], title: string, xTitle: string): Figure {
  const log = { type: "log", dtick: 1 };
  const places = [...new Set(points.map(({ x }) => x))];
  const few = { type: "log", tickvals: places, ticktext: places.map((x) => String(Number(x.toPrecision(2)))) };
  const across = places.length <= 5 ? few : log;
  const [left, right] = [
    [0, 0.45],
    [0.57, 1],
  ];
  const data = [...bands(points, ({ hours }) => hours, "", true), ...bands(points, ({ price }) => price, "2", false)];
  const axes = {
    xaxis: axis(xTitle, { ...across, domain: left, anchor: "y" }),
    yaxis: axis("", { ...log, anchor: "x" }),
    xaxis2: axis(xTitle, { ...across, domain: right, anchor: "y2" }),
    yaxis2: axis("", { ...log, anchor: "x2" }),
    annotations: [panelHeading("Hours of one device", 0.225, 1.01), panelHeading("USD", 0.785, 1.01)],
  };
  return { data, layout: wideLayout(title, 1000, 420, axes) };
}

/** Throughput, waiting and staleness over the bound. */
export function fleetFigure(results: readonly { staleness: number; result: FleetResult }[], title: string): Figure {
  const panels: { title: string; of: (result: FleetResult) => number }[] = [
    { title: "Batches an hour", of: (result) => result.batchesPerHour },
    { title: "Workers waiting, %", of: (result) => 100 * result.waiting },
    { title: "Mean staleness, updates", of: (result) => result.meanStaleness },
  ];
  const width = 0.27;
  const axes: Record<string, unknown> = {};
  const data = panels.map((panel, i) => {
    const suffix = i === 0 ? "" : String(i + 1);
    const from = i * (1 - width) * 0.5;
    axes[`xaxis${suffix}`] = axis("Staleness bound (0: synchronous)", {
      type: "category",
      domain: [from, from + width],
      anchor: `y${suffix}`,
    });
    axes[`yaxis${suffix}`] = axis("", { anchor: `x${suffix}`, rangemode: "tozero" });
    return {
      type: "bar",
      x: results.map(({ staleness }) => String(staleness)),
      y: results.map(({ result }) => panel.of(result)),
      xaxis: `x${suffix}`,
      yaxis: `y${suffix}`,
      marker: { color: OTHER_COLORS[0] },
      showlegend: false,
    };
  });
  axes.annotations = panels.map((panel, i) => panelHeading(panel.title, i * (1 - width) * 0.5 + width / 2, 1.01));
  return { data, layout: layout(title, 1000, 380, { ...axes, bargap: 0.35 }) };
}

const STATES: readonly { state: Span["state"]; color: string }[] = [
  { state: "sampling", color: "#88ccee" },
  { state: "waiting", color: "#dddddd" },
  { state: "down", color: "#aa4499" },
];

/** What each worker did at the beginning: a line a worker, a colour a state. */
export function fleetTraceFigure(trace: readonly Span[], title: string): Figure {
  const workers = 1 + Math.max(0, ...trace.map(({ worker }) => worker));
  const data = STATES.map(({ state, color }) => {
    const own = trace.filter((span) => span.state === state);
    return {
      type: "bar",
      orientation: "h",
      name: state,
      y: own.map(({ worker }) => worker),
      base: own.map(({ from }) => Math.round(from)),
      x: own.map(({ from, to }) => Math.round(to) - Math.round(from)),
      marker: { color, line: { color: "white", width: 0.5 } },
      width: 0.9,
      hoverinfo: "skip",
    };
  });
  return {
    data,
    layout: layout(title, 1000, 420, {
      barmode: "overlay",
      xaxis: axis("Seconds", { range: [0, Math.max(1, ...trace.map(({ to }) => to))] }),
      yaxis: axis("Worker", { range: [workers - 0.5, -0.5], showgrid: false }),
    }),
  };
}
