/** The form of a scenario: a sentence, then blocks of commands and what they are answered. */

export interface Block {
  /** Several commands of one block begin at the same time. */
  readonly commands: readonly string[];
  readonly answer: readonly string[];
}

export interface Story {
  /** Lines that begin with `#`: the sentence, and what else there is to say. */
  readonly heading: readonly string[];
  readonly blocks: readonly Block[];
}

const divider = "----";

export function parseStory(text: string): Story {
  const paragraphs = text
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.split("\n").filter((line) => line.trim() !== ""))
    .filter((lines) => lines.length > 0);
  const [heading = [], ...rest] = paragraphs;
  if (!heading.every((line) => line.startsWith("#")))
    throw new Error("A scenario begins with # and a sentence.");
  return { heading, blocks: rest.map((lines) => parseBlock(lines)) };
}

function parseBlock(lines: readonly string[]): Block {
  const end = lines.indexOf(divider);
  if (end < 0) return { commands: lines, answer: [] };
  return { commands: lines.slice(0, end), answer: lines.slice(end + 1) };
}

export function formatStory({ heading, blocks }: Story): string {
  const paragraphs = blocks.map(({ commands, answer }) => [...commands, divider, ...answer].join("\n"));
  return `${[heading.join("\n"), ...paragraphs].join("\n\n")}\n`;
}
