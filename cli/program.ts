/** The program: all commands from their definitions, and the running of one command line. */
import { Command, CommanderError, type CommandUnknownOpts, type OptionValues } from "@commander-js/extra-typings";
import { isGroup, type Definition } from "./definition";
import { factsOf } from "./help";
import { sections } from "./index";
import { note } from "./output";
import { checkOptions, explain } from "./usage-errors";
import { UsageError } from "./values";

const ABOUT = `Fine-R1: fine-grained visual recognition by chain-of-thought SFT and TAPO.

In this repository: npm run -s fine-r1 -- COMMAND [OPTIONS]
fine-r1 help COMMAND shows a command's options and examples.
Exit codes: 0 good, 2 good but rows were skipped, 1 wrong. FINE_R1_DEBUG=1 shows an error's stack.`;

/** A command line that was read without an error. */
export interface Call {
  definition: Definition;
  options: OptionValues;
  args: unknown[];
}

const examplesText = (examples: readonly string[]): string =>
  `\nExamples:\n${examples.map((example) => `  fine-r1 ${example}`).join("\n")}`;

/** The program with all commands. @param onCall called with a command line that could be read */
export function createProgram(onCall: (call: Call) => Promise<void>): CommandUnknownOpts {
  const program = new Command("fine-r1")
    .description(ABOUT)
    .usage("COMMAND [OPTIONS]")
    .helpCommand(false)
    .exitOverride()
    .configureHelp({
      optionDescription: (option) => [option.description, factsOf(option)].filter((part) => part !== "").join(" "),
    })
    .configureOutput({
      outputError: () => undefined,
      getOutHelpWidth: () => Math.min(process.stdout.columns ?? 100, 120),
    });
  const leaf = (definition: Definition): CommandUnknownOpts =>
    definition
      .build()
      .copyInheritedSettings(program as unknown as CommandUnknownOpts)
      .addHelpText("after", examplesText(definition.examples))
      .action((...given: unknown[]) =>
        onCall({ definition, options: given[given.length - 2] as OptionValues, args: given.slice(0, -2) }),
      );
  for (const { title, entries } of sections)
    for (const entry of entries) {
      const command = isGroup(entry)
        ? entry.build().copyInheritedSettings(program as unknown as CommandUnknownOpts)
        : leaf(entry);
      if (isGroup(entry)) for (const member of entry.members) command.addCommand(leaf(member));
      program.addCommand(command.helpGroup(`${title}:`));
    }
  return program as unknown as CommandUnknownOpts;
}

/** The command that the first words name, its words, and the words after it. */
function findCommand(
  program: CommandUnknownOpts,
  args: readonly string[],
): { command: CommandUnknownOpts; words: string[]; rest: string[] } {
  let command = program;
  let at = 0;
  for (; at < args.length; at++) {
    const next = command.commands.find((candidate) => candidate.name() === args[at]);
    if (next === undefined) break;
    command = next;
  }
  return { command, words: args.slice(0, at), rest: args.slice(at) };
}

const asksForHelp = (args: readonly string[]): boolean =>
  args.slice(0, args.includes("--") ? args.indexOf("--") : undefined).some((arg) => arg === "--help" || arg === "-h");

/** @throws UsageError, CommanderError where the words name no command, or one of its options is not known */
function checkCommandLine(command: CommandUnknownOpts, words: readonly string[], rest: readonly string[]): void {
  if (command.commands.length > 0 && rest.length > 0 && !rest[0].startsWith("-")) {
    (command as unknown as { args: string[]; unknownCommand(): void }).args = [rest[0]];
    (command as unknown as { unknownCommand(): void }).unknownCommand();
  }
  if (command.commands.length > 0 && rest.length === 0)
    throw new UsageError(
      words.length === 0
        ? "no command given"
        : `${words.join(" ")} needs one of: ${command.commands.map((one) => one.name()).join(", ")}`,
    );
  if (!asksForHelp(rest)) checkOptions(command, rest);
}

/** Prints what went wrong. @returns exit code */
function report(error: unknown, command: CommandUnknownOpts, words: readonly string[]): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0; // help was shown
  const usage = error instanceof CommanderError || error instanceof UsageError;
  const message =
    error instanceof CommanderError ? explain(error, command) : error instanceof Error ? error.message : String(error);
  const help = usage ? `; see fine-r1 ${[...words, "--help"].join(" ")}` : "";
  note(`${words.length > 0 ? words.join(" ") : "fine-r1"}: ${message}${help}`);
  if (process.env.FINE_R1_DEBUG && error instanceof Error) note(error.stack ?? "");
  return 1;
}

/**
 * Runs a command line: the one place where errors of all commands end.
 * @returns exit code: 0; 2 where rows were skipped; 1 where something is wrong
 */
export async function main(given: readonly string[]): Promise<number> {
  let code = 0;
  const program = createProgram(async ({ definition, options, args }) => {
    code = await definition.run(options, args);
  });
  const args = given[0] === "help" ? [...given.slice(1), "--help"] : [...given];
  const { command, words, rest } = findCommand(program, args);
  try {
    checkCommandLine(command, words, rest);
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    return report(error, command, words);
  }
}
