/** The data card of records that a teacher wrote: what was kept of what, how long it is, and what it cost. */
import { lengthHistogram } from "./build";
import type { SetCounts, TeacherData } from "./teacher";
import { wordCount } from "./validate";

/** Tokens as the server counted them. `cached` ones were paid for in an earlier run. */
export interface TeacherUsage {
  requests: number;
  retries: number;
  cached: number;
  promptTokens: number;
  completionTokens: number;
  cachedPromptTokens: number;
  cachedCompletionTokens: number;
  /** Requests made again in another form, as the server had refused a field. */
  reshaped?: number;
  /** Answers whose thoughts the server gave apart: put back as `<think>…</think>`. */
  thoughtsPutBack?: number;
  /** Fields of the settings that the server does not take: its own defaults were used. */
  leftOut?: readonly string[];
}

/** Prices, in any one currency per million tokens. */
export interface Prices {
  prompt: number;
  completion: number;
}

interface CardCounts extends SetCounts {
  /** Records over images. */
  acceptance_rate: number;
  sub_categories: number;
}

/** The card, field names as on disk. */
export interface TeacherCard {
  teacher: string;
  sets: Record<string, CardCounts>;
  images: number;
  records: number;
  acceptance_rate: number;
  /** Records whose name was put right, since no rationale passed. */
  named: number;
  skipped: number;
  words_per_response: Record<string, number>;
  concepts_per_record: number;
  requests: { sent: number; retries: number; in_another_form: number; from_cache: number };
  /** Answers, of descriptions and rationales, whose thoughts the server gave apart: put back as `<think>…</think>`. */
  thoughts_put_back: number;
  /** What the server does not take, such as `temperature`: the setting below was not said to it. */
  left_out: readonly string[];
  /** All of the data's, those of cached answers included. */
  tokens: { prompt: number; completion: number };
  /** Of those tokens, and of those that this run paid for; null without prices. */
  cost: { total: number; this_run: number } | null;
  settings: Record<string, unknown>;
}

const BIN = 50;
const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** The card of `data`. */
export function teacherCard(
  data: TeacherData,
  teacher: string,
  usage: TeacherUsage,
  prices: Prices | null,
  settings: Record<string, unknown>,
): TeacherCard {
  const images = Object.values(data.sets).reduce((n, set) => n + set.images, 0);
  const names = (set: string): number =>
    new Set(data.records.flatMap(({ of }) => (of.set === set ? [of.name] : []))).size;
  const lengths = data.records.map(({ record }) => wordCount(record.assistant)).sort((a, b) => a - b);
  const cost = (prompt: number, completion: number): number =>
    (prompt * prices!.prompt + completion * prices!.completion) / 1e6;
  const tokens = {
    prompt: usage.promptTokens + usage.cachedPromptTokens,
    completion: usage.completionTokens + usage.cachedCompletionTokens,
  };
  return {
    teacher,
    sets: Object.fromEntries(
      Object.entries(data.sets).map(([set, counts]) => [
        set,
        { ...counts, acceptance_rate: share(counts.records, counts.images), sub_categories: names(set) },
      ]),
    ),
    images,
    records: data.records.length,
    acceptance_rate: share(data.records.length - data.named, images),
    named: data.named,
    skipped: data.skipped.length,
    words_per_response: lengthHistogram(lengths, BIN),
    concepts_per_record: share(
      data.records.reduce((n, { concepts }) => n + concepts.length, 0),
      data.records.length,
    ),
    requests: {
      sent: usage.requests,
      retries: usage.retries,
      in_another_form: usage.reshaped ?? 0,
      from_cache: usage.cached,
    },
    thoughts_put_back: usage.thoughtsPutBack ?? 0,
    left_out: usage.leftOut ?? [],
    tokens,
    cost: prices && {
      total: cost(tokens.prompt, tokens.completion),
      this_run: cost(usage.promptTokens, usage.completionTokens),
    },
    settings,
  };
}
