/** Writes `docs/settings.md`: `node --import tsx tools/settings-docs.ts`. */
import * as path from "node:path";
import { writeText } from "../lib/util/files";
import { root } from "./environment";
import { settingsPage } from "./settings-page";

writeText(path.join(root, "docs/settings.md"), settingsPage());
