/** `npm run lab` without its set-up, which is assumed to be done. */
import { spawn } from "node:child_process";
import { root } from "../../tools/environment";

export interface LabServer {
  /** `http://127.0.0.1:PORT`. */
  origin: string;
  token: string;
  /** What it wrote to the terminal so far. */
  said(): string;
  /** Ends it with its kernels. */
  stop(): Promise<void>;
}

/**
 * Starts `tools/lab.ts` on a free port.
 *
 * @param environment variables of the server and its kernels besides this process's
 * @throws {Error} with what it said, when it ends before it gives its address
 */
export async function startLabServer(environment: NodeJS.ProcessEnv = {}): Promise<LabServer> {
  const lab = spawn(process.execPath, ["--import", "tsx", "tools/lab.ts", "--no-browser", "--ServerApp.port=0"], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => lab.once("close", () => resolve()));
  let said = "";
  const address = await new Promise<URL>((resolve, reject) => {
    const read = (data: Buffer): void => {
      said += data.toString();
      const match = /http:\/\/127\.0\.0\.1:\d+\/\S*token=[0-9a-f]+/.exec(said);
      if (match) resolve(new URL(match[0]));
    };
    lab.stdout.on("data", read);
    lab.stderr.on("data", read);
    void ended.then(() => reject(new Error(`JupyterLab ended:\n${said}`)));
  });
  return {
    origin: address.origin,
    token: address.searchParams.get("token") ?? "",
    said: () => said,
    async stop() {
      lab.kill("SIGTERM");
      await ended;
    },
  };
}
