/** Stopping long calls. */

/** @throws the signal's reason, where it was aborted */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason instanceof Error ? signal.reason : new Error("stopped");
}

/** Lets timers, input and a notebook's Stop be heard in a long computation. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
