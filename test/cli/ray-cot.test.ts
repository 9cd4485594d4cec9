import { readdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { removeSlices } from "../../cli/ray-cot";
import { temporaryFolder } from "../benchmark/photographs/trees";

it("slices of another --ray-parts go once all are joined, what is joined or locked stays", () => {
  const folder = temporaryFolder();
  const slice = (images: string): string => `observations-0123456789abcdef.partial.${images}.jsonl`;
  const stays = [
    "observations-0123456789abcdef.partial.jsonl",
    "observations.jsonl",
    "records.json",
    slice("96-120"),
    `${slice("96-120")}.lock`,
  ];
  for (const name of [slice("0-24"), slice("24-96"), ...stays]) writeFileSync(path.join(folder, name), "");
  removeSlices(folder);
  expect(readdirSync(folder).sort()).toEqual([...stays].sort());
});
