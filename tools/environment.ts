/** Where things are in this clone, and the environment that Jupyter and its kernels run in. */
import * as path from "node:path";
// @ts-expect-error: set-up is JavaScript
import * as home from "./setup/home.mjs";

const { homeFolder } = home as { homeFolder: (root: string) => string };

export const root = path.resolve(__dirname, "..");
export const venvPython = path.join(root, ".venv/bin/python");

/** Environment for Python and Jupyter: the committed kernel spec, this Node, nothing written to the home folder. */
export function jupyterEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const inherited = process.env.JUPYTER_PATH;
  const inheritedConfig = process.env.JUPYTER_CONFIG_PATH;
  return {
    ...process.env,
    HOME: homeFolder(root),
    JUPYTER_PATH: path.join(root, "jupyter") + (inherited ? path.delimiter + inherited : ""),
    JUPYTER_CONFIG_PATH: path.join(root, "jupyter/config") + (inheritedConfig ? path.delimiter + inheritedConfig : ""),
    JUPYTER_RUNTIME_DIR: path.join(root, ".setup/jupyter-runtime"),
    PATH: [path.dirname(process.execPath), process.env.PATH ?? ""].join(path.delimiter),
    TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? "3",
    ...extra,
  };
}
