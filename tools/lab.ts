/** `npm run lab [-- ARGUMENTS]`: JupyterLab on this clone with its kernel, reachable from this machine only. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { jupyterEnvironment, root, venvPython } from "./environment";

const tour = "notebooks/00-tour.ipynb";
const args = [
  "-m",
  "jupyterlab",
  "--ServerApp.ip=127.0.0.1",
  "--MultiKernelManager.default_kernel_name=tslab-fine-r1",
  `--ServerApp.root_dir=${root}`,
  // Nothing is fetched from outside, and no output is dropped however fast a cell prints.
  "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
  "--LabApp.extension_manager=readonly",
  "--ZMQChannelsWebsocketConnection.limit_rate=False",
  // A file that is dropped on a control comes as one message: 20 MB (lib/report/widgets.ts), and what is around it.
  `--ServerApp.tornado_settings={"websocket_max_message_size": ${32 * 2 ** 20}}`,
  ...(fs.existsSync(path.join(root, tour)) ? [`--LabApp.default_url=/lab/tree/${tour}`] : []),
  ...(process.getuid?.() === 0 ? ["--allow-root"] : []),
  ...process.argv.slice(2),
];

const lab = spawn(venvPython, args, { cwd: root, env: jupyterEnvironment(), stdio: "inherit" });
process.on("SIGINT", () => undefined); // JupyterLab gets it too, and asks whether to stop
process.on("SIGTERM", () => lab.kill("SIGTERM"));
lab.on("error", (error) => {
  console.error(`JupyterLab cannot be started: ${error.message}`);
  process.exitCode = 1;
});
lab.on("close", (code) => {
  process.exitCode = code ?? 1;
});
