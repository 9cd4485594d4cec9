/** A node must run the code of the machine that asked: results are stamped with it. */
import { hostname } from "node:os";
import { codeHash } from "../experiment/identity";
import { CODE_VARIABLE } from "./plan";

/** @throws Error where this project's code is not the one that was asked for */
export function checkCode(environment: Readonly<Record<string, string | undefined>> = process.env): void {
  const asked = environment[CODE_VARIABLE];
  if (asked === undefined || asked === codeHash()) return;
  throw new Error(
    `${hostname()}: the project here is not the one that the job was started from (code ${codeHash().slice(0, 12)}, asked for ${asked.slice(0, 12)}); bring both to the same commit, or share one folder`,
  );
}
