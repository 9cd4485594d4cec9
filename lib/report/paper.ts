/**
 * The paper's two result tables (`data/paper/*.csv`): read, their averages recomputed, and set beside this project's
 * runs.
 */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import * as aq from "arquero";
import { SET_NAMES, type SetName } from "../formats/set-names";
import type { Metric } from "../eval/compare";
import { aggregateSeeds, type ResultRow } from "../eval/results";
import { compareMethods } from "../train/methods";
import type { Setting, Split } from "../eval/rows";
import { axis, layout, methodStyle, panelHeading, plotlyText, type Figure } from "./figures-theme";
import { repositoryRoot } from "../util/root";
import { average } from "../util/sums";
import type { TableRow } from "./tables";

const SPLITS = ["seen", "unseen"] as const;

/** A model's line; accuracies in %, as printed. Columns: `seen_aircraft` … `unseen_pet`, and the three averages. */
export interface PaperRow {
  model: string;
  group: string;
  [column: string]: string | number;
}

const column = (split: Split, set: SetName): string => `${split}_${set}`;

/** Columns of numbers, in the order of the file. */
export const PAPER_COLUMNS: readonly string[] = [
  ...SPLITS.flatMap((split) => [...SET_NAMES.map((set) => column(split, set)), `${split}_avg`]),
  "avg",
];

/** Parses a table. @throws Error naming file, line and column */
export function parsePaperTable(text: string, file: string): PaperRow[] {
  const lines = text.trim().split(/\r?\n/);
  const missing = ["model", "group", ...PAPER_COLUMNS].find((name) => !lines[0].split(",").includes(name));
  if (missing !== undefined) throw new Error(`${file}: no column "${missing}"`);
  if (lines.length < 2) throw new Error(`${file}: no line below the header`);
  const table = aq.fromCSV(text, { autoType: false });
  const models = new Set<string>();
  return (table.objects() as Record<string, string>[]).map((record, i) => {
    const { model, group } = record;
    if (models.has(model)) throw new Error(`${file}, line ${i + 2}: ${model} a second time`);
    models.add(model);
    const row: PaperRow = { model, group };
    for (const name of PAPER_COLUMNS) {
      const value = Number(record[name]);
      if ((record[name] ?? "").trim() === "" || !(value >= 0 && value <= 100))
        throw new Error(`${file}, line ${i + 2}: "${name}" is "${record[name] ?? ""}"; a percentage expected`);
      row[name] = value;
    }
    return row;
  });
}

/** One of the committed tables. */
export function readPaperTable(setting: Setting): PaperRow[] {
  const file = path.join(repositoryRoot(), "data/paper", `${setting}_world.csv`);
  return parsePaperTable(readFileSync(file, "utf8"), file);
}

/** A printed average that its cells do not give. */
export interface AverageDifference {
  model: string;
  column: string;
  printed: number;
  recomputed: number;
}

/**
 * Recomputes every average: of a split over its six sets, and `avg` over all twelve cells.
 * @returns those that differ from the printed one by more than `tolerance` points (0.005: as printed, to two places,
 * with a hair for binary rounding)
 */
export function checkAverages(rows: readonly PaperRow[], tolerance = 0.005): AverageDifference[] {
  return rows.flatMap((row) => {
    const cells = (split: Split): number[] => SET_NAMES.map((set) => row[column(split, set)] as number);
    const recomputed: Record<string, number> = {
      seen_avg: average(cells("seen")),
      unseen_avg: average(cells("unseen")),
      avg: average([...cells("seen"), ...cells("unseen")]),
    };
    return Object.entries(recomputed)
      .filter(([name, value]) => Math.abs(value - (row[name] as number)) > tolerance + 1e-6)
      .map(([name, value]) => ({
        model: row.model,
        column: name,
        printed: row[name] as number,
        recomputed: Number(value.toFixed(3)),
      }));
  });
}

/** A cell of a long table; `from` says whose number it is: `paper`, or the run it was computed from. */
export interface LongCell {
  from: string;
  setting: Setting;
  group: string;
  model: string;
  split: Split;
  set: string;
  /** In %. */
  accuracy: number;
}

/** A paper table, one cell a line: what arquero filters and pivots. */
export function paperLong(rows: readonly PaperRow[], setting: Setting): LongCell[] {
  return rows.flatMap((row) =>
    SPLITS.flatMap((split) =>
      SET_NAMES.map((set) => ({
        from: "paper",
        setting,
        group: row.group,
        model: row.model,
        split,
        set,
        accuracy: row[column(split, set)] as number,
      })),
    ),
  );
}

/**
 * This project's results in the same form, domains as sets, seeds averaged; `run` names the run that every number is
 * from.
 */
export function runLong(
  table: readonly ResultRow[],
  of: { run: string; benchmark: string },
  metric: Metric = "substring",
): LongCell[] {
  return aggregateSeeds(table)
    .filter((row) => row.metric === metric && !row.domain.startsWith("all"))
    .sort((a, b) => compareMethods(a.method, b.method))
    .map(({ method, domain, split, setting, accuracy }) => ({
      from: `run ${of.run}`,
      setting,
      group: `this project, ${of.benchmark}`,
      model: methodStyle(method).label,
      split,
      set: domain,
      accuracy: 100 * accuracy,
    }));
}

/**
 * Models down, sets across (arquero's pivot), the plain mean over the sets last; sorted by it, best first.
 * @param cells of one setting and split, all with the same sets
 */
export function pivotSets(cells: readonly LongCell[], of: { setting: Setting; split: Split }): TableRow[] {
  const own = cells.filter((cell) => cell.setting === of.setting && cell.split === of.split);
  if (own.length === 0) return [];
  const means = aq
    .from(own)
    .groupby("model", "from")
    .rollup({ mean: (d: LongCell) => aq.op.mean(d.accuracy) });
  const pivot = aq
    .from(own.map(({ model, from, set, accuracy }) => ({ model, from, set, accuracy: Number(accuracy.toFixed(2)) })))
    .groupby("model", "from")
    .pivot("set", "accuracy", { sort: false });
  const rows = pivot
    .join(means, [
      ["model", "from"],
      ["model", "from"],
    ])
    .orderby(aq.desc("mean"))
    .objects() as TableRow[];
  return rows.map((row) => ({ ...row, mean: Number((row.mean as number).toFixed(2)) }));
}

const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#332288"];
const SYMBOLS = ["square", "star", "diamond", "circle", "triangle-up", "cross", "x", "pentagon"];

/**
 * Seen against unseen in the paper's manner: one panel per set, a mark per model, a line from seen to unseen. Accuracy
 * in %.
 */
export function paperSeenUnseenFigure(
  cells: readonly LongCell[],
  setting: Setting,
  models?: readonly string[],
): Figure {
  const own = cells.filter((cell) => cell.setting === setting && (models === undefined || models.includes(cell.model)));
  const shown = models ?? [...new Set(own.map((cell) => cell.model))];
  const sets = [...new Set(own.map((cell) => cell.set))];
  const columns = Math.min(3, Math.max(1, sets.length));
  const lines = Math.max(1, Math.ceil(sets.length / columns));
  const [gapX, gapY] = [0.05, lines > 1 ? 0.14 : 0];
  const [width, height] = [(1 - gapX * (columns - 1)) / columns, (1 - gapY * (lines - 1)) / lines];
  const figure: Figure = { data: [], layout: {} };
  const axes: Record<string, unknown> = {};
  const annotations: Record<string, unknown>[] = [];
  sets.forEach((set, i) => {
    const suffix = i === 0 ? "" : String(i + 1);
    const left = (i % columns) * (width + gapX);
    const top = 1 - Math.floor(i / columns) * (height + gapY);
    axes[`xaxis${suffix}`] = axis("", {
      domain: [left, left + width],
      anchor: `y${suffix}`,
      range: [-0.4, 1.4],
      tickvals: [0, 1],
      ticktext: ["seen", "unseen"],
      showgrid: false,
    });
    axes[`yaxis${suffix}`] = axis(i % columns === 0 ? "Accuracy (%)" : "", {
      domain: [top - height, top],
      anchor: `x${suffix}`,
    });
    annotations.push(
      panelHeading(plotlyText(set.charAt(0).toUpperCase() + set.slice(1)), left + width / 2, top + 0.008),
    );
    shown.forEach((model, m) => {
      const points = SPLITS.flatMap((split, x) =>
        own
          .filter((cell) => cell.model === model && cell.set === set && cell.split === split)
          .map((cell) => ({ x, y: cell.accuracy })),
      );
      if (points.length === 0) return;
      const color = COLORS[m % COLORS.length];
      figure.data.push({
        type: "scatter",
        mode: "lines+markers",
        name: plotlyText(model),
        legendgroup: model,
        showlegend: !figure.data.some((trace) => trace.legendgroup === model),
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        x: points.map((point) => point.x),
        y: points.map((point) => point.y),
        line: { color, width: 1.4 },
        marker: { color, symbol: SYMBOLS[m % SYMBOLS.length], size: 8 },
      });
    });
  });
  figure.layout = layout(
    `${setting === "closed" ? "Closed" : "Open"} world: seen and unseen sub-categories`,
    900,
    90 + 250 * lines,
    { ...axes, annotations },
  );
  return figure;
}
