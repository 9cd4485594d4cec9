/** `gpu-check`: it has no options. */
import { Command } from "@commander-js/extra-typings";

export const command = () =>
  new Command("gpu-check")
    .summary("engine tests, parity fixtures and profiles on a GPU, and a report")
    .description("Writes docs/gpu-report.json. Where there is no GPU it is skipped, with exit code 0.");

export const examples = ["gpu-check"];
