/** The notebook kernel (jupyter/fine-r1-kernel.cjs) as seen from inside; there is none outside a notebook. */

/** One value in several formats, by MIME type: text and base64 images as strings, JSON types as objects. */
export type MimeBundle = Record<string, unknown>;

export interface Kernel {
  /** Shows a bundle in the running cell; with `update`, replaces what was shown under the same `id`. */
  display(data: MimeBundle, options?: { metadata?: Record<string, unknown>; id?: string; update?: boolean }): void;
  clearOutput(wait?: boolean): void;
  /** Aborted when the running cell is interrupted. */
  signal(): AbortSignal | undefined;
}

/** The kernel this code runs in, or undefined. */
export function currentKernel(): Kernel | undefined {
  return (globalThis as unknown as Record<symbol, Kernel | undefined>)[Symbol.for("fine-r1.kernel")];
}
