/** `cot`: Stage-1 records of any image set by a teacher behind the OpenAI protocol. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { buildTeacherCot, type Teacher } from "../lib/cot/teacher";
import { teacherCard } from "../lib/cot/teacher-card";
import { repositoryRoot } from "../lib/util/root";
import { imageDataUri } from "../lib/processor/image-uri";
import { paperPrompts } from "../lib/benchmark/prompts";
import { closedWorldOptions, nameSimilarity, rankNames } from "../lib/benchmark/photographs";
import { writeSharegpt } from "../lib/formats/sharegpt";
import { progress, type Progress } from "../lib/report/progress";
import { createChatEndpoint } from "../lib/rollout/chat-endpoint";
import { requestCache } from "../lib/rollout/request-cache";
import { writeText } from "../lib/util/files";
import { choiceOf, countOf, ENDPOINT_OPTIONS, endpointOptions, numberOf, onBadRowOf } from "./arguments";
import { shotsOf, SOURCE_OPTIONS, sources, type MissingImage } from "./training-images";

const USAGE =
  "npm run -s fine-r1 -- cot (--set NAME… | --folder DIR) --base-url URL --model NAME [--out DIR] [--cache DIR] [--root DIR] [--kind WORD] [--question TEXT] [--shots N] [--limit N] [--seed N] " +
  "[--descriptions N] [--samples N] [--concepts N] [--redundancy-weight W] [--candidates own|given] [--match exact|substring] [--min-words N] [--max-words N] [--duplicate-share S] [--max-tokens N] [--temperature T] " +
  "[--max-pixels N] [--price-prompt P] [--price-completion P] [--on-bad-row stop|skip] [--json] [--concurrency N] [--requests-per-minute N] [--retries N] [--timeout S]; the key comes from OPENAI_API_KEY";

/** LLaMA-Factory's limit in the release's SFT: 768 x 768. */
const MAX_PIXELS = 589_824;

/**
 * Writes `records.json` and `records-direct.json` (sharegpt), `data-card.json` and `concepts.jsonl` to `--out`
 * (`data/runs/cot-<set>`), answers to `--cache` (`<out>/cache`): a run that was killed goes on without asking twice.
 * @returns exit code: 0; 2 where images were skipped; 1 where an argument, a set or the endpoint is bad, or nothing was kept
 */
export async function run(args: string[]): Promise<number> {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({
      args,
      options: {
        ...SOURCE_OPTIONS,
        "base-url": text,
        model: text,
        out: text,
        cache: text,
        shots: text,
        limit: text,
        seed: text,
        descriptions: text,
        samples: text,
        concepts: text,
        "redundancy-weight": text,
        candidates: text,
        match: text,
        "min-words": text,
        "max-words": text,
        "duplicate-share": text,
        "max-tokens": text,
        temperature: text,
        "max-pixels": text,
        "price-prompt": text,
        "price-completion": text,
        "on-bad-row": text,
        json: { type: "boolean", default: false },
        ...ENDPOINT_OPTIONS,
      },
    });
    for (const name of ["base-url", "model"] as const)
      if (values[name] === undefined) throw new Error(`--${name} is missing; ${USAGE}`);
    const prices = [
      numberOf("price-prompt", values["price-prompt"]),
      numberOf("price-completion", values["price-completion"]),
    ] as const;
    if ((prices[0] === undefined) !== (prices[1] === undefined))
      throw new Error("--price-prompt and --price-completion go together (per million tokens)");
    const onBadRow = onBadRowOf(values["on-bad-row"]);
    const from = sources(values, USAGE, onBadRow);
    const seed = countOf("seed", values.seed, 0, 0);
    const limit = countOf("limit", values.limit, 0, 0);
    const shots = countOf("shots", values.shots, 4);
    const missing: MissingImage[] = [];
    const all = from.flatMap((source) => {
      const { set, kind, question } = source;
      return shotsOf(source, shots, seed, onBadRow, missing).map(({ path: relative, name, file }) => ({
        set: set.name,
        image: `${set.name}/${relative}`,
        file,
        name,
        kind,
        question,
      }));
    });
    const images = limit > 0 ? all.slice(0, limit) : all;
    const out = path.resolve(
      values.out ?? path.join(repositoryRoot(), "data/runs", `cot-${from.map(({ set }) => set.name).join("-")}`),
    );
    const settings = {
      descriptions: countOf("descriptions", values.descriptions, 10),
      samples: countOf("samples", values.samples, 4),
      concepts: countOf("concepts", values.concepts, 8),
      redundancyWeight: numberOf("redundancy-weight", values["redundancy-weight"]) ?? 0.5,
      temperature: numberOf("temperature", values.temperature) ?? 1,
      maxTokens: countOf("max-tokens", values["max-tokens"], 2048),
      minWords: countOf("min-words", values["min-words"], 60, 0),
      maxWords: countOf("max-words", values["max-words"], 1200),
      match: choiceOf("match", values.match, ["exact", "substring"], "exact"),
      duplicateShare: numberOf("duplicate-share", values["duplicate-share"]) ?? 0.8,
      seed,
    };
    if (!(settings.duplicateShare > 0 && settings.duplicateShare <= 1))
      throw new Error(`--duplicate-share is ${settings.duplicateShare}; expected a number above 0 and at most 1`);
    const candidates = choiceOf("candidates", values.candidates, ["own", "given"], "own");
    const rankings = new Map(from.map(({ set, seen }) => [set.name, rankNames(seen, nameSimilarity)]));
    const maxPixels = countOf("max-pixels", values["max-pixels"], MAX_PIXELS);
    const reached = endpointOptions(values);
    const endpoint = createChatEndpoint({
      baseUrl: values["base-url"]!,
      model: values.model!,
      ...reached,
      cache: requestCache(path.resolve(values.cache ?? path.join(out, "cache"))),
    });
    const teacher: Teacher = async ({ file, text: question, ...request }) =>
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

    let shown: { stage: string; bar: Progress } | null = null;
    const data = await buildTeacherCot(images, teacher, {
      ...settings,
      prompts: paperPrompts,
      candidates:
        candidates === "given"
          ? (image, own) => closedWorldOptions(image.name, rankings.get(image.set)!, own)
          : undefined,
      atOnce: reached.concurrency,
      onBadRow,
      onProgress: (stage, done, total) => {
        if (shown?.stage !== stage) shown = { stage, bar: progress(stage, total) };
        shown.bar.update(done);
        if (done === total) shown.bar.finish();
      },
    });
    data.skipped.unshift(...missing);
    for (const { image, reason } of data.skipped) process.stderr.write(`${image}: skipped: ${reason}\n`);
    const card = teacherCard(
      data,
      endpoint.model,
      endpoint.usage,
      prices[0] === undefined ? null : { prompt: prices[0], completion: prices[1]! },
      { ...settings, candidates, shots, maxPixels },
    );
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
    if (values.json) process.stdout.write(`${JSON.stringify(card)}\n`);
    else {
      for (const [set, { images: n, records, acceptance_rate, samples, rejections }] of Object.entries(card.sets)) {
        const why = Object.entries(rejections)
          .filter(([, times]) => times > 0)
          .map(([reason, times]) => `${reason} ${times}`);
        process.stdout.write(
          `${set}: ${records} records of ${n} images (${(100 * acceptance_rate).toFixed(1)} %), ${samples} rationales looked at${why.length > 0 ? `; rejected: ${why.join(", ")}` : ""}\n`,
        );
      }
      process.stdout.write(
        `${card.skipped} images skipped; ${card.requests.sent} requests, ${card.requests.retries} of them again, ${card.requests.from_cache} answers from the cache; ` +
          `${card.tokens.prompt} + ${card.tokens.completion} tokens${card.cost ? `, cost ${card.cost.total.toFixed(4)} (this run ${card.cost.this_run.toFixed(4)})` : ""}\n${out}\n`,
      );
    }
    if (data.records.length === 0) process.stderr.write("cot: no record was kept; the data card says why\n");
    return data.records.length === 0 ? 1 : data.skipped.length > 0 ? 2 : 0;
  } catch (error) {
    process.stderr.write(`cot: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
