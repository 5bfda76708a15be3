/** Times as text. Those of one batch are mostly the same, and to spell one costs as much as to parse a whole message. */

const remembered = [
  { ms: Number.NaN, text: "" },
  { ms: Number.NaN, text: "" },
];
let oldest = 0;

/** RFC 3339 in UTC. */
export function isoOf(time: Date): string {
  const ms = time.getTime();
  for (const one of remembered) if (one.ms === ms) return one.text;
  const text = time.toISOString();
  remembered[oldest] = { ms, text };
  oldest = 1 - oldest;
  return text;
}
