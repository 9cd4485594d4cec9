/** The README's block on speed, from the rows that `npm run bench` left. */
import { toMarkdown, type TableRow } from "../lib/report/tables";
import { shortNumber } from "../test/bench/driver";
import { byInstructions, verdict } from "../test/bench/results";
import type { InstructionSet, ResultRow } from "../test/bench/types";

/** Ratios above 1 mean that this project is faster. */
export function benchBlock(rows: readonly ResultRow[]): string {
  return byInstructions(rows)
    .map(([set, own]) => `${TITLES[set]}:\n\n${blockOf(own)}`)
    .join("\n");
}

const TITLES: Record<InstructionSet, string> = {
  amx: "On a processor with a matrix unit (AMX)",
  avx512: "On a processor with AVX-512",
  avx2: "On a processor with AVX2",
  generic: "On another processor",
};

function blockOf(rows: readonly ResultRow[]): string {
  const table = rows.map((row): TableRow => ({
    case: row.name,
    ours: shortNumber(row.ours),
    peer: shortNumber(row.peer),
    unit: row.unit,
    ratio: row.ratio.toFixed(2),
    must: row.must,
    "": verdict(row),
    against: row.peer_name,
  }));
  const machines = [
    ...new Set(rows.map(({ machine: { processor, threads } }) => `${processor}, ${threads} threads`)),
  ].join("; ");
  const versions = [
    ...new Set(
      rows.flatMap(({ versions: { ours, peer } }) =>
        Object.entries({ ...ours, ...peer }).map(([name, version]) => `${name} ${version}`),
      ),
    ),
  ]
    .sort()
    .join(", ");
  const inputs = [...new Set(rows.map((row) => row.inputs.slice(0, 16)))].map((hash) => `\`${hash}\``).join(", ");
  return `${toMarkdown(table)}\nMeasured on ${machines}; ${versions}. From \`test/bench/results.json\`; hash of the code measured: ${inputs}.\n`;
}
