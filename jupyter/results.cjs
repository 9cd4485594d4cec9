/** The value that a cell ends in, as text of bounded length. */
"use strict";
const util = require("node:util");

const LINES = 40;
const CHARACTERS = 10_000;

const plural = (count, what) => `${count.toLocaleString("en-US")} more ${what}${count === 1 ? "" : "s"}`;

/** At most 40 lines and 10,000 characters of a text, the last line saying how much is left out. */
function shorten(text) {
  const lines = text.split("\n");
  if (lines.length > LINES) {
    const kept = lines.slice(0, LINES - 1);
    return shorten([...kept, `… ${plural(lines.length - kept.length, "line")}`].join("\n"));
  }
  if (text.length <= CHARACTERS) return text;
  const end = /\n… [\d,]+ more lines?$/.exec(text)?.[0] ?? "";
  const kept = text.slice(0, CHARACTERS - end.length);
  return `${kept} … ${plural(text.length - end.length - kept.length, "character")}${end}`;
}

/** Text as it is, anything else as Node shows it: five levels deep, 100 items of a list. */
function resultText(value) {
  if (typeof value === "string") return shorten(value);
  return shorten(util.inspect(value, { depth: 4, maxArrayLength: 100, maxStringLength: 2000, breakLength: 100 }));
}

module.exports = { resultText };
