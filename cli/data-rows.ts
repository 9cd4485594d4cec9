/** `data rows FILE`: whether every row of a data file can be used: Stage-1 JSON, Stage-2 parquet, evaluation JSONL. */
import * as path from "node:path";
import type { OnBadRow } from "../lib/util/lines";
import { readReleased, summariseReleased } from "../lib/benchmark/photographs";
import { readStage1, summariseStage1 } from "../lib/formats/stage1";
import { readStage2 } from "../lib/formats/stage2";

/** What a file holds. */
export interface RowsReport {
  file: string;
  format: "stage-1" | "stage-2" | "evaluation";
  rows: number;
  /** Rows that cannot be used. */
  skipped: number;
  /** File and place of each, with the reason. */
  bad: string[];
  summary: unknown;
}

/**
 * Reads a file by its ending: `.json`, `.parquet`, `.jsonl`.
 * @param decode of parquet: decodes every image too
 * @throws Error where the file cannot be read, or under `stop` at the first bad row
 */
export async function readRowsReport(file: string, onBadRow: OnBadRow, decode: boolean): Promise<RowsReport> {
  const atLine = ({ file: at, line, reason }: { file: string; line: number; reason: string }): string =>
    `${at}, line ${line}: ${reason}`;
  switch (path.extname(file)) {
    case ".json": {
      const { records, skipped } = readStage1(file, onBadRow);
      return {
        file,
        format: "stage-1",
        rows: records.length,
        skipped: skipped.length,
        bad: skipped.map(atLine),
        summary: summariseStage1(records),
      };
    }
    case ".parquet": {
      const { rows, skipped } = await readStage2(file, onBadRow, { decode });
      return {
        file,
        format: "stage-2",
        rows: rows.length,
        skipped: skipped.length,
        bad: skipped.map(({ row, reason }) => `${file}, row ${row}: ${reason}`),
        summary: { answers: new Set(rows.map((row) => row.answer)).size },
      };
    }
    case ".jsonl": {
      const read = readReleased(file, onBadRow);
      return {
        file,
        format: "evaluation",
        rows: read.rows.length,
        skipped: read.skipped.length,
        bad: read.skipped.map(atLine),
        summary: summariseReleased(read),
      };
    }
    default:
      throw new Error(
        `${file}: a file that ends in .json (Stage 1), .parquet (Stage 2) or .jsonl (evaluation) expected`,
      );
  }
}
