/** A loop as lib/ has them, for a cell to import: it looks at the interrupt once a step. */
import { interruptSignal, throwIfAborted, yieldToEventLoop } from "../../lib/util/abort";

/** Runs until it is interrupted, counting its steps in `counter`. */
export async function longLoop(counter: { turns: number }): Promise<never> {
  const signal = interruptSignal();
  for (;;) {
    counter.turns++;
    await yieldToEventLoop();
    throwIfAborted(signal);
  }
}

/** Looks at the signal only, and yields by a timer: nothing but `throwIfAborted` ends it. */
export async function timedLoop(counter: { turns: number }): Promise<never> {
  const signal = interruptSignal();
  for (;;) {
    counter.turns++;
    await new Promise((resolve) => setTimeout(resolve, 1));
    throwIfAborted(signal);
  }
}
