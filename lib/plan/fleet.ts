/**
 * A fleet of rollout workers and a trainer, as discrete events: workers sample batches with the weights they last got,
 * the trainer updates on so many at a time. How old the weights of a batch may be is bounded; a bound of 0 is
 * synchronous training. Admission after AReaL (Fu et al. 2025, arXiv:2505.24298): while the weights have version i, at
 * most (i + bound + 1) times an update's batches are begun. A batch that is too old all the same, because its worker
 * was slow, is dropped. All that is drawn comes from the seed: a worker's n-th batch takes the same time under every
 * bound.
 */
import { foldIn, random } from "../util/random";

/** A fleet. Times in seconds. */
export interface Fleet {
  workers: number;
  /** Batches of one update. */
  batchesPerUpdate: number;
  /** A batch takes so long in the mean... */
  batchSeconds: number;
  /** ...and varies log-normally with this standard deviation of its logarithm. */
  spread: number;
  /** This share of workers is slower by this factor. */
  slowShare: number;
  slowFactor: number;
  /** A worker fails so often in an hour of being up, loses its batch and is back after `repairSeconds`. */
  failuresPerHour: number;
  repairSeconds: number;
  updateSeconds: number;
  /** Until a worker has new weights, at the start of its next batch. */
  pushSeconds: number;
  /** Largest difference between the version that is updated and the version that sampled. */
  staleness: number;
}

export const FLEET: Fleet = {
  workers: 64,
  batchesPerUpdate: 64,
  batchSeconds: 60,
  spread: 0.4,
  slowShare: 0.05,
  slowFactor: 2,
  failuresPerHour: 0.05,
  repairSeconds: 300,
  updateSeconds: 45,
  pushSeconds: 3,
  staleness: 0,
};

/** What a worker did from when to when. */
export interface Span {
  worker: number;
  from: number;
  to: number;
  state: "sampling" | "waiting" | "down";
}

export interface FleetResult {
  seconds: number;
  updates: number;
  batchesPerHour: number;
  /** Shares of the workers' time. */
  sampling: number;
  waiting: number;
  down: number;
  /** Share of the trainer's time that it waits for batches. */
  trainerWaiting: number;
  meanStaleness: number;
  largestStaleness: number;
  /** Batches too old to be used, and batches lost with their worker. */
  dropped: number;
  lost: number;
  /** What workers did in the first `traceSeconds`. */
  trace: Span[];
}

/** @throws Error with the field that makes no sense, and what is expected */
function check(fleet: Fleet): void {
  const counts: (keyof Fleet)[] = ["workers", "batchesPerUpdate"];
  for (const [name, value] of Object.entries(fleet) as [keyof Fleet, number][]) {
    const whole = counts.includes(name) || name === "staleness";
    const least = counts.includes(name) ? 1 : 0;
    if (!Number.isFinite(value) || value < least || (whole && !Number.isInteger(value)))
      throw new Error(`fleet: ${name} is ${value}; expected a ${whole ? "whole " : ""}number of at least ${least}`);
  }
  if (fleet.batchSeconds === 0) throw new Error("fleet: batchSeconds is 0; expected a number above 0");
  if (fleet.slowShare > 1) throw new Error(`fleet: slowShare is ${fleet.slowShare}; expected a share, 0 to 1`);
}

interface Event {
  time: number;
  /** Order among events of one time. */
  order: number;
  happen: () => void;
}

/** Events in order of time; as many wait as there are workers, so a look at each is fast enough. */
class Agenda {
  private waiting: Event[] = [];
  private made = 0;

  at(time: number, happen: () => void): Event {
    const event = { time, order: this.made++, happen };
    this.waiting.push(event);
    return event;
  }

  cancel(event: Event): void {
    this.waiting = this.waiting.filter((one) => one !== event);
  }

  next(): Event | null {
    if (this.waiting.length === 0) return null;
    const first = this.waiting.reduce((a, b) => (b.time < a.time || (b.time === a.time && b.order < a.order) ? b : a));
    this.cancel(first);
    return first;
  }
}

interface Worker {
  index: number;
  slow: number;
  begun: number;
  failures: number;
  state: Span["state"];
  since: number;
  /** Version of the weights it samples with. */
  version: number;
  finish: Event | null;
}

/**
 * Runs a fleet until so many updates are made.
 * @param options.traceSeconds how much of the beginning is kept, span by span; none by default
 */
export function simulateFleet(
  fleet: Fleet,
  seed: number,
  updates: number,
  options: { traceSeconds?: number } = {},
): FleetResult {
  check(fleet);
  const { traceSeconds = 0 } = options;
  const agenda = new Agenda();
  const time: Record<Span["state"], number> = { sampling: 0, waiting: 0, down: 0 };
  const trace: Span[] = [];
  const ready: number[] = []; // versions of finished batches
  let [now, version, begun, used, dropped, lost, staleSum, largest, trainerWaited] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  let [training, trainerFree] = [false, 0];

  const slowWorkers = Math.round(fleet.slowShare * fleet.workers);
  const order = random(foldIn(seed, "slow")).shuffle(Array.from({ length: fleet.workers }, (_, i) => i));
  const slow = new Set(order.slice(0, slowWorkers));
  const workers = Array.from({ length: fleet.workers }, (_, index): Worker => ({
    index,
    slow: slow.has(index) ? fleet.slowFactor : 1,
    begun: 0,
    failures: 0,
    state: "waiting",
    since: 0,
    version: -1,
    finish: null,
  }));

  const become = (worker: Worker, state: Span["state"]): void => {
    time[worker.state] += now - worker.since;
    if (worker.since < traceSeconds && now > worker.since)
      trace.push({ worker: worker.index, from: worker.since, to: Math.min(now, traceSeconds), state: worker.state });
    [worker.state, worker.since] = [state, now];
  };

  const draw = (worker: Worker): number => {
    const normal = random(foldIn(seed, "batch", worker.index, worker.begun)).normal();
    return worker.slow * fleet.batchSeconds * Math.exp(fleet.spread * normal - fleet.spread ** 2 / 2);
  };

  const admit = (): void => {
    for (const worker of workers) {
      if (worker.state !== "waiting") continue;
      if (begun >= (version + fleet.staleness + 1) * fleet.batchesPerUpdate) return;
      begun++;
      const push = worker.version === version ? 0 : fleet.pushSeconds;
      worker.version = version;
      become(worker, "sampling");
      worker.finish = agenda.at(now + push + draw(worker), () => finished(worker));
      worker.begun++;
    }
  };

  const finished = (worker: Worker): void => {
    worker.finish = null;
    become(worker, "waiting");
    ready.push(worker.version);
    train();
    admit();
  };

  const train = (): void => {
    if (training) return;
    const fresh = ready.filter((made) => version - made <= fleet.staleness);
    const old = ready.length - fresh.length;
    dropped += old;
    begun -= old; // others are sampled in their place
    ready.splice(0, ready.length, ...fresh);
    if (ready.length < fleet.batchesPerUpdate) return;
    for (const made of ready.splice(0, fleet.batchesPerUpdate)) {
      const staleness = version - made;
      staleSum += staleness;
      largest = Math.max(largest, staleness);
      used++;
    }
    training = true;
    trainerWaited += now - trainerFree;
    agenda.at(now + fleet.updateSeconds, () => {
      [training, trainerFree] = [false, now];
      version++;
      if (version < updates) train();
      admit();
    });
  };

  const failLater = (worker: Worker): void => {
    if (fleet.failuresPerHour === 0) return;
    const uniform = random(foldIn(seed, "failure", worker.index, worker.failures)).uniform();
    const wait = (-3600 * Math.log(1 - uniform)) / fleet.failuresPerHour;
    agenda.at(now + wait, () => {
      if (worker.finish) {
        agenda.cancel(worker.finish);
        worker.finish = null;
        lost++;
        begun--;
      }
      worker.failures++;
      become(worker, "down");
      agenda.at(now + fleet.repairSeconds, () => {
        worker.version = -1;
        become(worker, "waiting");
        failLater(worker);
        admit();
      });
      admit();
    });
  };

  workers.forEach(failLater);
  admit();
  while (version < updates) {
    const event = agenda.next();
    if (event === null) throw new Error(`fleet: nothing is going on after ${version} updates`);
    now = event.time;
    event.happen();
  }
  workers.forEach((worker) => become(worker, worker.state));
  const total = now * fleet.workers;
  return {
    seconds: now,
    updates,
    batchesPerHour: (3600 * used) / now,
    sampling: time.sampling / total,
    waiting: time.waiting / total,
    down: time.down / total,
    trainerWaiting: trainerWaited / now,
    meanStaleness: staleSum / used,
    largestStaleness: largest,
    dropped,
    lost,
    trace,
  };
}
