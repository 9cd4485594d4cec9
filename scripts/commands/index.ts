/** The commands of `npm run -s fine-r1 -- COMMAND`; each is loaded only when it is asked for. */

export interface CommandModule {
  /** Runs with the arguments after the command's name; returns the exit code. */
  run(args: string[]): Promise<number>;
}

export interface Command {
  name: string;
  summary: string;
  load(): Promise<CommandModule>;
}

export const commands: Command[] = [
  { name: "doctor", summary: "engine, device, versions, threads and measured speed (--json)", load: () => import("./doctor") },
  { name: "run", summary: "the main job: all notebooks at default scale, then the table", load: () => import("./run") },
  { name: "notebooks", summary: "runs notebooks headless [FILE…] [--scale NAME] [--run NAME] [--verbose]", load: () => import("./notebooks") },
];
