/** The one command line: `npm run -s fine-r1 -- COMMAND [ARGUMENTS]`. */
import { commands } from ".";

function usage(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return ["Usage: npm run -s fine-r1 -- COMMAND [ARGUMENTS]", "", "Commands:", ...list].join("\n");
}

/** Runs a command line and returns its exit code. */
async function main([name, ...args]: string[]): Promise<number> {
  if (name === "help" || name === "--help" || name === "-h") {
    console.log(usage());
    return 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    console.error(
      `${name === undefined ? "No command given" : `Unknown command ${JSON.stringify(name)}`}.\n\n${usage()}`,
    );
    return 1;
  }
  return (await command.load()).run(args);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const detail = process.env.FINE_R1_DEBUG ? (error as Error).stack : (error as Error).message;
    console.error(`fine-r1: ${detail ?? String(error)}`);
    process.exitCode = 1;
  },
);
