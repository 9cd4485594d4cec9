/** Figures of training: learning curves of several methods, and a loss curve. */
import { average } from "../util/sums";
import { axis, faded, type Figure, layout, methodStyle, panelHeading, plotlyText, wideLayout } from "./figures-theme";

/** One run's log: for each metric a value per logged step. */
export interface Curve {
  method: string;
  /** Told apart by thin lines of the same colour. */
  seed?: number;
  step: readonly number[];
  /** Metric name -> values, as long as `step`; null where a step did not log it. */
  metrics: Record<string, readonly (number | null)[]>;
}

/** A panel of `learningCurvesFigure`. */
export interface CurvePanel {
  metric: string;
  title: string;
}

/** What RL logs: reward, share in format, response length, entropy, inter-class KL. */
export const RL_PANELS: readonly CurvePanel[] = [
  { metric: "reward", title: "Reward" },
  { metric: "format", title: "Format rate" },
  { metric: "length", title: "Response length (tokens)" },
  { metric: "entropy", title: "Entropy (nats)" },
  { metric: "kl", title: "Inter-class KL, k3 (nats)" },
];

/** The centred moving average over up to `span` logged values; nulls are left out, and stay null. */
export function smooth(values: readonly (number | null)[], span: number): (number | null)[] {
  const half = Math.floor(span / 2);
  return values.map((value, i) => {
    if (value === null) return null;
    const near = values.slice(Math.max(0, i - half), i + half + 1).filter((x): x is number => x !== null);
    return average(near);
  });
}

/**
 * One panel per metric that any run logged, a line per run over steps: smoothed, with the raw values faint behind it.
 * @param options.span width of the smoothing in logged steps; 1 for none. Default 5.
 */
export function learningCurvesFigure(
  curves: readonly Curve[],
  options: { title?: string; panels?: readonly CurvePanel[]; span?: number; columns?: number } = {},
): Figure {
  const { title = "Learning curves", panels = RL_PANELS, span = 5 } = options;
  const logged = panels.filter(({ metric }) =>
    curves.some((curve) => curve.metrics[metric]?.some((value) => value !== null)),
  );
  const columns = Math.min(options.columns ?? 3, Math.max(1, logged.length));
  const lines = Math.max(1, Math.ceil(logged.length / columns));
  const gapX = 0.075;
  const gapY = lines > 1 ? 0.2 : 0;
  const width = (1 - gapX * (columns - 1)) / columns;
  const height = (1 - gapY * (lines - 1)) / lines;
  const data: Record<string, unknown>[] = [];
  const axes: Record<string, unknown> = {};
  const annotations: Record<string, unknown>[] = [];
  const named = new Set<string>();
  logged.forEach((panel, i) => {
    const suffix = i === 0 ? "" : String(i + 1);
    const left = (i % columns) * (width + gapX);
    const top = 1 - Math.floor(i / columns) * (height + gapY);
    const last = i + columns >= logged.length;
    axes[`xaxis${suffix}`] = axis(last ? "Step" : "", { domain: [left, left + width], anchor: `y${suffix}` });
    axes[`yaxis${suffix}`] = axis("", { domain: [top - height, top], anchor: `x${suffix}`, automargin: false });
    annotations.push(panelHeading(panel.title, left + width / 2, top + 0.008));
    for (const curve of curves) {
      const values = curve.metrics[panel.metric];
      if (!values) continue;
      const { label, color } = methodStyle(curve.method);
      const trace = {
        type: "scatter",
        mode: "lines",
        name: plotlyText(label),
        legendgroup: curve.method,
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        x: [...curve.step],
      };
      if (span > 1)
        data.push({
          ...trace,
          y: [...values],
          showlegend: false,
          hoverinfo: "skip",
          line: { color: faded(color, 0.25), width: 1 },
        });
      data.push({ ...trace, y: smooth(values, span), showlegend: !named.has(curve.method), line: { color, width: 2 } });
      named.add(curve.method);
    }
  });
  return { data, layout: wideLayout(title, 310 * columns, 90 + 220 * lines, { ...axes, annotations }) };
}

/** A loss over steps, one line per name (for example training and held-out), raw values faint behind. */
export function lossFigure(
  losses: readonly { name: string; step: readonly number[]; loss: readonly (number | null)[] }[],
  title = "Loss",
  span = 9,
): Figure {
  const colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
  const data = losses.flatMap(({ name, step, loss }, i) => {
    const color = colors[i % colors.length];
    const trace = { type: "scatter", mode: "lines", name: plotlyText(name), legendgroup: name, x: [...step] };
    return [
      { ...trace, y: [...loss], showlegend: false, hoverinfo: "skip", line: { color: faded(color, 0.25), width: 1 } },
      { ...trace, y: smooth(loss, span), showlegend: true, line: { color, width: 2 } },
    ];
  });
  return { data, layout: layout(title, 720, 400, { xaxis: axis("Step"), yaxis: axis("Loss (nats per token)") }) };
}
