/** One question at a time to a run's saved models: about an image of the benchmark, or about any other. */
import { closedOptions } from "../benchmark/options";
import type { Setting } from "../benchmark/prompts";
import type { BenchmarkImage, Subcategory } from "../benchmark/types";
import type { Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { scoreRow } from "../eval/score";
import { loadModel } from "../model/checkpoint";
import { generateText } from "../train/generate-text";
import { METHOD_NAMES, METHODS, type Method } from "../train/methods";
import type { Workbench } from "../train/workbench";
import { foldIn } from "../util/random";
import { answerGeneration } from "./evaluate";
import { limitsOf, openImages, type ImageSource } from "./images";
import { modelFolder } from "./model-folder";
import { hasSavedModel, savedModel } from "./models";
import type { Experiment } from "./types";

/** What is asked. */
export interface AskRequest {
  method: Method;
  /** Whose question is asked; in the closed world its look-alikes are the other options. */
  subcategory: Subcategory;
  /** An image of the benchmark, or the bytes of any other. */
  image: BenchmarkImage | Uint8Array;
  setting: Setting;
  /** Ask for reasoning first, or for the answer only. */
  reason: boolean;
}

/** What came of it. */
export interface AskAnswer {
  /** The user's turn, image aside. */
  prompt: string;
  text: string;
  /** By the paper's score; null where the truth is not known. */
  right: boolean | null;
}

/** Asks, with one model in memory at most. */
export interface Asker {
  /** Methods that can be asked: the base's, and those whose model the run has saved. */
  readonly methods: readonly Method[];
  readonly isAnswering: boolean;
  /**
   * @param onText hears of the answer piece by piece
   * @throws Error while it answers another one, where the image cannot be read, and the signal's reason
   */
  ask(request: AskRequest, watch?: { onText?: (piece: string) => void; signal?: AbortSignal }): Promise<AskAnswer>;
  /** Ends what it answers, and gives the model's memory back. */
  close(): void;
}

const isBytes = (image: BenchmarkImage | Uint8Array): image is Uint8Array => image instanceof Uint8Array;

/** A method's parameters as they are saved; nothing is trained. */
const paramsOf = (experiment: Experiment, method: Method): Params =>
  METHODS[method].stage === "base"
    ? loadModel(modelFolder(experiment.settings), { dtype: "auto" }).params
    : savedModel(experiment, method);

/** A bench that has the image, and its name there; `close` frees what was read for it. */
async function benchFor(
  { bench, benchmark, settings }: Experiment,
  image: BenchmarkImage | Uint8Array,
): Promise<{ bench: Workbench; name: string; close(): void }> {
  if (!isBytes(image) && benchmark.squares) return { bench, name: image.id, close: () => undefined };
  if (!isBytes(image) && image.file === null) throw new Error(`the image ${image.id} is missing; fetch its set again`);
  const name = isBytes(image) ? "the file" : image.id;
  const source: ImageSource = isBytes(image) ? image : image.file!;
  const options = { limits: limitsOf(settings.eval), alpha: settings.eval.alpha };
  const { images } = await openImages(bench.processor, new Map([[name, source]]), options);
  return { bench: bench.withImages(images), name, close: () => images.dispose() };
}

/** Asks models of a run's folder. Models are loaded when they are asked first. */
export function createAsker(experiment: Experiment): Asker {
  const { settings, benchmark, prompts } = experiment;
  const methods = METHOD_NAMES.filter(
    (method) => METHODS[method].stage === "base" || hasSavedModel(experiment, method),
  );
  let loaded: { method: Method; params: Params } | null = null;
  let answering: AbortController | null = null;
  let isClosed = false;

  const release = (): void => {
    if (loaded) disposeTree(loaded.params);
    loaded = null;
  };
  const load = (method: Method): Params => {
    if (loaded?.method === method) return loaded.params;
    release();
    loaded = { method, params: paramsOf(experiment, method) };
    return loaded.params;
  };
  const optionsOf = async ({ setting, subcategory, image }: AskRequest): Promise<string[] | undefined> => {
    if (setting === "open") return undefined;
    const seed = foldIn(settings.seed, "evaluation"); // the options of the evaluation, for its images
    const key = isBytes(image) ? ["file", subcategory.id] : image.key;
    return closedOptions(subcategory, await experiment.neighbours(), foldIn(seed, "options", ...key));
  };

  return {
    methods,
    get isAnswering() {
      return answering !== null;
    },
    async ask(request, { onText, signal } = {}) {
      if (isClosed) throw new Error("this is closed; run the cell again");
      if (answering) throw new Error("still answering; stop it first, or wait");
      const controller = (answering = new AbortController());
      const stop = (): void => controller.abort(signal?.reason);
      signal?.addEventListener("abort", stop, { once: true });
      try {
        const { method, subcategory, image, setting, reason } = request;
        const options = await optionsOf(request);
        const prompt = (reason ? prompts.reason : prompts.direct)(benchmark.question(subcategory.domain), options);
        const opened = await benchFor(experiment, image);
        try {
          controller.signal.throwIfAborted();
          const [{ text }] = await generateText(load(method), opened.bench, opened.name, prompt, {
            maxNewTokens: settings.eval.maxNewTokens,
            seed: settings.seed,
            generation: answerGeneration(experiment, isBytes(image)),
            onText,
            signal: controller.signal,
          });
          if (isBytes(image)) return { prompt, text, right: null };
          const row = { image_path: image.id, question: prompt, ground_truth: subcategory.name, output: text, options };
          return { prompt, text, right: scoreRow(row, setting).substring };
        } finally {
          opened.close();
        }
      } finally {
        signal?.removeEventListener("abort", stop);
        answering = null;
        if (isClosed) release();
      }
    },
    close() {
      isClosed = true;
      if (answering) answering.abort(new Error("closed"));
      else release();
    },
  };
}
