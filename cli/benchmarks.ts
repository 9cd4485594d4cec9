/** What `--benchmark` names: published sets, folders with a sub-folder a class, files of rows. */
import * as path from "node:path";
import { isSetName, setsFolder, type SetName } from "../lib/benchmark/photographs";
import { UsageError } from "./values";

/** One benchmark; `root` is undefined where it lies where it always does. */
export type ChosenBenchmark =
  | { kind: "published"; name: SetName; root: string | undefined }
  | { kind: "drawings"; name: "emoji-fgvr" }
  | { kind: "folder"; name: string; root: string }
  | { kind: "file"; name: string; file: string };

const isPath = (text: string): boolean =>
  text.includes("/") || text.includes(path.sep) || text === "." || text === "..";

function named(name: string, sets: string | undefined): ChosenBenchmark {
  if (!/^\w[\w.-]*$/.test(name))
    throw new UsageError(
      `--benchmark has the name ${JSON.stringify(name)}; expected letters, digits, -, _ and ., or a path with a / (${JSON.stringify(`./${name}`)})`,
    );
  if (name === "emoji-fgvr") return { kind: "drawings", name };
  if (isSetName(name)) return { kind: "published", name, root: sets === undefined ? undefined : path.join(sets, name) };
  return { kind: "folder", name, root: path.join(sets ?? setsFolder(), name) };
}

/**
 * The benchmarks of `--benchmark`, in its order: a path (it has a /) is a folder, what ends in `.jsonl` a file, all else are names, joined by `+`.
 * @param sets folder of all image sets (`--sets`)
 * @throws UsageError on a name that is none, or that is given twice
 */
export function chooseBenchmarks(text: string, sets?: string): ChosenBenchmark[] {
  if (text.endsWith(".jsonl")) return [{ kind: "file", name: path.basename(text, ".jsonl"), file: text }];
  if (isPath(text)) {
    const root = path.resolve(text);
    return [{ kind: "folder", name: path.basename(root), root }];
  }
  const names = text.split("+");
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`--benchmark names ${JSON.stringify(twice)} twice`);
  return names.map((name) => named(name, sets));
}

/** The only benchmark, for a command that takes one at a time. @throws UsageError */
export function chooseBenchmark(text: string, sets?: string): ChosenBenchmark {
  const [first, ...more] = chooseBenchmarks(text, sets);
  if (more.length > 0) throw new UsageError(`--benchmark is ${JSON.stringify(text)}; this command takes one at a time`);
  return first;
}

/**
 * A benchmark as `loadQuestions` is told of it.
 * @param images folder that a file's image paths count from (`--images`)
 * @throws UsageError where the loader would take a folder for a published set
 */
export function questionSource(chosen: ChosenBenchmark, images?: string): { set: string; root?: string } {
  if (images !== undefined && chosen.kind !== "file")
    throw new UsageError("--images is for a file of rows; --sets DIR says where image sets are");
  if (chosen.kind === "file") return { set: chosen.file, root: images };
  if (chosen.kind === "drawings") return { set: chosen.name };
  if (chosen.kind === "folder" && (isSetName(chosen.name) || chosen.name === "emoji-fgvr"))
    throw new UsageError(
      `--benchmark: the folder ${chosen.root} has the name of a published set, but is read as a folder with a sub-folder a class; give it another name, or choose the published set by --benchmark ${chosen.name} --sets ${path.dirname(chosen.root)}`,
    );
  return { set: chosen.name, root: chosen.root };
}
