/**
 * How long a stage would take on a device, from arithmetic alone: no run has been measured against it. Training is
 * bound by products (6 operations per parameter and token, forward and backward; Kaplan et al. 2020, section 2.1),
 * decoding by reading the weights once a token, whatever the batch.
 */

/** A device as its data sheet has it. */
export interface Device {
  name: string;
  /** Dense bfloat16 products, operations a second. */
  flops: number;
  /** Memory bandwidth, bytes a second. */
  bandwidth: number;
  /** Memory, bytes. */
  memory: number;
}

/** Data sheets of NVIDIA: A100 SXM 80 GB, H100 SXM. */
export const DEVICES: readonly Device[] = [
  { name: "A100 80 GB", flops: 312e12, bandwidth: 2.039e12, memory: 80e9 },
  { name: "H100 80 GB", flops: 989e12, bandwidth: 3.35e12, memory: 80e9 },
];

/** What is assumed beside the data sheet. */
export interface Assumptions {
  /** Share of `flops` that is reached; 0.3 is modest for a good implementation. */
  utilisation: number;
  /** Bytes a stored parameter takes while decoding: 2 in bfloat16. */
  bytesPerParameter: number;
}

export const assumptions: Assumptions = { utilisation: 0.3, bytesPerParameter: 2 };

/**
 * Seconds to train on `tokens` of all rows together; `passes` is 3 for forward and backward (6 operations), 1 for
 * scoring alone.
 */
export function trainingSeconds(
  parameters: number,
  tokens: number,
  device: Device,
  passes = 3,
  { utilisation }: Assumptions = assumptions,
): number {
  return (2 * passes * parameters * tokens) / (device.flops * utilisation);
}

/**
 * Seconds to read prompts and decode: the larger of arithmetic and of reading the weights, per decoding step of a
 * batch.
 */
export function generationSeconds(
  parameters: number,
  of: { rows: number; batch: number; promptTokens: number; prompts: number; newTokens: number },
  device: Device,
  { utilisation, bytesPerParameter }: Assumptions = assumptions,
): number {
  const read = (2 * parameters * of.promptTokens * of.prompts) / (device.flops * utilisation);
  const arithmetic = (2 * parameters * Math.min(of.batch, of.rows)) / (device.flops * utilisation);
  const step = Math.max(arithmetic, (parameters * bytesPerParameter) / device.bandwidth);
  return read + Math.ceil(of.rows / of.batch) * of.newTokens * step;
}
