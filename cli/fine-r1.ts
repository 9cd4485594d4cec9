/** The one command line: `npm run -s fine-r1 -- COMMAND [OPTIONS]`. */
import { main } from "./program";

// A reader that has seen enough (`| head`, a closed terminal) ends no work: results are in files.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
