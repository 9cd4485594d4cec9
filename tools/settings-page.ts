/** `docs/settings.md`: every setting, from its declaration. */
import { scaleSettings, SCALES, SETTINGS, type Scale } from "../lib/experiment/settings";
import { listed, settingValue } from "../lib/util/declared";

const INTRODUCTION = `# Settings

Written by \`node --import tsx tools/settings-docs.ts\` from the declarations in \`lib/experiment/settings.ts\` and
\`lib/train/settings.ts\`; a test holds it current.

A setting is changed where a run is opened:

- in a notebook: \`loadSettings({ set: ["rl.steps=8"] })\`
- in a command: \`--set rl.steps=8\`, as often as needed
- in the environment: \`FINE_R1_SET="rl.steps=8,seed=1"\`, for \`npm start\` and notebooks

The scale (\`FINE_R1_SCALE\` or \`--scale\`) gives the values of all settings: \`smoke\` for checks, \`default\` for the shipped
experiment, \`paper\` for the published one. A run with changed settings has a folder of its own. \`emoji-study-*\` has
values of its own where the scale is \`default\` ([protocol](study/protocol.md)). "Deviation" and a number are a row of
[paper, release, here](paper-vs-release.md).
`;

const cell = (text: string): string => text.replaceAll("|", "\\|");

const shown = (scale: Scale, name: string): string => cell(String(settingValue(scaleSettings(scale), name)));

/** The page as Markdown: one table for each group of settings. */
export function settingsPage(): string {
  const all = listed(SETTINGS);
  const groupOf = (name: string): string => (name.includes(".") ? name.split(".")[0] : "shared");
  const tables = [...new Set(all.map(({ name }) => groupOf(name)))].map((group) => {
    const settings = all.filter(({ name }) => groupOf(name) === group);
    const rows = settings.map(
      ({ name, declared: { help, allowed } }) =>
        `| \`${name}\` | ${SCALES.map((scale) => shown(scale, name)).join(" | ")} | ${cell(help)} | ${cell(allowed)} |`,
    );
    const head = `| setting | ${SCALES.join(" | ")} | what it is | allowed |\n|${" --- |".repeat(SCALES.length + 3)}`;
    return `## ${group === "shared" ? "Shared by all stages" : `\`${group}\``}\n\n${head}\n${rows.join("\n")}\n`;
  });
  return [INTRODUCTION, ...tables].join("\n");
}
