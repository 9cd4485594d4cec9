/** One line per cell: updated in place on a terminal, printed when it changes elsewhere. */

/** `mm:ss`, or `h:mm:ss` from one hour on. */
export function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const two = (n: number): string => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

/** Where lines go; `process.stdout` is one. */
export interface Output {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/** Seconds between two signs of life of a running cell where lines cannot be updated in place. */
const HEARTBEAT_SECONDS = 30;

/** The line of the running cell. */
export class ProgressLines {
  private line: { label: string; title: string; note: string; begun: number; printed: number } | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly output: Output = process.stdout) {}

  /** Begins a line, `label` being "03-tapo  cell 5/14". */
  start(label: string, title: string): void {
    const now = Date.now();
    this.line = { label, title, note: "", begun: now, printed: now };
    this.timer ??= setInterval(() => this.tick(), 500);
    this.draw();
  }

  /** Shows how far the running cell is. */
  note(text: string): void {
    if (this.line) this.line.note = text.split("\n")[0].trim();
  }

  /** Ends the running line, which stays. */
  end(mark = ""): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    if (!this.line) return;
    const text = this.text(false) + mark;
    this.output.write(this.output.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`);
    this.line = null;
  }

  /** Prints text above the running line. */
  print(text: string): void {
    if (this.output.isTTY && this.line) this.output.write("\r\x1b[2K");
    this.output.write(text.endsWith("\n") ? text : `${text}\n`);
    this.draw();
  }

  private text(withNote: boolean): string {
    if (!this.line) return "";
    const { label, title, note, begun } = this.line;
    return `${label}  ${clock(Date.now() - begun)}  ${title}${withNote && note !== "" ? `  ${note}` : ""}`;
  }

  private draw(): void {
    if (!this.output.isTTY || !this.line) return;
    const text = this.text(true);
    const width = (this.output.columns ?? 80) - 1;
    this.output.write(`\r\x1b[2K${text.length > width ? `${text.slice(0, width - 1)}…` : text}`);
  }

  private tick(): void {
    if (this.output.isTTY) return this.draw();
    if (this.line && Date.now() - this.line.printed >= HEARTBEAT_SECONDS * 1000) {
      this.line.printed = Date.now();
      this.output.write(`${this.text(true)}\n`);
    }
  }
}
