import { describe, expect, it } from "vitest";
import { escapeLatex, toLatex } from "../../lib/report/latex";
import type { TableRow } from "../../lib/report/tables";

describe("LaTeX tables", () => {
  it("have booktabs rules, numbers on the right, a dash for what is missing", () => {
    const rows: TableRow[] = [
      { method: "CoT SFT", "open %": 36.3, "95 %": "36.3 [30.7, 42.4]" },
      { method: "n1_n2", "95 %": "1" },
    ];
    expect(toLatex(rows)).toBe(
      [
        "\\begin{tabular}{llr}",
        "\\toprule",
        "method & open \\% & 95 \\% \\\\",
        "\\midrule",
        "CoT SFT & 36.3 & 36.3 [30.7, 42.4] \\\\",
        "n1\\_n2 & - & 1 \\\\",
        "\\bottomrule",
        "\\end{tabular}",
        "",
      ].join("\n"),
    );
  });

  it("hold names as text, whatever their characters", () => {
    expect(escapeLatex("\\input{x} 50 % & #1 _a ^ ~ $y$ <b> ±1 −2\n3")).toBe(
      "\\textbackslash{}input\\{x\\} 50 \\% \\& \\#1 \\_a \\textasciicircum{} \\textasciitilde{} \\$y\\$ $<$b$>$ $\\pm$1 $-$2 3",
    );
  });
});
