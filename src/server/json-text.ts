/** JSON from the network: strict about everything that parsers disagree on. */
import { badBody } from "./http-refusal.js";

/** The messages of this API nest three deep. */
const maxDepth = 16;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws LockError `invalid` that says what is wrong and repeats nothing of the input. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  if (text.startsWith("\ufeff")) throw badBody("JSON without a byte order mark");
  if (depthOf(text) > maxDepth) throw badBody(`JSON nested at most ${maxDepth} deep`);
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    throw badBody("well-formed JSON");
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw badBody("JSON in well-formed UTF-8");
  }
}

/** The deepest nesting of arrays and objects, counted before anything recursive sees the text. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === "\\") i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === "}" || character === "]") depth--;
  }
  return deepest;
}
