/** The probes' figure and its files: one panel a split, a bar a method, what guessing scores as a dash. */
import { compareMethods } from "../train/methods";
import type { ProbeRow } from "../eval/probes";
import { axis, methodStyle, panelHeading, plotlyText, type Figure, wideLayout } from "./figures-theme";

/** Words in lines of at most 13 letters, the kind of probe on its own. */
function wrapped(probe: string): string {
  return plotlyText(probe)
    .replace(": ", ":\n")
    .replace(/(?=.{14})([^\n]{1,13}) /g, "$1\n")
    .replace(/\n/g, "<br>");
}

/** Accuracy (%) with 95 % intervals, probes across. */
export function probesFigure(rows: readonly ProbeRow[]): Figure {
  const splits = [...new Set(rows.map((row) => row.split))];
  const methods = [...new Set(rows.map((row) => row.method))].sort(compareMethods);
  const probes = [...new Set(rows.map((row) => row.probe))];
  const figure: Figure = { data: [], layout: {} };
  const axes: Record<string, unknown> = {};
  const gap = 0.14;
  const height = (1 - gap * (splits.length - 1)) / Math.max(1, splits.length);
  splits.forEach((split, i) => {
    const suffix = i === 0 ? "" : String(i + 1);
    const top = 1 - i * (height + gap);
    const last = i === splits.length - 1;
    axes[`xaxis${suffix}`] = axis("", {
      domain: [0, 1],
      anchor: `y${suffix}`,
      showgrid: false,
      showticklabels: last,
      tickangle: 0,
      tickvals: probes.map(plotlyText),
      ticktext: probes.map(wrapped),
      categoryorder: "array",
      categoryarray: probes.map(plotlyText),
    });
    axes[`yaxis${suffix}`] = axis("Accuracy (%)", {
      domain: [top - height, top],
      anchor: `x${suffix}`,
      range: [0, 100],
    });
    for (const method of methods) {
      const own = rows.filter((row) => row.method === method && row.split === split);
      const { label, color } = methodStyle(method);
      figure.data.push({
        type: "bar",
        name: plotlyText(label),
        legendgroup: method,
        showlegend: i === 0,
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        x: own.map((row) => plotlyText(row.probe)),
        y: own.map((row) => 100 * row.accuracy),
        marker: { color, line: { color: "white", width: 0.5 } },
        error_y: {
          type: "data",
          symmetric: false,
          color: "#333333",
          thickness: 1.2,
          width: 3,
          array: own.map((row) => 100 * Math.max(0, row.high - row.accuracy)),
          arrayminus: own.map((row) => 100 * Math.max(0, row.accuracy - row.low)),
        },
      });
    }
    const guesses = probes.flatMap((probe) =>
      rows.filter((row) => row.probe === probe && row.split === split && row.chance > 0).slice(0, 1),
    );
    figure.data.push({
      type: "scatter",
      mode: "markers",
      name: "Guessing",
      legendgroup: "guessing",
      showlegend: i === 0,
      xaxis: `x${suffix}`,
      yaxis: `y${suffix}`,
      x: guesses.map((row) => plotlyText(row.probe)),
      y: guesses.map((row) => 100 * row.chance),
      marker: { symbol: "line-ew", size: 44, color: "#222222", line: { color: "#222222", width: 1.5 } },
    });
  });
  const annotations = splits.map((split, i) =>
    panelHeading(
      plotlyText(`${split.charAt(0).toUpperCase()}${split.slice(1)} sub-categories`),
      0.5,
      1 - i * (height + gap) + 0.008,
    ),
  );
  figure.layout = wideLayout(
    "What training changes: features, knowledge, other questions",
    980,
    120 + 260 * splits.length,
    { barmode: "group", bargap: 0.25, bargroupgap: 0.06, ...axes, annotations },
  );
  return figure;
}
