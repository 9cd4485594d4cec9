/** What is asked about a drawing. */
import type { Domain } from "./types";

const QUESTIONS: Readonly<Record<Domain, string>> = {
  mammal: "What mammal is this?",
  creature: "What animal is this?",
  food: "What food or drink is this?",
  vehicle: "What vehicle is this?",
  flag: "Which country has this flag?",
  clothing: "What clothing or accessory is this?",
};

/** The question asked of every image of a domain. */
export function domainQuestion(domain: Domain): string {
  const question = QUESTIONS[domain];
  if (!question) throw new Error(`no question for domain "${domain}": known are ${Object.keys(QUESTIONS).join(", ")}`);
  return question;
}
