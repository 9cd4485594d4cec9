/** Runs the steps of set-up side by side, each as soon as those it builds on have ended. */

/**
 * @param {{name: string, title: string, after?: string[], isDone: (context: object) => boolean,
 *   run: (context: object) => Promise<void>}[]} steps `after` names the steps whose results a step reads
 * @param {object} context what every step is given
 * @param {{started?: (step: object) => void, done?: (step: object, seconds: number) => void,
 *   failed?: (step: object, error: Error) => void}} tell
 * @returns {Promise<boolean>} whether all succeeded. After a failure no further step starts; those that run go on to
 *   their end, so that the next set-up need not repeat them.
 * @throws where `after` names no step, or steps wait for one another
 */
export async function runSteps(steps, context, tell = {}) {
  const order = inOrder(steps);
  const ends = new Map();
  let hasFailed = false;
  const one = async (step) => {
    await Promise.all((step.after ?? []).map((name) => ends.get(name)));
    // Asked only now: a step may undo another one that builds on it (`npm ci` removes the addon in node_modules).
    if (hasFailed || step.isDone(context)) return;
    const begun = Date.now();
    tell.started?.(step);
    try {
      await step.run(context);
      tell.done?.(step, (Date.now() - begun) / 1000);
    } catch (error) {
      hasFailed = true;
      tell.failed?.(step, error);
    }
  };
  for (const step of order) ends.set(step.name, one(step));
  await Promise.all(ends.values());
  return !hasFailed;
}

/** The steps, each behind those that it builds on. */
function inOrder(steps) {
  const order = [];
  for (let rest = steps; rest.length > 0;) {
    const isReady = (step) => (step.after ?? []).every((name) => order.some((other) => other.name === name));
    const ready = rest.filter(isReady);
    if (ready.length === 0) {
      const stuck = rest.map((step) => `${step.name} (after ${step.after.join(", ")})`).join("; ");
      throw new Error(`steps that wait for one another, or for a step that is not there: ${stuck}`);
    }
    order.push(...ready);
    rest = rest.filter((step) => !ready.includes(step));
  }
  return order;
}

/**
 * Shares a number of places among tasks: `place(cost, task)` runs a task when one is free, the costliest of those that
 * wait first, so that no long one is left alone at the end.
 *
 * @param {number} count how many tasks run at a time
 */
export function places(count) {
  const waiting = [];
  let free = count;
  const next = () => {
    if (free === 0 || waiting.length === 0) return;
    free--;
    waiting.sort((a, b) => b.cost - a.cost);
    waiting.shift().begin();
  };
  return async (cost, task) => {
    await new Promise((begin) => {
      waiting.push({ cost, begin });
      // After the tasks that are asked for in the same turn, so that the costliest of them is known.
      queueMicrotask(next);
    });
    try {
      return await task();
    } finally {
      free++;
      next();
    }
  };
}
