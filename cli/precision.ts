/** `--precision` on this machine. */
import { canCompile } from "../lib/engine/native";
import { useBf16, type Precision } from "../lib/engine/precision";

/** Whether products are to be computed in bfloat16. @throws Error where that needs an engine that is not there */
export function chosenPrecision({ precision }: { precision: Precision }): boolean {
  const bf16 = useBf16(precision);
  if (bf16 && !canCompile())
    throw new Error("--precision bfloat16 needs the native engine: fine-r1 doctor says why it is not there");
  return bf16;
}
