/** A page of which every error and every request is kept. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Page } from "playwright-core";
import { root } from "../../tools/environment";

/** Messages of JupyterLab that say nothing about this project. */
const HARMLESS: { pattern: RegExp; reason: string }[] = [];

const OWN = /^(?:(?:https?|wss?):\/\/127\.0\.0\.1:\d+\/|data:|blob:http:\/\/127\.0\.0\.1:)/;

export interface WatchedPage {
  page: Page;
  /** Errors of the console and of scripts, and requests to other machines; empty where all is well. */
  problems(): string[];
  /** Keeps what the page looks like in `.setup/screenshots/NAME.png`. */
  picture(name: string): Promise<void>;
}

/** Watches a page from its first request on. */
export function watchPage(page: Page): WatchedPage {
  const errors: string[] = [];
  const addresses = new Set<string>();
  page.on("console", (message) => {
    const text = `${message.text()} (${message.location().url})`;
    if (message.type() === "error" && !HARMLESS.some(({ pattern }) => pattern.test(text))) errors.push(text);
  });
  page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
  page.on("request", (request) => addresses.add(request.url()));
  page.on("websocket", (socket) => addresses.add(socket.url()));
  return {
    page,
    problems: () => [
      ...errors,
      ...[...addresses].filter((address) => !OWN.test(address)).map((one) => `request: ${one}`),
    ],
    async picture(name) {
      const folder = path.join(root, ".setup/screenshots");
      fs.mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: path.join(folder, `${name}.png`) });
    },
  };
}
