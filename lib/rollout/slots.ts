/**
 * Slots of a decoding batch. Rows that ended leave the batch: the open ones are packed anew, a few rows to each entry
 * of the prompt cache, so that a prompt with many open rows takes several entries and one with none takes no more.
 */

/** P entries of the prompt cache, each serving `perEntry` consecutive slots. */
export interface Slots {
  /** Prompt behind each entry, `[P]`. */
  prompts: readonly number[];
  perEntry: number;
  /** Rollout in each slot, `[P * perEntry]`; -1 where a slot is idle. */
  rows: readonly number[];
}

/**
 * What an entry of the prompt cache costs, in slots: its keys and values are read once a step however few rows it
 * serves.
 */
const ENTRY_COST = 0.4;
/** Packing is worth its gathers (and a new shape's trace) only below this share of the present cost. */
const WORTHWHILE = 0.8;
/** Slot counts are rounded up to this share of the first batch, so that few shapes are compiled. */
const SHAPES = 4;

/** `n` rows for each of `prompts` prompts; rollout `p * n + i` is prompt p's i-th. */
export function firstSlots(prompts: number, n: number): Slots {
  return {
    prompts: Array.from({ length: prompts }, (_, p) => p),
    perEntry: n,
    rows: Array.from({ length: prompts * n }, (_, row) => row),
  };
}

const cost = ({ prompts, perEntry }: Pick<Slots, "prompts" | "perEntry">): number =>
  prompts.length * (perEntry + ENTRY_COST);

/**
 * The open rows packed into fewer slots, or null where that gains too little.
 * @param first slots of the whole batch, whose sizes the new ones follow
 * @param isOpen whether a rollout still produces tokens; at least one does
 */
export function packSlots(current: Slots, first: Slots, isOpen: (row: number) => boolean): Slots | null {
  const open = new Map<number, number[]>();
  current.rows.forEach((row, slot) => {
    if (row < 0 || !isOpen(row)) return;
    const prompt = current.prompts[Math.floor(slot / current.perEntry)];
    open.set(prompt, [...(open.get(prompt) ?? []), row]);
  });
  const pack = (perEntry: number): Slots => {
    const prompts: number[] = [];
    const rows: number[] = [];
    for (const [prompt, of] of open) {
      for (let i = 0; i < of.length; i += perEntry) {
        prompts.push(prompt);
        rows.push(...Array.from({ length: perEntry }, (_, j) => of[i + j] ?? -1));
      }
    }
    const bucket = Math.max(1, Math.ceil(first.rows.length / SHAPES / perEntry));
    while (prompts.length % bucket !== 0) {
      prompts.push(prompts[0]);
      rows.push(...new Array<number>(perEntry).fill(-1));
    }
    return { prompts, perEntry, rows };
  };
  const sizes = [...new Set([1, Math.ceil(first.perEntry / 2), first.perEntry])];
  const best = sizes.map(pack).reduce((a, b) => (cost(b) < cost(a) ? b : a));
  return cost(best) <= WORTHWHILE * cost(current) ? best : null;
}
