/**
 * Records in the form that a teacher's have, for checks of a model that knows nothing: no rationale says more than a
 * name.
 */
import { fewShotImages } from "../lib/benchmark/roles";
import type { Benchmark } from "../lib/benchmark/types";
import type { SftRecord } from "../lib/formats/sharegpt";

/** An answer in the four parts of the paper's rationale. */
export function exampleResponse(name: string, candidates: readonly string[]): string {
  const parts = [
    "Analysis of Visual Features: soft patches of several colours.",
    `Candidate Subcategories: ${candidates.join(", ")}.`,
    "Comparison Process: the patches match one of them.",
    `Prediction: ${name}.`,
  ];
  return `<think>${parts.join(" ")}</think><answer>${name}</answer>`;
}

/** One record for each few-shot image of a seen sub-category. */
export function exampleRecords(benchmark: Benchmark): SftRecord[] {
  const seen = benchmark.subcategories({ split: "seen" });
  return fewShotImages(benchmark, seen, Infinity).map(({ id, subcategory: { name, domain } }) => ({
    system: null,
    user: benchmark.question(domain),
    assistant: exampleResponse(name, [
      name,
      ...seen
        .filter((other) => other.name !== name)
        .slice(0, 3)
        .map((s) => s.name),
    ]),
    image: id,
  }));
}
