/** Two methods beside each other in a cell, chosen there: the images on which they differ, and what each wrote. */
import { countConfusions, namesByDomain } from "../eval/confusions";
import type { PredictionRow, Setting } from "../eval/rows";
import { compareMethods, methodFacts } from "../train/methods";
import {
  filteredDifferences,
  renderDifferences,
  type DifferenceFilter,
  type DifferenceOptions,
} from "./show-differences";
import { showWidget } from "./show-widget";
import type { Widget } from "./widget";
import { column, dropdown, html, row, toggleButtons, type Choice } from "./widgets";

/** What is compared at first, and in the static form. */
export interface CompareOptions extends DifferenceOptions {
  methods: readonly [string, string];
}

/** The value of a choice that filters nothing. */
const ALL = "";

/** Choices of the confusions among the differences, most frequent first, all of them before. */
function pairChoices(
  rows: readonly PredictionRow[],
  methods: readonly [string, string],
  filter: DifferenceFilter,
): Choice[] {
  const wrong = filteredDifferences(rows, methods, filter).map((one) =>
    one.right === "first" ? one.second : one.first,
  );
  return [
    { label: "all", value: ALL },
    ...countConfusions(wrong, namesByDomain(rows)).map(({ truth, answer, count }) => ({
      label: `${truth} → ${answer} (${count})`,
      value: JSON.stringify({ truth, answer }),
    })),
  ];
}

const methodChoices = (methods: readonly string[]): Choice[] =>
  methods.map((method) => ({ label: methodFacts(method)?.label ?? method, value: method }));

/** The controls, and below them what they choose; `still` is that at first. */
function controls(rows: readonly PredictionRow[], options: CompareOptions, still: string): Widget {
  const { methods: wanted, ...rest } = options;
  const methods = [...new Set([...rows.map(({ method }) => method), ...wanted])].sort(compareMethods);
  const names = [...new Set(rows.map(({ ground_truth }) => ground_truth))].sort();
  const first = dropdown("Method", methodChoices(methods), { value: wanted[0] });
  const second = dropdown("beside", methodChoices(methods), { value: wanted[1] });
  const worlds = [
    { label: "both", value: ALL },
    { label: "closed", value: "closed" },
    { label: "open", value: "open" },
  ];
  const world = toggleButtons("World", worlds, { value: options.setting ?? ALL });
  const subcategory = dropdown("Truth", [{ label: "all", value: ALL }, ...names], {
    value: options.subcategory ?? ALL,
  });
  const pair = dropdown("Confusion", [{ label: "all", value: ALL }], { layout: { width: "28em" } });
  const page = html(still);

  const chosen = (): [string, string] => [first.value, second.value];
  const filter = (): DifferenceFilter => ({
    setting: world.value === ALL ? undefined : (world.value as Setting),
    subcategory: subcategory.value === ALL ? undefined : subcategory.value,
  });
  const listPairs = (): void => pair.setChoices(pairChoices(rows, chosen(), filter()));
  let drawing = 0;
  const draw = async (): Promise<void> => {
    const mine = ++drawing;
    const one = pair.value === ALL ? undefined : (JSON.parse(pair.value) as DifferenceFilter["pair"]);
    const drawn = await renderDifferences(rows, chosen(), { ...rest, ...filter(), pair: one });
    if (mine === drawing) page.set(drawn.html); // a later choice may have been drawn meanwhile
  };
  const listAndDraw = (): Promise<void> => {
    listPairs();
    return draw();
  };
  for (const control of [first, second, world, subcategory]) control.onChange(listAndDraw);
  pair.onChange(draw);
  listPairs();
  if (options.pair) pair.set(JSON.stringify({ truth: options.pair.truth, answer: options.pair.answer }));
  return column(row(first, second, world), row(subcategory, pair), page);
}

/**
 * Shows the questions on which two methods differ, with controls for the methods, the world, the true sub-category and
 * the confusion. Without a page that draws controls: as `showDifferences`.
 * @returns `close` takes the controls away
 * @throws Error where a choice of `options` is none of the rows'
 */
export async function compare(rows: readonly PredictionRow[], options: CompareOptions): Promise<Pick<Widget, "close">> {
  const { methods, ...rest } = options;
  const still = await renderDifferences(rows, methods, rest);
  const widget = controls(rows, options, still.html);
  showWidget(widget, { "text/html": still.html, "text/plain": still.text });
  return { close: () => widget.close() };
}
