/** The questions of an evaluation, whatever they are about: one of the six sets, a folder per class, Emoji-FGVR, or a file of rows. */
import * as path from "node:path";
import { foldIn, random } from "../util/random";
import { ensureDrawings, loadEmojiFgvr } from "./emoji-fgvr";
import { repositoryRoot } from "../util/root";
import { badRows, numberedLines, parseLine, readBytes, type BadRow, type OnBadRow } from "../util/lines";
import type { Setting } from "./prompts";
import {
  isSetName,
  linkReleased,
  nameSimilarity,
  questionRows,
  readFolders,
  readImageSet,
  readReleased,
  releasedFile,
  releasedQuestions,
  resolveImage,
  seededSplit,
  SET_QUESTIONS,
  setsFolder,
  splitSubcategories,
} from "./photographs";
import type { ImageSet, OptionOrder, SetName, SetRow, Similarity, SubcategorySplit } from "./photographs";
import { rowProblem } from "./photographs/released";
import { existsSync } from "node:fs";

type Side = "seen" | "unseen";

/** A question with its image on this machine. */
export interface Question extends SetRow {
  /** Absolute; null where there is none. */
  image: string | null;
  /** File and line, or set and image: for messages. */
  where: string;
  /** Emoji-FGVR: who drew it. */
  designer?: string;
}

/** Questions, and the rows that are none. */
export interface QuestionSet {
  name: string;
  questions: Question[];
  skipped: BadRow[];
}

/** What to ask. */
export interface QuestionSetRequest {
  /** One of the six sets, `emoji-fgvr`, the name of a folder in `data/sets`, or a file that ends in `.jsonl`. */
  set: string;
  setting: Setting;
  /** Default `both`; of a file: the side of rows that don't say it (else the file's name must end in `_seen` or `_unseen`). */
  split?: Side | "both";
  /** Folder of the set, or (of a file) the folder that `image_path` counts from; `data/sets/<set>`, the file's folder. */
  root?: string;
  /** Chooses and orders options, draws `limit` rows; default 0. */
  seed?: number;
  /** Default `shuffled`. */
  optionOrder?: OptionOrder;
  /** Emoji-FGVR: whose drawings; default `test`. */
  role?: "dev" | "test";
  /** Asked where no row has a question of its own. */
  question?: string;
  /** `released` (default): the released rows of the six sets where they ship; `own`: a question a test image, options by `similarity`. */
  options?: "released" | "own";
  /** Chooses distractors where none are released; by spelling (`nameSimilarity`) unless given. */
  similarity?: Similarity;
  /** A random sample of so many; 0 (default) for all. */
  limit?: number;
  onBadRow?: OnBadRow;
}

/** The set's own image of a row, as a path that exists, or null. */
const onDisk = (set: ImageSet, image: string | null): string | null =>
  image === null ? null : resolveImage(set.root, image);

function photographs(name: SetName, request: QuestionSetRequest): QuestionSet {
  const {
    setting,
    seed = 0,
    optionOrder = "shuffled",
    similarity = nameSimilarity,
    onBadRow = "stop",
    question = SET_QUESTIONS[name],
  } = request;
  const set = readImageSet(name, request.root, onBadRow);
  const split = splitSubcategories(name, set.names);
  const questions: Question[] = [];
  const { skipped, add } = badRows(onBadRow);
  set.skipped.forEach(add);
  for (const side of sides(request)) {
    const file = releasedFile(name, side);
    if (!existsSync(file) || request.options === "own") {
      questions.push(...ownQuestions(set, split, side, { setting, question, seed, similarity }));
      continue;
    }
    const { rows, lines, skipped: bad } = readReleased(file, onBadRow);
    bad.forEach(add);
    const { images, disagree } = linkReleased(set, rows);
    const asked = releasedQuestions(rows, { domain: name, split: side, setting, order: optionOrder, seed });
    asked.forEach((row, i) => {
      if (disagree.includes(rows[i]))
        add({
          file,
          line: lines[i],
          reason: `${rows[i].image_path} is "${rows[i].ground_truth}" here and "${images[i]!.name}" in the set`,
        });
      else questions.push({ ...row, image: onDisk(set, images[i]?.path ?? null), where: `${file}, line ${lines[i]}` });
    });
  }
  return { name, questions, skipped };
}

/** One question a test image of a side. */
function ownQuestions(
  set: ImageSet,
  split: SubcategorySplit,
  side: Side,
  request: Parameters<typeof questionRows>[2],
): Question[] {
  const one = { seen: side === "seen" ? split.seen : [], unseen: side === "unseen" ? split.unseen : [] };
  return questionRows(set, one, request).map((row) => {
    const image = row.image_path.slice(set.name.length + 1);
    return { ...row, image: onDisk(set, image), where: `${set.root}, ${image}` };
  });
}

function folders(request: QuestionSetRequest): QuestionSet {
  const { setting, seed = 0, question = "What is this?", similarity = nameSimilarity } = request;
  if (!/^\w[\w.-]*$/.test(request.set))
    throw new Error(
      `set ${JSON.stringify(request.set)}: expected one of the six, emoji-fgvr, the name of a folder in data/sets, or a file that ends in .jsonl`,
    );
  const set = readFolders(request.root ?? path.join(setsFolder(), request.set), { name: request.set });
  const split = seededSplit(set.name, set.names);
  return {
    name: set.name,
    questions: sides(request).flatMap((side) =>
      ownQuestions(set, split, side, { setting, question, seed, similarity }),
    ),
    skipped: [],
  };
}

async function drawings(request: QuestionSetRequest): Promise<QuestionSet> {
  const { setting, seed = 0, optionOrder = "shuffled", role = "test" } = request;
  await ensureDrawings();
  const wanted = sides(request);
  const rows = loadEmojiFgvr()
    .evaluationRows({ role, setting, seed: foldIn(seed, "evaluation") })
    .filter((row) => wanted.includes(row.split));
  const questions = rows.map(({ concept_id, options, ...row }): Question => {
    const ordered =
      options && optionOrder === "released"
        ? [row.ground_truth, ...options.filter((option) => option !== row.ground_truth)]
        : options;
    return {
      ...row,
      ...(ordered ? { options: [...ordered] } : {}),
      image: path.join(repositoryRoot(), row.image_path),
      where: `emoji-fgvr, ${concept_id}`,
    };
  });
  return { name: "emoji-fgvr", questions, skipped: [] };
}

/** A file's rows `{image_path, question, ground_truth}`, with `options` in the closed world; `split`, `domain` and `id` where they have them. */
function rowsOfFile(request: QuestionSetRequest): QuestionSet {
  const { set: file, setting, seed = 0, optionOrder = "shuffled", onBadRow = "stop" } = request;
  const name = path.basename(file, ".jsonl");
  const root = path.resolve(request.root ?? path.dirname(file));
  const whole =
    request.split === "seen" || request.split === "unseen" ? request.split : /_(seen|unseen)$/.exec(name)?.[1];
  const { skipped, add } = badRows(onBadRow);
  const questions: Question[] = [];
  const before = new Map<string, number>();
  for (const numbered of numberedLines(readBytes(file))) {
    const { line } = numbered;
    const bad = (reason: string): void => add({ file, line, reason });
    const parsed = parseLine(numbered);
    const problem = "reason" in parsed ? parsed.reason : rowProblem(parsed.value, file, setting === "closed");
    if (problem !== null || !("value" in parsed)) {
      bad(problem ?? "no row");
      continue;
    }
    const {
      image_path,
      question,
      ground_truth,
      options,
      split = whole,
      domain = name,
      id,
    } = parsed.value as SetRow & { id?: unknown };
    const [asked, known] = [
      JSON.stringify([image_path, question]),
      id === undefined ? undefined : JSON.stringify({ id }),
    ];
    const twice = before.get(asked) ?? (known === undefined ? undefined : before.get(known));
    if (split !== "seen" && split !== "unseen")
      bad(
        'field "split" is neither "seen" nor "unseen" (where no row has it: --split, or a file name that ends in _seen or _unseen)',
      );
    else if (typeof domain !== "string") bad('field "domain" is no text');
    else if (twice !== undefined)
      bad(
        `${before.has(asked) ? `image ${image_path} with this question` : `id ${JSON.stringify(id)}`} stands in line ${twice} already`,
      );
    else {
      before.set(asked, line);
      if (known !== undefined) before.set(known, line);
      const shown =
        optionOrder === "released" || !options ? options : random(foldIn(seed, "options", image_path)).shuffle(options);
      let image: string | null;
      try {
        image = resolveImage(root, image_path);
      } catch (error) {
        bad((error as Error).message);
        continue;
      }
      questions.push({
        image_path,
        question,
        ...(setting === "closed" && shown ? { options: [...shown] } : {}),
        ground_truth,
        domain,
        split,
        setting,
        image,
        where: `${file}, line ${line}`,
      });
    }
  }
  return { name, questions, skipped };
}

const sides = ({ split = "both" }: QuestionSetRequest): Side[] => (split === "both" ? ["seen", "unseen"] : [split]);

/**
 * The questions of a set in a fixed order; the same request gives the same ones. Images that are missing stay in the list
 * with `image: null`, so that who asks can report them.
 * @throws Error naming file and line of a bad row under `stop`, or what is wrong with the set
 */
export async function loadQuestions(request: QuestionSetRequest): Promise<QuestionSet> {
  const { set, seed = 0, limit = 0 } = request;
  const all = set.endsWith(".jsonl")
    ? rowsOfFile(request)
    : set === "emoji-fgvr"
      ? await drawings(request)
      : isSetName(set)
        ? photographs(set, request)
        : folders(request);
  return limit > 0 && limit < all.questions.length
    ? { ...all, questions: random(foldIn(seed, "limit")).sample(all.questions, limit) }
    : all;
}
