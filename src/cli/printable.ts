/** Text from elsewhere, made safe for a terminal. */

const maxLength = 256;
/** Control characters, line and paragraph separators, and what turns the direction of writing around. */
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Escapes what could move the cursor or forge a line, and shortens what is longer than `length` characters. */
export function printable(text: string, length: number = maxLength): string {
  const characters = Array.from(text);
  const shown = characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
  return escapeControls(shown);
}

/** The same without shortening. */
export function escapeControls(text: string): string {
  return text.replace(unsafe, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** The same for JSON text, where such characters can stand only in strings; JSON itself escapes those below U+0020. */
export function escapeInJson(json: string): string {
  return json.replace(unsafe, (character) =>
    character === "\n" ? character : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}
