/** All notebooks with outputs, and the documents, as a static site: npm run pages [-- --out DIR] */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { root } from "../environment";
import { buildSite } from "./build";

try {
  const { values } = parseArgs({ options: { out: { type: "string", default: path.join(root, "site") } } });
  const { pages, copied } = buildSite({ root, out: values.out });
  const index = path.relative(process.cwd(), path.join(values.out, "index.html"));
  console.log(`${pages.size} pages, ${copied.length} figures and tables: open ${index}`);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
