/** What notebooks import: `import { … } from "./lib"`. One line for each module; docs/architecture.md has the map. */
export * from "./experiment/settings";
export * from "./experiment/load-settings";
export * from "./experiment/run-name";
export { openExperiment, variantOf } from "./experiment/open";
export type { CotResult, Experiment } from "./experiment/types";
export type { OnProgress, Watch } from "./experiment/stage";
export { cotData, trained } from "./experiment/cot";
export { sftModel } from "./experiment/sft";
export { rlBench, rlModel, rlPrompts, tripletsOf } from "./experiment/rl";
export { evaluate, evaluationQuestions, methodParams } from "./experiment/evaluate";
export { showAsk, type AskOptions } from "./experiment/ask";
export { openBenchmark } from "./benchmark/open";
export { closedOptions } from "./benchmark/options";
export { findSubcategories } from "./benchmark/find";
export { questionsOf } from "./benchmark/questions";
export { assertTrainable, fewShotImages } from "./benchmark/roles";
export { drawTriplets, type Triplet } from "./benchmark/triplets";
export { subcategoryOf, type Benchmark, type BenchmarkImage, type Question, type Subcategory } from "./benchmark/types";
export {
  METHODS,
  METHOD_NAMES,
  RL_METHODS,
  SFT_METHODS,
  type Method,
  type RlMethod,
  type SftMethod,
} from "./train/methods";
export {
  ablationTable,
  chooseVariants,
  FAMILIES,
  familiesOf,
  finishedVariants,
  printedAblations,
  publishAblations,
  readAblations,
  runSweep,
  VARIANTS,
  type AblationRow,
  type Variant,
} from "./experiment/ablations";
export { readStudy, type StudyResults } from "./experiment/study/read";
export { compile, engineStats } from "./engine/compile";
export { foldIn, random } from "./util/random";
export { isNative, nativeLoadError, tf, type Params } from "./engine/tensorflow";
export { disposeTree } from "./engine/tree";
export { loadAdapter, saveAdapter } from "./model/adapter";
export { loadModel, saveModel } from "./model/checkpoint";
export { PUBLISHED, publishedConfig, publishedConfigJson, publishedPreprocessorJson } from "./model/published";
export { parameterCount } from "./model/shapes";
export { paperPrompts, tinyPrompts } from "./benchmark/prompts";
export { loadProcessor } from "./processor/processor";
export { plannedPhases } from "./experiment/plan";
export * from "./plan";
export { initLora, mergeLora } from "./model/lora";
export { LORA_DEFAULTS, type LoraConfig } from "./model/lora-config";
export { usableWords } from "./cot/build";
export { conceptStatistics, selectConcepts } from "./cot/concepts";
export { compareCandidates, formatRationale, parseRationale } from "./cot/rationale";
export { domainQuestion, loadImage, measure } from "./benchmark/emoji-fgvr";
export * from "./benchmark/photographs";
export { readSharegpt, writeSharegpt, type SftRecord } from "./formats/sharegpt";
export { readStage1, stage1Problems, summariseStage1 } from "./formats/stage1";
export { answerRecords } from "./cot/answers";
export { specialTokenIn } from "./processor/special-tokens";
export { iterateStage2, readStage2, stage2Row, writeStage2, type Stage2Row } from "./formats/stage2";
export { generateText } from "./train/generate-text";
export { createTextGenerator } from "./rollout/text-generator";
export type { SftLog } from "./train/sft";
export { deck, makeGroup, scoreResponse, type Group, type RlPrompt } from "./rollout/groups";
export { groupAdvantages, keepGroup } from "./loss/advantages";
export { reward } from "./reward";
export { sampledScores, tokenScores, type TokenScores } from "./train/token-scores";
export { writtenGroup } from "./train/written-group";
export { savedGroups, type SavedGroup } from "./experiment/saved-groups";
export { showGroup } from "./experiment/show-group";
export { answerSpan, imageSaliency, type ImageSaliency, type SaliencyMap, type TokenSpan } from "./train/saliency";
export { sampleGroups } from "./train/rl-rollouts";
export { trainRl } from "./train/rl";
export type { RlLog } from "./train/rl-log";
export * from "./eval";
export type { ProbeRow } from "./eval/probes";
export { toLatex } from "./report/latex";
export { domainPivot, mcnemarTable, overviewTable, summaryTable, toMarkdown, withLabels } from "./report/tables";
export { ablationFigure, ablationOverviewFigure } from "./report/figures-ablations";
export { effectsFigure } from "./report/figures-study";
export { learningCurvesFigure, lossFigure, methodBarsFigure, RL_PANELS, seenUnseenFigure } from "./report/figures";
export {
  checkAverages,
  paperLong,
  paperSeenUnseenFigure,
  pivotSets,
  readPaperTable,
  runLong,
  type LongCell,
  type PaperRow,
} from "./report/paper";
export { publishContrastive, readPublished, readRunRows } from "./experiment/baselines/publish";
export { probesFigure } from "./report/probes-figure";
export { pretrainingCurve, publish, readLogs, readOwnResults, rlCurves } from "./experiment/publish";
export { besidePaper, besideTable, differencesFromPaper } from "./report/beside-paper";
export { describeExperiment, watched } from "./experiment/describe";
export { fineR1 } from "./report/command";
export { savePng } from "./report/image-strip";
export { repositoryRoot } from "./util/root";
export { compare, type CompareOptions } from "./report/compare";
export { differences, showDifferences } from "./report/show-differences";
export { showRollouts } from "./report/show-rollouts";
export { accuracyFigure } from "./report/figures-by";
export { changeInTraining, fallToUnseen, finding, showFindings } from "./report/findings";
export { showSaliency, type ShowSaliencyOptions } from "./report/show-saliency";
export { showText } from "./report/show-text";
export { showTriplet } from "./report/show-triplet";
export { exploreTable, type ExploreTableOptions } from "./report/explore-table";
export { showWidget } from "./report/show-widget";
export {
  button,
  checkbox,
  column,
  dropdown,
  fileUpload,
  html,
  image,
  intSlider,
  row,
  textBox,
  toggleButtons,
} from "./report/widgets";
export { showFigure, showImages, showMarkdown, showTable } from "./report/notebook";
export { progress, progressSeries } from "./report/progress";
export { interruptSignal, throwIfAborted, yieldToEventLoop } from "./util/abort";
