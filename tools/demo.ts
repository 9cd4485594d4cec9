/**
 * `npm run demo`: Fine-R1 in a few seconds. An image, a rationale, an answer, a reward and a triplet, printed and as an
 * HTML page (data/runs/demo/demo.html) that needs no network.
 */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { openExperiment } from "../lib/experiment/open";
import { tripletsOf } from "../lib/experiment/rl";
import { loadSettings } from "../lib/experiment/load-settings";
import { scoreResponse, type RlPrompt } from "../lib/rollout/groups";
import { generateText } from "../lib/train/generate-text";
import { escapeHtml } from "../lib/util/escape-html";
import { writeText } from "../lib/util/files";
import { foldIn, random } from "../lib/util/random";
import { root } from "./environment";

/** A picture in the page itself, with its caption as alternative text. */
const picture = (file: string, caption: string): string =>
  `<figure><img width="128" height="128" alt="${escapeHtml(caption)}" src="data:image/png;base64,${readFileSync(file).toString("base64")}"><figcaption>${escapeHtml(caption)}</figcaption></figure>`;

const page = (sections: readonly (readonly [title: string, html: string])[]): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Fine-R1 in one page</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#222}
figure{display:inline-block;margin:0 1rem 0 0;text-align:center}img{image-rendering:pixelated;border:1px solid #ccc}
pre{white-space:pre-wrap;background:#f4f4f4;padding:.7rem}</style></head><body>
<h1>Fine-R1 in one page</h1>
${sections.map(([title, html]) => `<h2>${escapeHtml(title)}</h2>\n${html}`).join("\n")}
</body></html>
`;

async function main(): Promise<void> {
  const experiment = await openExperiment(loadSettings({ scale: "smoke", environment: {} }));
  const { benchmark, bench, base, prompts, settings } = experiment;
  const triplets = random(foldIn(settings.seed, "demo")).shuffle(await tripletsOf(experiment));
  const ask = async (i: number) => {
    const { anchor, positive, negative } = triplets[i];
    const { name, domain } = anchor.subcategory;
    const question = benchmark.question(domain);
    const domainNames = benchmark.subcategories({ domain }).map((one) => one.name);
    const user = prompts.reason(question);
    const prompt: RlPrompt = {
      anchor: anchor.id,
      positive: positive.id,
      negative: negative.id,
      user,
      groundTruth: name,
      options: null,
      domainNames,
    };
    const [{ text }] = await generateText(base, bench, anchor.id, user);
    return { triplet: triplets[i], name, question, text, ...scoreResponse(text, prompt, true) };
  };
  let shown = await ask(0);
  for (let i = 1; i < 24 && shown.reward.accuracy === 0; i++) shown = await ask(i); // one that it gets right, if soon
  const { triplet, name, question, text, reward } = shown;
  const { anchor, positive, negative } = triplet;
  const think = /<think>([\s\S]*?)<\/think>/.exec(text)?.[1].trim() ?? "(no rationale)";
  const answer = /<answer>([\s\S]*?)<\/answer>/.exec(text)?.[1].trim() ?? "(no answer)";
  const rewardText = `${reward.overall.toFixed(2)} = 0.9 x accuracy ${reward.accuracy} + 0.1 x format ${reward.format}`;
  console.log(`image      ${path.relative(root, anchor.file!)} (truth: ${name})
question   ${question}
rationale  ${think}
answer     ${answer}
reward     ${rewardText}
triplet    anchor ${name}; positive ${positive.subcategory.name} by ${positive.source}; negative ${negative.subcategory.name}`);
  const out = path.join(root, "data/runs/demo/demo.html");
  writeText(
    out,
    page([
      ["An image and a question", `${picture(anchor.file!, `truth: ${name}`)}<p>${escapeHtml(question)}</p>`],
      ["A rationale", `<pre>${escapeHtml(think)}</pre>`],
      ["An answer", `<pre>${escapeHtml(answer)}</pre>`],
      ["A reward", `<p>${escapeHtml(rewardText)}</p>`],
      [
        "A triplet: anchor, positive, negative",
        picture(anchor.file!, name) +
          picture(positive.file!, `${positive.subcategory.name}, by another designer`) +
          picture(negative.file!, `${negative.subcategory.name}, the most similar other`),
      ],
    ]),
  );
  experiment.close();
  console.log(`page       ${path.relative(process.cwd(), out)}`);
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
