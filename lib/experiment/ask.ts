/** Asking a run's models in a cell: about an image of the benchmark, or about a file that is dropped there. */
import type { Setting } from "../benchmark/prompts";
import type { BenchmarkImage, Subcategory } from "../benchmark/types";
import { subcategoryOf } from "../benchmark/types";
import { uprightImage } from "../processor/image-decode";
import { showWidget } from "../report/show-widget";
import type { Widget } from "../report/widget";
import { button, column, dropdown, fileUpload, html, row, toggleButtons, type Choice } from "../report/widgets";
import { METHODS, type Method } from "../train/methods";
import { interruptSignal } from "../util/abort";
import { escapeHtml } from "../util/escape-html";
import { createAsker, type AskAnswer, type Asker, type AskRequest } from "./asker";
import type { Experiment } from "./types";

/** What is asked at first. */
export interface AskOptions {
  /** Default: the method that was trained furthest of those that the run has saved. */
  method?: Method;
  /** Id of a sub-category; default the benchmark's first one with images. */
  subcategory?: string;
  /** Default `open`. */
  setting?: Setting;
}

const FURTHEST: readonly Method[] = ["tapo", "cls-rl", "sft", "base-cot", "base"];

/** Of a shown image, pixels. */
const SIZE = 160;
/** At most so often does a growing answer go to the page, ms. */
const INTERVAL_MS = 100;

/** Images of a sub-category that may be asked about: few-shot, dev, and those of the evaluation. */
function imagesOf({ benchmark, settings }: Experiment, subcategory: Subcategory): BenchmarkImage[] {
  const roles = [...new Set(["fewshot", "dev", settings.eval.role] as const)];
  return roles.flatMap((role) => [...benchmark.images(role, subcategory)]);
}

async function pictureHtml(image: BenchmarkImage | Uint8Array, name: string): Promise<string> {
  const source = image instanceof Uint8Array ? image : image.file;
  if (source === null) return escapeHtml(`${name} (its file is missing)`);
  const drawn = (await uprightImage(source)).resize(SIZE, SIZE, { fit: "inside", withoutEnlargement: true }).png();
  const bytes = await drawn.toBuffer();
  return `<img alt="${escapeHtml(name)}" src="data:image/png;base64,${bytes.toString("base64")}">`;
}

/** An answer, or as much of one as there is; escaped. */
function answerHtml(request: AskRequest, text: string, verdict: string): string {
  const truth = request.image instanceof Uint8Array ? "" : ` Truth: ${request.subcategory.name}.`;
  const says = `${METHODS[request.method].label}, ${request.setting} world.${truth}`;
  return `<div>${escapeHtml(says)} <b>${escapeHtml(verdict)}</b></div><div style="white-space:pre-wrap;line-height:1.4">${escapeHtml(text)}</div>`;
}

const verdictOf = ({ right }: AskAnswer): string => (right === null ? "" : right ? "right" : "wrong");

/** The controls and what they do. */
async function controls(experiment: Experiment, asker: Asker, first: AskRequest, answer: string): Promise<Widget> {
  const { benchmark } = experiment;
  const named = (one: Subcategory): Choice => ({ label: `${one.name} (${one.domain}, ${one.split})`, value: one.id });
  const subcategories = benchmark.subcategories().filter((one) => imagesOf(experiment, one).length > 0);
  const imageChoices = (one: Subcategory): Choice[] => imagesOf(experiment, one).map(({ id }) => id);

  const methods = asker.methods.map((value) => ({ label: METHODS[value].label, value }));
  const method = dropdown("Model", methods, { value: first.method });
  const subcategory = dropdown("Class", subcategories.map(named), { value: first.subcategory.id });
  const image = dropdown("Image", imageChoices(first.subcategory), { layout: { width: "28em" } });
  const file = fileUpload("Own file");
  const forget = button("Forget file", { tooltip: "Ask about the chosen image of the benchmark again" });
  const world = toggleButtons("World", ["open", "closed"], { value: first.setting });
  const style = toggleButtons(
    "Answer",
    [
      { label: "reasoning first", value: "reason" },
      { label: "direct", value: "direct" },
    ],
    { value: first.reason ? "reason" : "direct" },
  );
  const go = button("Ask", { style: "primary" });
  const stop = button("Stop", { style: "danger", tooltip: "Stop the answer" });
  const picture = html(await pictureHtml(first.image, first.subcategory.name));
  const page = html(answer);
  stop.enable(false);
  forget.enable(false);

  const request = (): AskRequest => {
    const chosen = subcategoryOf(benchmark, subcategory.value);
    const own = imagesOf(experiment, chosen).find(({ id }) => id === image.value)!;
    return {
      method: method.value as Method,
      subcategory: chosen,
      image: file.value?.bytes ?? own,
      setting: world.value as Setting,
      reason: style.value === "reason",
    };
  };
  const drawPicture = async (): Promise<void> => {
    forget.enable(file.value !== null);
    picture.set(await pictureHtml(request().image, file.value?.name ?? image.value));
  };
  const showOwn = (): Promise<void> => {
    file.set(null);
    return drawPicture();
  };
  subcategory.onChange(() => {
    image.setChoices(imageChoices(subcategoryOf(benchmark, subcategory.value)));
    return showOwn();
  });
  image.onChange(showOwn);
  forget.onClick(showOwn);
  file.onChange(async () => {
    try {
      await drawPicture();
    } catch (error) {
      await showOwn(); // no image: the benchmark's is asked about
      throw error;
    }
  });
  method.onChange(() => {
    style.set(METHODS[method.value as Method].reasons ? "reason" : "direct");
  });

  let stopping: AbortController | null = null;
  stop.onClick(() => stopping?.abort(new Error("stopped")));
  go.onClick(async () => {
    if (asker.isAnswering) throw new Error("still answering; press Stop first, or wait");
    const asked = request();
    const controller = (stopping = new AbortController());
    const interrupted = interruptSignal();
    const interrupt = (): void => controller.abort(interrupted.reason);
    interrupted.addEventListener("abort", interrupt, { once: true });
    let [text, drawn] = ["", 0];
    stop.enable(true);
    page.set(answerHtml(asked, "…", ""));
    try {
      const onText = (piece: string): void => {
        text += piece;
        if (Date.now() - drawn < INTERVAL_MS) return;
        drawn = Date.now();
        page.set(answerHtml(asked, `${text} …`, ""));
      };
      const given = await asker.ask(asked, { onText, signal: controller.signal });
      page.set(answerHtml(asked, given.text, verdictOf(given)));
    } catch (error) {
      page.set(answerHtml(asked, text, "stopped"));
      if (!controller.signal.aborted) throw error;
    } finally {
      interrupted.removeEventListener("abort", interrupt);
      stopping = null;
      stop.enable(false);
    }
  });
  return column(row(method, world, style), row(subcategory, image), row(file, forget, go, stop), picture, page);
}

/**
 * Shows controls that ask the run's saved models about images. Everywhere it shows one answer, made at once: about the
 * first few-shot image of the sub-category. Models are loaded when they are asked, one at a time; none is trained.
 * @returns `close` ends what is being answered, frees the model's memory and takes the controls away
 * @throws Error where the benchmark has no image of the sub-category, or the run no model of the method
 */
export async function showAsk(experiment: Experiment, options: AskOptions = {}): Promise<{ close(): void }> {
  const { benchmark } = experiment;
  const asker = createAsker(experiment);
  const method = options.method ?? FURTHEST.find((one) => asker.methods.includes(one))!;
  if (!asker.methods.includes(method))
    throw new Error(`${method}: the run has no model of it; there are ${asker.methods.join(", ")}`);
  const subcategory =
    options.subcategory === undefined
      ? benchmark.subcategories().find((one) => imagesOf(experiment, one).length > 0)
      : subcategoryOf(benchmark, options.subcategory);
  const image = subcategory && imagesOf(experiment, subcategory).at(0);
  if (!subcategory || !image)
    throw new Error(`${benchmark.title}: no image of ${options.subcategory ?? "any sub-category"} to ask about`);
  const reason = METHODS[method].reasons;
  const first: AskRequest = { method, subcategory, image, setting: options.setting ?? "open", reason };
  try {
    const given = await asker.ask(first, { signal: interruptSignal() });
    const says =
      "In a running notebook there are controls here: choose a model, an image or a file of your own, and ask.";
    const answer = answerHtml(first, given.text, verdictOf(given));
    const widget = await controls(experiment, asker, first, answer);
    widget.onClose(() => asker.close());
    const picture = await pictureHtml(image, subcategory.name);
    const isShown = showWidget(widget, {
      "text/html": `<div>${says} One example:</div><div>${picture}</div>${answer}`,
      "text/plain": `${METHODS[method].label} on ${image.id} (${subcategory.name}): ${given.text}`,
    });
    if (!isShown) asker.close();
    return { close: () => widget.close() };
  } catch (error) {
    asker.close();
    throw error;
  }
}
