/** Whether the model that a server says answered is the one that was asked: names come with owners, dates and tags. */

/** A name in lower case without its owner's folder. */
const bare = (name: string): string => name.trim().toLowerCase().split("/").filter(Boolean).at(-1) ?? "";

/** What a server may add to a name: a date, a revision, `latest`, or a tag after a colon. */
const ADDITION = /^(?:[-@_]?(?:\d{4}-\d\d-\d\d|\d{3,8}|v\d+(?:\.\d+)*|latest)|:[\w.-]+)?$/;

/**
 * `gpt-4o` is `gpt-4o-2024-08-06`, `Qwen/Qwen2.5-VL-7B-Instruct` is a folder of that name; `gpt-4o` is not
 * `gpt-4o-mini`, and `qwen2.5vl:3b` not `qwen2.5vl:7b`.
 */
export function isSameModel(asked: string, answered: string): boolean {
  const [a, b] = [bare(asked), bare(answered)].map((name) => name.replace(/-latest$/, ""));
  if (a === b) return true;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short !== "" && long.startsWith(short) && ADDITION.test(long.slice(short.length));
}
