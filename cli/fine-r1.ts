/** The one command line: `npm run -s fine-r1 -- COMMAND [OPTIONS]`. */
import { main } from "./program";

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
