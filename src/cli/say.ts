/** Words on stderr. */
import process from "node:process";

/** `engram-lock: ` and the text, whose further lines are expected to be indented. */
export function say(text: string): void {
  process.stderr.write(`engram-lock: ${endedLine(text)}`);
}

export function endedLine(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
