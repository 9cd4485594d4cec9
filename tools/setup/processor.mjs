/** Instruction sets of this processor, as far as kernels are compiled for them. */
import fs from "node:fs";

const AVX512 = ["avx512f", "avx512dq", "avx512vl", "avx512bw", "avx2", "fma"];

/**
 * What a processor must have for the kernels of a set, as native/kernels/kernels.cc asks; amx.cc asks for AMX itself.
 */
const NEEDS = { avx2: ["avx2", "fma"], avx512: AVX512, amx: AVX512 };

/** Sets that not every x86-64 processor has. */
export const OPTIONAL_SETS = Object.keys(NEEDS);

/**
 * The beginning of /proc/cpuinfo, which tells of the first processor; of all of many, it takes a while. Null where
 * there is none.
 */
function readCpuinfo() {
  try {
    const file = fs.openSync("/proc/cpuinfo", "r");
    const bytes = Buffer.alloc(16384);
    const length = fs.readSync(file, bytes);
    fs.closeSync(file);
    return bytes.toString("latin1", 0, length);
  } catch {
    return null;
  }
}

/**
 * Those of OPTIONAL_SETS which kernels are to be compiled for: the processor's own; all with `FINE_R1_ALL_SETS=1`, or
 * where it does not say what it has.
 *
 * @param {string | null} cpuinfo text of /proc/cpuinfo
 * @returns {string[]}
 */
export function wantedSets(cpuinfo = readCpuinfo(), env = process.env) {
  const line = cpuinfo?.match(/^flags\s*:(.*)$/m);
  if (!line || env.FINE_R1_ALL_SETS === "1") return OPTIONAL_SETS;
  const flags = new Set(line[1].trim().split(/\s+/));
  return OPTIONAL_SETS.filter((set) => NEEDS[set].every((flag) => flags.has(flag)));
}
