import { main } from "../../cli/program";

/** A command of the command line by its words, as `capture` takes it. */
export const command =
  (...words: string[]) =>
  (args: string[]): Promise<number> =>
    main([...words, ...args]);

/** Runs a command and collects what it prints. */
export async function capture(
  run: (args: string[]) => Promise<number>,
  args: string[],
): Promise<{ code: number; out: string; err: string }> {
  const original = { out: process.stdout.write, err: process.stderr.write };
  let out = "";
  let err = "";
  process.stdout.write = ((chunk: string) => ((out += chunk), true)) as typeof process.stdout.write;
  process.stderr.write = ((chunk: string) => ((err += chunk), true)) as typeof process.stderr.write;
  try {
    return { code: await run(args), out, err };
  } finally {
    process.stdout.write = original.out;
    process.stderr.write = original.err;
  }
}
