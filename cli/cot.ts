/** `cot`: Stage-1 records of any image set by a teacher behind the OpenAI protocol. */
import * as path from "node:path";
import { buildTeacherCot, type Teacher } from "../lib/cot/teacher";
import { teacherCard, type TeacherCard } from "../lib/cot/teacher-card";
import { repositoryRoot } from "../lib/util/root";
import { imageDataUri } from "../lib/processor/image-uri";
import { paperPrompts } from "../lib/benchmark/prompts";
import { closedWorldOptions, nameSimilarity, rankNames } from "../lib/benchmark/photographs";
import { writeSharegpt } from "../lib/formats/sharegpt";
import { progress, type Progress } from "../lib/report/progress";
import { createChatEndpoint, type ChatEndpoint } from "../lib/rollout/chat-endpoint";
import { requestCache } from "../lib/rollout/request-cache";
import { writeText } from "../lib/util/files";
import type { CotOptions } from "./commands/cot";
import { endpointAddress, endpointLimits } from "./endpoint";
import { note, print, printJson } from "./output";
import { shotsOf, sources, type MissingImage, type Source } from "./training-images";
import { UsageError } from "./values";

type Data = Awaited<ReturnType<typeof buildTeacherCot>>;
type TeacherImages = Parameters<typeof buildTeacherCot>[0];

/** Prices of a million tokens; null where none are given. @throws UsageError where one is missing */
function pricesOf({ pricePrompt, priceCompletion }: CotOptions): { prompt: number; completion: number } | null {
  if (pricePrompt === undefined && priceCompletion === undefined) return null;
  if (pricePrompt === undefined || priceCompletion === undefined)
    throw new UsageError("--price-prompt and --price-completion go together (per million tokens)");
  return { prompt: pricePrompt, completion: priceCompletion };
}

/** The images to ask about; those that are missing go to `missing`. */
function imagesOf(from: readonly Source[], options: CotOptions, missing: MissingImage[]): TeacherImages {
  const all = from.flatMap((source) => {
    const { set, kind, question } = source;
    return shotsOf(source, options, missing).map(({ path: relative, name, file }) => ({
      set: set.name,
      image: `${set.name}/${relative}`,
      file,
      name,
      kind,
      question,
    }));
  });
  return options.limit > 0 ? all.slice(0, options.limit) : all;
}

/** What the records depend on, as the data card has it. */
const settingsOf = (options: CotOptions) => ({
  descriptions: options.descriptions,
  samples: options.samples,
  concepts: options.concepts,
  redundancyWeight: options.redundancyWeight,
  temperature: options.temperature,
  maxTokens: options.maxTokens,
  minWords: options.minWords,
  maxWords: options.maxWords,
  match: options.match,
  duplicateShare: options.duplicateShare,
  seed: options.seed,
});

/** Asks the endpoint about an image. */
const teacherOf =
  (endpoint: ChatEndpoint, maxPixels: number): Teacher =>
  async ({ file, text: question, ...request }) =>
    endpoint.ask({
      ...request,
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: await imageDataUri(file, maxPixels) } },
            { type: "text", text: question },
          ],
        },
      ],
    });

/** A bar for every stage. */
function stageProgress(): (stage: string, done: number, total: number) => void {
  let shown: { stage: string; bar: Progress } | null = null;
  return (stage, done, total) => {
    if (shown?.stage !== stage) shown = { stage, bar: progress(stage, total) };
    shown.bar.update(done);
    if (done === total) shown.bar.finish();
  };
}

function write(out: string, data: Data, card: TeacherCard): void {
  writeSharegpt(
    path.join(out, "records.json"),
    data.records.map(({ record }) => record),
  );
  writeSharegpt(
    path.join(out, "records-direct.json"),
    data.records.map(({ direct }) => direct),
  );
  writeText(
    path.join(out, "concepts.jsonl"),
    data.records
      .map(({ of, concepts }) => `${JSON.stringify({ image: of.image, sub_category: of.name, concepts })}\n`)
      .join(""),
  );
  writeText(path.join(out, "data-card.json"), `${JSON.stringify(card, null, 1)}\n`);
}

/** The card for people. */
function describe(card: TeacherCard): string {
  const { skipped, requests, tokens, cost } = card;
  const bySet = Object.entries(card.sets).map(([set, { images, records, acceptance_rate, samples, rejections }]) => {
    const why = Object.entries(rejections)
      .filter(([, times]) => times > 0)
      .map(([reason, times]) => `${reason} ${times}`);
    const rejected = why.length > 0 ? `; rejected: ${why.join(", ")}` : "";
    return `${set}: ${records} records of ${images} images (${(100 * acceptance_rate).toFixed(1)} %), ${samples} rationales looked at${rejected}`;
  });
  const price = cost ? `, cost ${cost.total.toFixed(4)} (this run ${cost.this_run.toFixed(4)})` : "";
  return [
    ...bySet,
    `${skipped} images skipped; ${requests.sent} requests, ${requests.retries} of them again, ${requests.from_cache} answers from the cache; ${tokens.prompt} + ${tokens.completion} tokens${price}`,
  ].join("\n");
}

/**
 * Writes `records.json` and `records-direct.json` (sharegpt), `data-card.json` and `concepts.jsonl` to `--out`, answers to
 * `--cache`: a run that was killed goes on without asking twice.
 * @returns exit code: 0; 2 where images were skipped; 1 where nothing was kept
 * @throws Error where an option, a set or the endpoint is bad
 */
export async function run(options: CotOptions): Promise<number> {
  const { candidates, maxPixels, shots, concurrency, onBadRow } = options;
  const address = endpointAddress(options);
  const prices = pricesOf(options);
  const from = sources(options);
  const missing: MissingImage[] = [];
  const images = imagesOf(from, options, missing);
  const out = path.resolve(
    options.out ?? path.join(repositoryRoot(), "data/runs", `cot-${from.map(({ set }) => set.name).join("-")}`),
  );
  const endpoint = createChatEndpoint({
    ...address,
    ...endpointLimits(options),
    cache: requestCache(path.resolve(options.cache ?? path.join(out, "cache"))),
  });
  const settings = settingsOf(options);
  const rankings = new Map(from.map(({ set, seen }) => [set.name, rankNames(seen, nameSimilarity)]));
  const data = await buildTeacherCot(images, teacherOf(endpoint, maxPixels), {
    ...settings,
    prompts: paperPrompts,
    candidates:
      candidates === "given"
        ? (image, own) => closedWorldOptions(image.name, rankings.get(image.set)!, own)
        : undefined,
    atOnce: concurrency,
    onBadRow,
    onProgress: stageProgress(),
  });
  data.skipped.unshift(...missing);
  for (const { image, reason } of data.skipped) note(`${image}: skipped: ${reason}`);
  const card = teacherCard(data, endpoint.model, endpoint.usage, prices, { ...settings, candidates, shots, maxPixels });
  write(out, data, card);
  if (options.json) printJson(card);
  else print(`${describe(card)}\n${out}`);
  if (data.records.length === 0) {
    note("cot: no record was kept; the data card says why");
    return 1;
  }
  return data.skipped.length > 0 ? 2 : 0;
}
