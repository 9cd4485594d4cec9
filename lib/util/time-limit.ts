/** Work of the host that is stopped after a time, such as a regular expression that backtracks without end. */
import { createContext, Script } from "node:vm";

const WORK = new Script("work()");

/**
 * A function that runs work for at most `ms`; about 0.1 ms are added to each call.
 * @returns `run`, which gives what the work gives and throws what it throws, or `late()` where the time is over
 */
export function createTimeLimit(ms: number): <T>(work: () => T, late: () => Error) => T {
  const sandbox: { work: (() => unknown) | null } = { work: null };
  const context = createContext(sandbox);
  return <T>(work: () => T, late: () => Error): T => {
    sandbox.work = work;
    try {
      return WORK.runInContext(context, { timeout: ms }) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException | null)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") throw late();
      throw error;
    } finally {
      sandbox.work = null;
    }
  };
}
