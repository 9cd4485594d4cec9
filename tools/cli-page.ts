/** The page of all commands, `docs/cli.md`, from their definitions. */
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { defaultOf } from "../cli/help";
import { isGroup, type Definition } from "../cli/definition";
import { sections } from "../cli/index";

const INTRODUCTION = `# Command line

Written by \`node --import tsx tools/cli-docs.ts\` from the commands' definitions (\`cli/commands/\`); do not edit it here.

\`npm run -s fine-r1 -- COMMAND [OPTIONS]\` runs a command; \`COMMAND --help\` shows what is below. Exit codes: 0 good, 2 good but rows were
skipped, 1 wrong. \`FINE_R1_DEBUG=1\` shows an error's stack.

The same option means the same everywhere. \`--benchmark\` says what a command is about: one of the six sets (\`aircraft\`, \`bird\`, \`car\`,
\`dog\`, \`flower\`, \`pet\`), \`emoji-fgvr\`, the name of a folder in \`--sets\`, several of these joined by \`+\`, or a path (it has a \`/\`) of a
folder with a sub-folder a class. \`--set NAME=VALUE\` changes a setting.`;

const cell = (text: string): string => text.replace(/\|/g, "\\|").replace(/</g, "&lt;").replace(/\n/g, " ");
const code = (text: string): string => `\`${text.replace(/\|/g, "\\|")}\``;

function optionRow(option: Option): string {
  const choices = (option.argChoices ?? []).map(code).join(", ");
  const otherwise = defaultOf(option);
  const value = option.mandatory && otherwise === null ? "needed" : otherwise === null ? "" : code(otherwise);
  return `| ${code(option.flags)} | ${cell(option.description)} | ${choices} | ${value} |`;
}

function optionTable(command: CommandUnknownOpts): string[] {
  const options = (command.options as Option[]).filter(({ hidden }) => !hidden);
  if (options.length === 0) return ["No options."];
  return [
    [
      "| Option | | Choices | Default |",
      "| --- | --- | --- | --- |",
      ...options.map((option) => optionRow(option)),
    ].join("\n"),
  ];
}

/** Usage, options and examples of one command. @param words its name, after that of a group */
function describe(definition: Definition, words: string, depth: number): string[] {
  const command = definition.build();
  const args = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "…" : ""}`;
    const choices = argument.argChoices ? ` (one of ${argument.argChoices.join(", ")})` : "";
    return `- \`${argument.required ? name : `[${name}]`}\`: ${argument.description}${choices}`;
  });
  return [
    `${"#".repeat(depth)} ${words}`,
    command.description(),
    ...(args.length > 0 ? [args.join("\n")] : []),
    ...optionTable(command),
    ["```sh", ...definition.examples.map((example) => `npm run -s fine-r1 -- ${example}`), "```"].join("\n"),
  ];
}

/** The page, as Markdown. */
export function commandPage(): string {
  const parts = sections.flatMap(({ title, entries }) => [
    `## ${title}`,
    ...entries.flatMap((entry) => {
      const name = entry.build().name();
      if (!isGroup(entry)) return describe(entry, name, 3);
      return entry.members.flatMap((member) => describe(member, `${name} ${member.build().name()}`, 3));
    }),
  ]);
  return `${[INTRODUCTION, ...parts].join("\n\n")}\n`;
}
