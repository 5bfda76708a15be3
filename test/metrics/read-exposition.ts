/** Reads Prometheus text back into numbers. */

/** The values by series, each written as in the text: `name{label="value"}`. */
export function readExposition(text: string): Map<string, number> {
  const series = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    const name = line.slice(0, space);
    if (series.has(name)) throw new Error(`The series ${name} is there twice`);
    series.set(name, Number(line.slice(space + 1)));
  }
  return series;
}
