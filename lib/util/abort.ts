/**
 * Stopping what runs. In a notebook Jupyter's "Stop" aborts the signal of the running cell; a long loop looks at it
 * once a step:
 *
 *   const signal = interruptSignal();
 *   for (const step of steps) {
 *     await yieldToEventLoop();
 *     throwIfAborted(signal);
 *     …
 *   }
 *
 * The kernel hears of "Stop" only while the event loop turns, so looking without yielding finds nothing.
 */

/** What the notebook kernel (jupyter/fine-r1-kernel.cjs) leaves for this module; there is none outside a notebook. */
interface Interruptible {
  signal(): AbortSignal | undefined;
}

const never = new AbortController().signal;

/**
 * The signal that is aborted when the cell which called this is interrupted. Outside a notebook one that never is.
 * Ask once where a job starts, and pass it on.
 */
export function interruptSignal(): AbortSignal {
  const kernel = (globalThis as unknown as Record<symbol, Interruptible | undefined>)[Symbol.for("fine-r1.kernel")];
  return kernel?.signal() ?? never;
}

/**
 * Ends a job whose signal was aborted.
 *
 * @throws {Error} the signal's reason; for an interrupted cell an error named `KeyboardInterrupt`
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw signal.reason instanceof Error ? signal.reason : new Error(`aborted: ${String(signal.reason)}`);
}

/**
 * Lets timers, messages and interrupts be handled; a few microseconds. It never throws: for loops that save before they
 * end.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/**
 * Lets timers, messages and interrupts be handled; a few microseconds. Call it in every long loop.
 *
 * @throws {Error} named `KeyboardInterrupt`, when the running cell was interrupted
 */
export async function yieldToEventLoop(): Promise<void> {
  await nextTurn();
  throwIfAborted(interruptSignal());
}
