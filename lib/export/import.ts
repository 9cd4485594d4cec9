/** What another engine trained, taken into a run's folder: checkpoint or adapter, and log. */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import * as path from "node:path";
import { disposeTree } from "../engine/tree";
import { codeHash } from "../experiment/identity";
import { TRAINED_FILE } from "../experiment/model-folder";
import { placesOf } from "../experiment/models";
import { runFolder } from "../experiment/run";
import { settingsFromJson } from "../experiment/load-settings";
import type { Settings } from "../experiment/settings";
import { loadAdapter } from "../model/adapter";
import { loadConfig, loadModel } from "../model/checkpoint";
import { replaceDirectory } from "../model/directory";
import { loadProcessor } from "../processor/processor";
import { withScalarLog } from "../report/scalar-log";
import { readJsonObject, writeJsonl, writeText } from "../util/files";
import { fingerprint } from "../util/hash";
import { repositoryRoot } from "../util/root";
import { drawCurves } from "./curves";
import { MARKER } from "./folder";
import { checkFree, IMPORTED, noteOf, removeEarlier } from "./import-places";
import { checkpointFolders, findTrainerLog, readTrainerLog, type ImportedLog } from "./logs";

/** What to take in. */
export interface ImportOptions {
  /** The folder that training left. */
  dir: string;
  run: string;
  /** Name of the method, of which the model is. */
  method: string;
  /** Base of an adapter; default the one that it names. */
  model?: string;
  /** The log, where it is not beside the model. */
  log?: string;
  /** The words that the model was trained on; default those of the export beside it, else the paper's. */
  prompts?: "paper" | "tiny";
  /** Replaces what an earlier import left, its log and figures too. */
  restart: boolean;
}

/** What was taken in. */
export interface Imported {
  kind: "model" | "adapter";
  /** In the run's folder. */
  folder: string;
  /** Of an adapter. */
  base: string | null;
  prompts: "paper" | "tiny";
  log: ImportedLog | null;
  /** Why the log beside the model could not be read; null where it could, or there is none. */
  noLog: string | null;
  /** Figures of the run's logs; why there are none, where they could not be drawn. */
  curves: string[] | { reason: string };
}

const WEIGHTS = /^(model|adapter_model).*\.safetensors(\.index\.json)?$/;
const FILES = new Set([
  "config.json",
  "generation_config.json",
  "adapter_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
  "preprocessor_config.json",
  "processor_config.json",
]);

const kindOf = (dir: string): Imported["kind"] | null => {
  if (existsSync(path.join(dir, "adapter_config.json"))) return "adapter";
  const names = existsSync(dir) ? readdirSync(dir) : [];
  return names.includes("config.json") && names.some((name) => WEIGHTS.test(name)) ? "model" : null;
};

/**
 * The folder with the model: the one given, what EasyR1's merger left below it, or its last checkpoint.
 * @throws Error saying what is there instead
 */
export function modelIn(dir: string): { folder: string; kind: Imported["kind"] } {
  if (!existsSync(dir) || !statSync(dir).isDirectory()) throw new Error(`${dir}: is no folder`);
  const merged = ["huggingface", "actor/huggingface"].map((name) => path.join(dir, name));
  for (const folder of [dir, ...merged, ...checkpointFolders(dir)]) {
    const kind = kindOf(folder);
    if (kind !== null) return { folder, kind };
  }
  const shards = [dir, path.join(dir, "actor")].some(
    (folder) =>
      existsSync(folder) && readdirSync(folder).some((name) => /^model_world_size_\d+_rank_\d+\.pt$/.test(name)),
  );
  if (shards)
    throw new Error(
      `${dir}: holds EasyR1's shards; merge them first with its scripts/model_merger.py --local_dir on the folder actor, which leaves a checkpoint in actor/huggingface`,
    );
  throw new Error(
    `${dir}: neither a checkpoint (config.json with model.safetensors) nor an adapter (adapter_config.json) is there, nor in a folder checkpoint-N`,
  );
}

/** The export that a folder lies in, up to three folders above; null where there is none. */
function exportAbove(dir: string): string | null {
  let folder = dir;
  for (let i = 0; i < 4; i++, folder = path.dirname(folder)) if (existsSync(path.join(folder, MARKER))) return folder;
  return null;
}

/** The settings of an export; null where there are none, or not of this version. */
function settingsOf(made: Record<string, unknown> | null): Settings | null {
  try {
    return made && settingsFromJson(made.settings, MARKER);
  } catch {
    return null;
  }
}

function promptsOf(made: Record<string, unknown> | null): "paper" | "tiny" {
  const { prompts } = (made?.settings ?? {}) as { prompts?: unknown };
  return prompts === "tiny" ? "tiny" : "paper";
}

/**
 * The base of an adapter: as it is named, from the repository or from the export that training was started in.
 * @throws Error where it is not on this machine
 */
function baseOf(folder: string, model: string | undefined): string {
  const named = model ?? readJsonObject(path.join(folder, "adapter_config.json")).base_model_name_or_path;
  if (typeof named !== "string" || named === "")
    throw new Error(`${folder}: the adapter names no base (base_model_name_or_path); --model DIR says it`);
  const places = [repositoryRoot(), exportAbove(folder) ?? repositoryRoot()].map((root) => path.resolve(root, named));
  const base = places.find((place) => existsSync(path.join(place, "config.json")));
  if (base === undefined)
    throw new Error(
      `${folder}: the adapter's base ${JSON.stringify(named)} is no checkpoint directory on this machine; --model DIR says where it is`,
    );
  return base;
}

/** Loads it once, so that what is broken is found now. @throws Error naming the file and what is wrong */
function check(folder: string, kind: Imported["kind"], base: string | null): void {
  if (kind === "model") {
    loadProcessor(folder);
    disposeTree(loadModel(folder, { dtype: "auto" }).params);
  } else disposeTree(loadAdapter(folder, loadConfig(base!).config).params);
}

/** A stamp that no stage has: a stage of that name refuses to write over it. */
const stampText = (folder: string): string =>
  `${IMPORTED}${createHash("sha256").update(fingerprint(folder)).digest("hex")}`;

/**
 * The log that is asked for, or else the one beside the model, which may be unreadable: a model needs none.
 * @throws Error where the log that is asked for cannot be read
 */
function logOf(asked: string | undefined, folders: readonly string[]): Pick<Imported, "log" | "noLog"> {
  if (asked !== undefined) return { log: readTrainerLog(path.resolve(asked)), noLog: null };
  const file = folders.map((folder) => findTrainerLog(folder)).find((one) => one !== null) ?? null;
  if (file === null) return { log: null, noLog: null };
  try {
    return { log: readTrainerLog(file), noLog: null };
  } catch (error) {
    return { log: null, noLog: (error as Error).message };
  }
}

/** The log as rows of the run, and as TensorBoard's files. */
async function writeLog(folder: string, { run, method }: ImportOptions, { rows, from }: ImportedLog): Promise<void> {
  writeJsonl(placesOf(folder, method).log, rows);
  const scalars = { folder, stage: method, run, name: method, config: { from } };
  await withScalarLog(scalars, (write) => Promise.resolve(rows.forEach(write)));
}

/**
 * Takes a model or an adapter and its log into `data/runs/<run>`: `models/<method>` or `adapters/<method>`,
 * `logs/<method>.jsonl`, TensorBoard's files, figures of the run's logs, and `imported/<method>.json` that says where
 * it is from.
 * @throws Error where the model or the log that is asked for cannot be used here, or a result of that name is there
 */
export async function importTraining(options: ImportOptions): Promise<Imported> {
  const { run, method, model, restart } = options;
  const dir = path.resolve(options.dir);
  const { folder: source, kind } = modelIn(dir);
  const { log, noLog } = logOf(options.log, [source, dir]);
  const base = kind === "adapter" ? baseOf(source, model) : null;
  check(source, kind, base);
  const home = runFolder({ run });
  const places = placesOf(home, method);
  const target = kind === "model" ? places.model : places.adapter;
  checkFree(home, method, restart);
  const above = exportAbove(source);
  const made = above === null ? null : readJsonObject(path.join(above, MARKER));
  const prompts = options.prompts ?? promptsOf(made);
  mkdirSync(path.dirname(target), { recursive: true });
  const marker = kind === "model" ? "config.json" : "adapter_config.json";
  replaceDirectory(target, marker, `imported ${kind}`, (temporary) => {
    for (const name of readdirSync(source).filter((one) => FILES.has(one) || WEIGHTS.test(one)))
      copyFileSync(path.join(source, name), path.join(temporary, name));
    if (kind === "model") writeText(path.join(temporary, TRAINED_FILE), `${JSON.stringify({ prompts })}\n`);
  });
  writeText(`${target}.stamp`, stampText(target));
  const hadLog = removeEarlier(home, method, target);
  if (log) await writeLog(home, options, log);
  const facts = {
    kind,
    from: source,
    base,
    log: log && { file: log.file, from: log.from, steps: log.rows.length },
    prompts,
  };
  const told = { ...facts, weights: fingerprint(target), code: codeHash(), export: made };
  const settings = path.join(home, "settings.json");
  const settled = settingsOf(made);
  if (settled && !existsSync(settings)) writeText(settings, `${JSON.stringify({ ...settled, run }, null, 1)}\n`);
  writeText(noteOf(home, method), `${JSON.stringify(told, null, 1)}\n`);
  const curves = log || hadLog ? await drawCurves(home) : [];
  return { kind, folder: target, base, prompts, log, noLog, curves };
}
