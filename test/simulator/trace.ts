/** What happened in a run, in the words of the scenarios: commands, faults, and what was answered. */

interface Line {
  readonly at: number;
  readonly kind: "command" | "fault" | "answer" | "detail";
  readonly text: string;
}

export class Trace {
  private readonly lines: Line[] = [];
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  note(kind: Line["kind"], text: string): void {
    this.lines.push({ at: this.now(), kind, text });
  }

  /** Every line, with its time: the same in every run of the same seed. */
  whole(): string {
    return this.lines.map(({ at, kind, text }) => `${at.toFixed(3)} ${kind}: ${text}\n`).join("");
  }

  /** As a scenario: what is commanded stands before what it led to, and faults before what they hit. */
  story(): string {
    const blocks: string[] = [];
    let began = 0;
    for (const moment of this.moments()) {
      const texts = (kind: Line["kind"]): string[] =>
        moment.filter((line) => line.kind === kind).map((line) => line.text);
      const at = moment[0]!.at;
      const passed = at - began > 0.001 ? [`time passes ${Math.round((at - began) * 1000) / 1000}ms`] : [];
      began = at;
      const answers = texts("answer");
      const said = answers.length === 0 ? ["nothing happens"] : answers;
      blocks.push([...texts("fault"), ...passed, ...texts("command"), "----", ...said].join("\n"));
    }
    return `${blocks.join("\n\n")}\n`;
  }

  private moments(): Line[][] {
    const moments: Line[][] = [];
    for (const line of this.lines) {
      if (line.kind === "detail") continue;
      const last = moments.at(-1);
      if (last !== undefined && line.at - last[0]!.at < 0.001) last.push(line);
      else moments.push([line]);
    }
    return moments;
  }
}
