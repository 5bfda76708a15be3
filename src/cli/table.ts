/** Tables without lines, as `ls` and `ps` have them. */
import type { Paint } from "./output.js";

/** Rows of cells that are safe to print, under their titles. */
export async function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Paint,
): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const lines = new Table({
    head: titles.map((title) => paint.dim(title)),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 3 },
    chars: borderless,
  });
  lines.push(...rows.map((row) => [...row]));
  return lines
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

const borderless = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};
