/** Whether a reader's answer to a bad input is one: it read the input, or said in an error of its own what is wrong. */
import { mkdirSync, rmSync } from "node:fs";
import type { Target } from "./targets";

/** Errors of JavaScript itself: nobody checked, and something failed later. */
const ACCIDENTS = ["TypeError", "RangeError", "ReferenceError", "SyntaxError", "AssertionError"];

/** Longest message that is read. */
const LONGEST = 3000;

function problemOf(error: unknown, names: RegExp): string | null {
  if (!(error instanceof Error)) return `threw ${typeof error}, which is no Error`;
  const { message, name, stack } = error;
  if (ACCIDENTS.includes(name) || ACCIDENTS.includes(error.constructor.name))
    return `${name}: ${message.slice(0, 300)}\n${(stack ?? "").split("\n").slice(1, 8).join("\n")}`;
  if (!names.test(message)) return `names neither file nor field: ${message.slice(0, 300)}`;
  if (message.length > LONGEST) return `a message of ${message.length} characters: ${message.slice(0, 200)}`;
  return null;
}

/** What a target made of an input. */
export interface Verdict {
  /** It was read; otherwise refused. */
  loaded: boolean;
  /** What is wrong with the answer, or null. */
  problem: string | null;
}

/** Gives an input to a target in an empty folder of its own. */
export async function judge(target: Target, input: Buffer, folder: string): Promise<Verdict> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    await target.read(input, folder);
    return { loaded: true, problem: null };
  } catch (error) {
    return { loaded: false, problem: problemOf(error, target.names(folder)) };
  }
}
