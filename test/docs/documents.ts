/** The documents of the repository, and what tests look at in them: code blocks, tables, headings, links. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../", import.meta.url));

/** Relative to the repository, such as `docs/model.md`. */
export const documents: readonly string[] = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...readNames("docs"),
].toSorted();

function readNames(folder: string): string[] {
  return readdirSync(`${repository}${folder}`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`);
}

export function readDocument(name: string): string {
  return readFileSync(`${repository}${name}`, "utf8");
}

export interface CodeBlock {
  readonly language: string;
  /** The words behind the language, such as `continued`. */
  readonly info: string;
  readonly code: string;
  /** Of the line with the fence, counted from 1. */
  readonly line: number;
  /** The heading that it stands under. */
  readonly heading: string;
}

export function codeBlocks(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let heading = "";
  let open: { language: string; info: string; line: number; lines: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    if (open !== undefined) {
      if (line === "```") {
        blocks.push({ ...open, code: open.lines.join("\n"), heading });
        open = undefined;
      } else open.lines.push(line);
      continue;
    }
    const fence = /^```(\w*) ?(.*)$/.exec(line);
    if (fence !== null) open = { language: fence[1] ?? "", info: fence[2] ?? "", line: index + 1, lines: [] };
    heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
  }
  if (open !== undefined) throw new Error(`The code block in line ${open.line} is not closed.`);
  return blocks;
}

/** The text with its code blocks blanked, so that nothing in them is taken for prose. */
export function prose(text: string): string {
  return text.replace(/^```.*$[^]*?^```$/gm, (block) => block.replace(/[^\n]/g, ""));
}

/** The cells of the table under a heading, without its two first lines. */
export function tableUnder(text: string, heading: string): string[][] {
  const lines = prose(text).split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (start < 0) throw new Error(`There is no heading "${heading}".`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 1)) {
    if (/^#+ /.test(line) || (rows.length > 0 && !line.startsWith("|"))) break;
    if (line.startsWith("|")) rows.push(cellsOf(line));
  }
  if (rows.length < 3) throw new Error(`There is no table under "${heading}".`);
  return rows.slice(2);
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf("|"))
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

/** What stands in backticks. */
export function codeSpans(text: string): string[] {
  return [...prose(text).matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? "");
}

/** As GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of prose(text).matchAll(/^#+ (.*)$/gm)) {
    const plain = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "");
    anchors.add(plain.replaceAll(" ", "-"));
  }
  return anchors;
}

export function linksOf(text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
}

/** A pattern of what is expected, in which `…` stands for anything within a line. */
export function expected(text: string): RegExp {
  const parts = text.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join("[^\\n]*")}$`);
}
