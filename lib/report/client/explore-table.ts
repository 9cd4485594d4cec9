/**
 * What a table of `exploreTable` does in the page: sort, filter, group. It is written into each table's output, without
 * its types and comments. It reads the table that stands there, and touches nothing outside it.
 */

/** The table's own; put in where the output is made. Empty for all tables of a page. */
declare const EXPLORE_ID: string;

/** Columns with at most so many values can be chosen from and grouped by. */
const FEW = 12;

interface Line {
  row: HTMLTableRowElement;
  texts: string[];
  /** All of its text, for the filter. */
  folded: string;
}

interface Group {
  label: string;
  lines: Line[];
  /** By column; NaN where it has none. */
  means: number[];
}

const collator = new Intl.Collator("en", { numeric: true });
const fold = (text: string): string => text.normalize("NFKC").toLowerCase();

function make<K extends keyof HTMLElementTagNameMap>(tag: K, text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function numberOf(cell: HTMLTableCellElement): number {
  const text = cell.dataset.n ?? cell.textContent ?? "";
  return text === "" ? NaN : Number(text);
}

function mean(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((a, b) => a + b, 0) / known.length;
}

function meanText(value: number): string {
  if (Number.isNaN(value)) return "";
  return value !== 0 && Math.abs(value) < 0.01 ? String(Number(value.toPrecision(3))) : value.toFixed(3);
}

/** Numbers by size, then text; what is missing comes last in both directions. */
function compare(a: number | string, b: number | string, sign: number): number {
  const [noA, noB] = [a, b].map((value) => value === "" || Number.isNaN(value));
  if (noA || noB) return Number(noA) - Number(noB);
  return sign * (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b)));
}

function explore(root: HTMLElement): void {
  const table = root.querySelector("table")!;
  const body = table.tBodies[0];
  const heads = [...table.tHead!.rows[0].cells];
  const names = heads.map((head) => head.textContent ?? "");
  const numeric = heads.map((head) => head.classList.contains("n"));
  const lines = [...body.rows].map((row): Line => {
    const texts = [...row.cells].map((cell) => cell.textContent ?? "");
    return { row, texts, folded: fold(texts.join("\n")) };
  });
  /** In the order of the rows: who made the table knows in which order its methods are. */
  const valuesOf = (column: number): string[] => [...new Set(lines.map(({ texts }) => texts[column]))];
  const choosable = heads.flatMap((head, column) => {
    const count = valuesOf(column).length;
    return !head.dataset.image && count > 1 && count <= FEW && 2 * count <= lines.length ? [column] : [];
  });

  let sorted = { column: -1, sign: 1 };
  let wanted = "";
  let groupBy = -1;
  const chosen = new Map<number, string>();
  const open = new Set<string>();

  const controls = make("div");
  controls.className = "controls";
  const status = make("span");
  status.setAttribute("role", "status");

  const keyOf = (line: Line): number | string =>
    numeric[sorted.column] ? numberOf(line.row.cells[sorted.column]) : line.texts[sorted.column];
  const inOrder = (some: Line[]): Line[] =>
    sorted.column < 0 ? some : [...some].sort((a, b) => compare(keyOf(a), keyOf(b), sorted.sign));

  const groupsOf = (some: Line[]): Group[] => {
    const groups = valuesOf(groupBy).flatMap((label): Group[] => {
      const own = some.filter(({ texts }) => texts[groupBy] === label);
      const means = heads.map((_, c) => (numeric[c] ? mean(own.map(({ row }) => numberOf(row.cells[c]))) : NaN));
      return own.length > 0 ? [{ label, lines: own, means }] : [];
    });
    if (sorted.column < 0) return groups;
    const key = ({ label, means }: Group): number | string =>
      numeric[sorted.column] && sorted.column !== groupBy ? means[sorted.column] : label;
    return sorted.column === groupBy || numeric[sorted.column]
      ? groups.sort((a, b) => compare(key(a), key(b), sorted.sign))
      : groups;
  };

  /** A group's line: its value and count, which opens and closes it, and the means of the columns of numbers. */
  const groupRow = ({ label, lines: own, means }: Group): HTMLTableRowElement => {
    const row = make("tr");
    row.className = "group";
    means.forEach((value, c) => {
      const cell = row.insertCell();
      if (c === groupBy) return;
      if (numeric[c]) cell.className = "n";
      cell.textContent = meanText(value);
      if (!Number.isNaN(value)) cell.title = `mean of ${names[c]}`;
    });
    const button = make("button", `${label || "(empty)"}: ${own.length} row${own.length === 1 ? "" : "s"}`);
    button.type = "button";
    button.setAttribute("aria-expanded", String(open.has(label)));
    button.addEventListener("click", () => {
      if (!open.delete(label)) open.add(label);
      draw();
      // the line was made anew
      [...body.querySelectorAll<HTMLButtonElement>(".group button")].find((b) => b.dataset.label === label)?.focus();
    });
    button.dataset.label = label;
    row.cells[groupBy].append(button);
    return row;
  };

  function draw(): void {
    const shown = lines.filter(
      ({ texts, folded }) => folded.includes(wanted) && [...chosen].every(([column, value]) => texts[column] === value),
    );
    const groups = groupBy < 0 ? [] : groupsOf(shown);
    const rows =
      groupBy < 0
        ? inOrder(shown).map(({ row }) => row)
        : groups.flatMap((group) => [
            groupRow(group),
            ...(open.has(group.label) ? inOrder(group.lines).map(({ row }) => row) : []),
          ]);
    body.replaceChildren(...rows);
    const inGroups = groupBy < 0 ? "" : `, ${groups.length} group${groups.length === 1 ? "" : "s"} with means`;
    status.textContent = `${shown.length} of ${lines.length} rows${inGroups}`;
    heads.forEach((head, c) => {
      if (head.dataset.image) return;
      const direction = sorted.sign > 0 ? "ascending" : "descending";
      head.setAttribute("aria-sort", c === sorted.column ? direction : "none");
    });
  }

  heads.forEach((head, c) => {
    if (head.dataset.image) return;
    const button = make("button", names[c]);
    button.type = "button";
    button.addEventListener("click", () => {
      // upwards, downwards, as it came
      if (sorted.column !== c) sorted = { column: c, sign: 1 };
      else sorted = sorted.sign > 0 ? { column: c, sign: -1 } : { column: -1, sign: 1 };
      draw();
    });
    head.replaceChildren(button);
  });

  const labelled = <T extends HTMLElement>(text: string, control: T): T => {
    const label = make("label", `${text} `);
    label.append(control);
    control.setAttribute("aria-label", text); // the label's own text has that of all options
    controls.append(label, " ");
    return control;
  };
  const search = labelled("Filter", make("input"));
  search.type = "search";
  search.addEventListener("input", () => {
    wanted = fold(search.value.trim());
    draw();
  });
  const select = (text: string, none: string, options: string[], on: (index: number) => void): void => {
    const control = labelled(text, make("select"));
    control.append(make("option", none), ...options.map((option) => make("option", option || "(empty)")));
    control.addEventListener("change", () => {
      on(control.selectedIndex - 1);
      draw();
    });
  };
  for (const column of choosable) {
    const values = valuesOf(column);
    select(names[column], "all", values, (index) => {
      if (index < 0) chosen.delete(column);
      else chosen.set(column, values[index]);
    });
  }
  if (choosable.length > 0)
    select(
      "Group by",
      "nothing",
      choosable.map((column) => names[column]),
      (index) => {
        groupBy = index < 0 ? -1 : choosable[index];
        open.clear();
      },
    );
  controls.append(status);
  root.prepend(controls);
  // JupyterLab's shortcuts would take the keys: Enter, letters
  root.dataset.lmSuppressShortcuts = "true";
  draw();
}

const own = EXPLORE_ID === "" ? "[data-explore]" : `[data-explore="${EXPLORE_ID}"]`;
for (const root of document.querySelectorAll<HTMLElement>(own)) {
  if (root.dataset.ready) continue; // an output that is shown twice, or run again
  root.dataset.ready = "true";
  explore(root);
}
