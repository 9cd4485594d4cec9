/** Tables of texts with separated values, as pandas writes and reads them: quotes where needed, doubled inside. */

/** A row by the names of its columns. */
export type TextRow = Record<string, string>;

/** A field; quoted where it has to be. */
function field(text: string, separator: string): string {
  return text.includes(separator) || /["\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** A table with a line of names above it. */
export function separatedText(columns: readonly string[], rows: readonly TextRow[], separator = "\t"): string {
  const line = (values: readonly string[]): string => values.map((value) => field(value, separator)).join(separator);
  return [columns, ...rows.map((row) => columns.map((name) => row[name] ?? ""))]
    .map((one) => `${line(one)}\n`)
    .join("");
}

/** Lines of fields: a quoted field may have line breaks in it. @throws Error where a quote is not closed */
export function separatedFields(text: string, separator = "\t"): string[][] {
  const lines: string[][] = [];
  let fields: string[] = [];
  let i = text.startsWith("\ufeff") ? 1 : 0;
  while (i < text.length) {
    let value = "";
    if (text[i] === '"') {
      const begun = i++;
      for (;;) {
        const end = text.indexOf('"', i);
        if (end < 0) throw new Error(`a quote that opens at character ${begun + 1} is not closed`);
        value += text.slice(i, end);
        i = end + 1;
        if (text[i] !== '"') break;
        value += '"';
        i++;
      }
    }
    let end = i;
    while (end < text.length && text[end] !== separator && text[end] !== "\n") end++;
    fields.push(value + text.slice(i, end).replace(/\r$/, ""));
    i = end + 1;
    if (text[end] !== separator) {
      lines.push(fields);
      fields = [];
    } else if (i >= text.length) fields.push("");
  }
  if (fields.length > 0) lines.push(fields);
  return lines.filter((line) => line.length > 1 || line[0] !== "");
}

/** Lines of fields as rows: the first names the columns. @throws Error where a line has more fields than that */
export function rowsOf([names, ...lines]: readonly (readonly string[])[]): TextRow[] {
  if (names === undefined) return [];
  return lines.map((line, i) => {
    if (line.length > names.length)
      throw new Error(`line ${i + 2} has ${line.length} fields, the first names ${names.length}`);
    return Object.fromEntries(names.map((name, k) => [name, line[k] ?? ""]));
  });
}
