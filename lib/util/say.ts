/** Lines for people. Text of data in them is shown and never obeyed by the terminal (`visibleText`). */
import { visibleText } from "./visible-text";

/** A line on stdout; below a notebook's cell where there is one. */
export const say = (text: string): void => console.log(visibleText(text));

/** A line on stderr: what was skipped, warnings. */
export const warn = (text: string): void => void process.stderr.write(`${visibleText(text)}\n`);
