/** A mini-batch over GPUs. */

/** How a mini-batch is computed. */
export interface Split {
  /** Rows on one device at a time. */
  perDevice: number;
  accumulation: number;
}

const divisorsOf = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

/**
 * Spreads `rows` over `gpus` devices, at most `ceil(rows / parts)` at a time on each: what one device held before.
 * @param what the rows are, for errors
 * @throws Error where the rows cannot be divided among the devices, with numbers of devices that can
 */
export function splitBatch(rows: number, { parts, gpus, what }: { parts: number; gpus: number; what: string }): Split {
  if (rows % gpus !== 0)
    throw new Error(
      `--gpus ${gpus}: ${rows} ${what} of an update cannot be divided among them; ${divisorsOf(rows).slice(0, 8).join(", ")} can, or change the size with --set`,
    );
  const share = rows / gpus;
  const most = Math.ceil(rows / parts);
  const perDevice = Math.max(...divisorsOf(share).filter((d) => d <= most));
  return { perDevice, accumulation: share / perDevice };
}
