/** The generated blocks on speed, from the rows that `npm run bench` left: the tables, and the README's five rows. */
import { toMarkdown, type TableRow } from "../lib/report/tables";
import { shortNumber } from "../test/bench/driver";
import { byInstructions, verdict } from "../test/bench/results";
import type { InstructionSet, ResultRow } from "../test/bench/types";

const TITLES: Record<InstructionSet, string> = {
  amx: "On a processor with a matrix unit (AMX)",
  avx512: "On a processor with AVX-512",
  avx2: "On a processor with AVX2",
  generic: "On another processor",
};

const SHORT_TITLES: Record<InstructionSet, string> = {
  amx: "AMX",
  avx512: "AVX-512",
  avx2: "AVX2",
  generic: "other",
};

/** The README's cases, and what each times. */
const SHORT_CASES: Record<string, string> = {
  "image-processing": "image: file to pixel values",
  "train-step-best": "training step, small decoder",
  "vlm-sft-step": "SFT step, 16 rows with images",
  rollout: "64 sampled answers with images",
  "tapo-step": "RL step, 320 answers",
};

/** The tables, one for each instruction set. Ratios above 1 mean that this project is faster. */
export function benchBlock(rows: readonly ResultRow[]): string {
  return byInstructions(rows)
    .map(([set, own]) => `${TITLES[set]}:\n\n${blockOf(own)}`)
    .join("\n");
}

/** Five rows: the ratio on each instruction set, with the times of this project and of the peer. */
export function shortBenchBlock(rows: readonly ResultRow[]): string {
  const sets = byInstructions(rows);
  return toMarkdown(
    Object.entries(SHORT_CASES).map(([name, work]): TableRow => {
      const cells = sets.map(([set, own]): [string, string] => {
        const row = own.find((one) => one.name === name);
        return [SHORT_TITLES[set], row === undefined ? "-" : shortCell(row)];
      });
      const peers = rows.filter((row) => row.name === name).map(libraryOf);
      return { work, ...Object.fromEntries(cells), against: [...new Set(peers)].join("; ") || "-" };
    }),
  );
}

/** `1.86 (58.6 : 109 ms)`. */
const shortCell = (row: ResultRow): string =>
  `${row.ratio.toFixed(2)} (${shortNumber(row.ours)} : ${shortNumber(row.peer)} ${row.unit.split(" ")[0]})`;

/** A peer's name without what it was set to. */
const libraryOf = ({ peer_name }: ResultRow): string => peer_name.split(", ")[0];

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
