/** A command of the command line from a notebook: what a reader would type, with what it prints. */
import { spawn } from "node:child_process";
import { repositoryRoot } from "../util/root";

/** Lines that TensorFlow writes to every process that loads it. */
const NOISE = /^(WARNING: All log messages before absl|[IW]\d{4} .*(oneDNN|cpu_feature_guard|computation_placer))/;

/** What is shown of a command's output: paths below the repository are relative to it, TensorFlow's start-up lines are left out. */
export function shownOutput(text: string, root = repositoryRoot()): string {
  return text
    .split("\n")
    .filter((line) => !NOISE.test(line))
    .join("\n")
    .split(`${root}/`)
    .join("")
    .trimEnd();
}

/** Runs `npm run -s fine-r1 -- ARGUMENTS` without the set-up, shows the line and its output; an exit code other than 0 is said, not thrown. */
export async function fineR1(...args: string[]): Promise<void> {
  const line = args.map((arg) => (/^[\w./:=,@+-]+$/.test(arg) ? arg : `'${arg}'`)).join(" ");
  console.log(shownOutput(`$ npm run -s fine-r1 -- ${line}`));
  const [code, text] = await new Promise<[number | null, string]>((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", "cli/fine-r1.ts", ...args], {
      cwd: repositoryRoot(),
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "3" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let all = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => (all += chunk));
    child.on("error", reject);
    child.on("close", (status) => resolve([status, all]));
  });
  console.log(`${shownOutput(text)}${code === 0 ? "" : `\n(exit code ${code ?? "none: it was ended"})`}`);
}
