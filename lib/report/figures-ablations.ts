/** Figures of the ablation study: a family of variants, and every variant against TAPO. */
import { axis, type Figure, layout, panelHeading, plotlyText, wideLayout } from "./figures-theme";

/** What is drawn of a line of the ablation table. */
export type AblationCells = Record<string, string | number | null>;

const SPLITS = [
  { split: "seen", color: "#0072b2", symbol: "circle", shift: -0.09 },
  { split: "unseen", color: "#d55e00", symbol: "diamond-open", shift: 0.09 },
] as const;
const PANELS = [
  { setting: "closed", title: "Closed world" },
  { setting: "open", title: "Open world" },
] as const;

const points = (value: string | number | null): number => 100 * Number(value);

/** Error bars from `<name>_low` and `<name>_high`, in points. */
function bars(rows: readonly AblationCells[], name: string, color: string): Record<string, unknown> {
  return {
    type: "data",
    symmetric: false,
    color,
    thickness: 1.2,
    width: 4,
    array: rows.map((row) => Math.max(0, points(row[`${name}_high`]) - points(row[name]))),
    arrayminus: rows.map((row) => Math.max(0, points(row[name]) - points(row[`${name}_low`]))),
  };
}

/**
 * One family: a panel for the closed and one for the open world, members along the axis, accuracy (%) on seen and
 * unseen sub-categories with 95 % intervals. Members without a line in the table are left out.
 */
export function ablationFigure(
  title: string,
  members: readonly { variant: string; label: string }[],
  table: readonly AblationCells[],
): Figure {
  const shown = members.flatMap((member) =>
    table.filter((row) => row.variant === member.variant).map((row) => ({ label: member.label, row })),
  );
  const places = shown.map((_, i) => i);
  const width = 0.47;
  const data: Record<string, unknown>[] = [];
  const axes: Record<string, unknown> = {};
  const annotations: Record<string, unknown>[] = [];
  PANELS.forEach((panel, i) => {
    const suffix = i === 0 ? "" : String(i + 1);
    const left = i * (1 - width);
    axes[`xaxis${suffix}`] = axis("", {
      domain: [left, left + width],
      anchor: `y${suffix}`,
      range: [-0.6, shown.length - 0.4],
      tickvals: places,
      ticktext: shown.map(({ label }) => plotlyText(label)),
      showgrid: false,
    });
    axes[`yaxis${suffix}`] = axis(i === 0 ? "Accuracy (%)" : "", {
      anchor: `x${suffix}`,
      ...(i === 0 ? {} : { matches: "y", showticklabels: false }),
    });
    annotations.push(panelHeading(panel.title, left + width / 2, 1.01));
    for (const { split, color, symbol, shift } of SPLITS) {
      const name = `${panel.setting}_${split}`;
      const present = shown.map(({ row }, place) => ({ row, place })).filter(({ row }) => row[name] !== null);
      data.push({
        type: "scatter",
        mode: "lines+markers",
        name: split,
        legendgroup: split,
        showlegend: i === 0,
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        x: present.map(({ place }) => place + shift),
        y: present.map(({ row }) => points(row[name])),
        error_y: bars(
          present.map(({ row }) => row),
          name,
          color,
        ),
        line: { color, width: 1, dash: "dot" },
        marker: { color, symbol, size: 8 },
      });
    }
  });
  return { data, layout: wideLayout(title, Math.max(760, 100 + 2 * 55 * shown.length), 380, { ...axes, annotations }) };
}

/** Every variant's mean accuracy minus TAPO's, in points, with the 95 % interval of the paired difference. */
export function ablationOverviewFigure(table: readonly AblationCells[], title = "Variants against TAPO"): Figure {
  const rows = table.filter((row) => row.minus_tapo !== null && row.minus_tapo !== undefined);
  const zero = {
    type: "line",
    x0: 0,
    x1: 0,
    y0: 0,
    y1: 1,
    yref: "paper",
    line: { color: "#999999", width: 1, dash: "dash" },
  };
  return {
    data: [
      {
        type: "scatter",
        mode: "markers",
        showlegend: false,
        x: rows.map((row) => points(row.minus_tapo)),
        y: rows.map((row) => plotlyText(String(row.variant))),
        error_x: bars(rows, "minus_tapo", "#0072b2"),
        marker: { color: "#0072b2", symbol: "circle", size: 8 },
      },
    ],
    layout: layout(title, 760, 120 + 24 * rows.length, {
      shapes: [zero],
      xaxis: axis("Mean accuracy of the four cells minus TAPO's (points)"),
      yaxis: axis("", { autorange: "reversed", type: "category" }),
    }),
  };
}
