/** Facts below a sentence, one a line: a word and what it says. */

/** A word of at most nine letters, and text that is safe to print. */
export type Fact = readonly [word: string, text: string];

export function facts(lines: readonly Fact[]): string[] {
  return lines.map(([word, text]) => `    ${word.padEnd(9)} ${text}`.trimEnd());
}
