/** Writes `docs/cli.md` from the commands' definitions: `node --import tsx tools/cli-docs.ts`. */
import * as path from "node:path";
import { commandPage } from "./cli-page";
import { writeText } from "../lib/util/files";
import { root } from "./environment";

writeText(path.join(root, "docs/cli.md"), commandPage());
