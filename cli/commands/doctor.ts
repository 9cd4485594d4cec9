/** `doctor`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("doctor")
    .summary("engine, device, versions, threads and measured speed")
    .description("What this installation computes with, and how fast.")
    .addOption(shared.json());

export type DoctorOptions = OptionsOf<typeof command>;

export const examples = ["doctor", "doctor --json"];
