/** What axe-core finds wrong with what cells show. */
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";

/** Serious and critical findings in what cells show, one for each element; JupyterLab's own parts aside. */
export async function outputViolations(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).include(".jp-OutputArea-output").analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 300)}\n${failureSummary}`),
    );
}
