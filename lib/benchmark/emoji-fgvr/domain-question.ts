/** What is asked about a drawing. */
import type { Domain } from "./types";

const QUESTIONS: Readonly<Record<Domain, string>> = {
  mammal: "What mammal is this?",
  creature: "What animal is this?",
  food: "What food or drink is this?",
  vehicle: "What vehicle is this?",
  flag: "Which country has this flag?",
  clothing: "What clothing or accessory is this?",
  face: "Which face is this?",
  hand: "Which gesture or body part is this?",
  person: "What is this person?",
  plant: "What plant is this?",
  sky: "What in the sky is this?",
  place: "What place is this?",
  leisure: "What sport, game or feast is this?",
  sound: "What of music or sound is this?",
  device: "What device is this?",
  office: "What in an office is this?",
  tool: "What tool or household item is this?",
  sign: "What sign is this?",
};

/** The question asked of every image of a domain. */
export function domainQuestion(domain: Domain): string {
  const question = QUESTIONS[domain];
  if (!question) throw new Error(`no question for domain "${domain}": known are ${Object.keys(QUESTIONS).join(", ")}`);
  return question;
}
