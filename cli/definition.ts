/** What a command of the command line is: its options and help, and where what it does is loaded from. */
import { Command, type CommandUnknownOpts, type OptionValues } from "@commander-js/extra-typings";

/** The options that a command's function gets, from the function that builds the command. */
export type OptionsOf<Build extends () => { opts(): OptionValues }> = ReturnType<ReturnType<Build>["opts"]>;

/** A command that does something. */
export interface Definition {
  /** Command lines without `fine-r1`, for its help and its page. */
  examples: readonly string[];
  /** The command with its arguments and options, made anew. */
  build(): CommandUnknownOpts;
  /** Loads what the command does and does it. @returns exit code */
  run(options: OptionValues, args: unknown[]): Promise<number>;
}

/** A command that only holds others. */
export interface Group {
  build(): CommandUnknownOpts;
  members: readonly Definition[];
}

/**
 * A command from its form and its function, whose types must agree.
 * @param load loads the function; called when the command runs, not before
 */
export function define<Args extends unknown[], Opts extends OptionValues>(
  form: { command: () => Command<Args, Opts>; examples: readonly string[] },
  load: () => Promise<{ run: (options: Opts, ...args: Args) => Promise<number> }>,
): Definition {
  return {
    examples: form.examples,
    build: () => form.command() as unknown as CommandUnknownOpts,
    run: async (options, args) => (await load()).run(options as Opts, ...(args as Args)),
  };
}

/** Commands under a common first word. */
export function group(name: string, description: string, members: readonly Definition[]): Group {
  return { build: () => new Command(name).description(description) as unknown as CommandUnknownOpts, members };
}

/** Whether an entry of the list of commands is a group. */
export const isGroup = (entry: Definition | Group): entry is Group => "members" in entry;
