import { expect, test } from "vitest";
import { escapeControls, escapeInJson, printable } from "../../src/cli/printable.js";

test("what could move the cursor, forge a line or turn the writing around is escaped", () => {
  expect(printable("a\u001b[2Jb")).toBe("a\\u{1b}[2Jb");
  expect(printable("a\nengram-lock: got it\r\u0085\u2028")).toBe(
    "a\\nengram-lock: got it\\u{d}\\u{85}\\u{2028}",
  );
  expect(printable("a\u202Eb\u2066c")).toBe("a\\u{202e}b\\u{2066}c");
  expect(escapeControls("a\ud800b")).toBe("a\\u{d800}b");
});

test("other text is left alone, in any language", () => {
  expect(printable("Größe 日本語 👩‍🚀 a/b c")).toBe("Größe 日本語 👩‍🚀 a/b c");
});

test("long text is shortened by whole characters", () => {
  expect(printable("🔒".repeat(300))).toBe(`${"🔒".repeat(255)}…`);
  expect(printable("abcdef", 4)).toBe("abc…");
});

test("JSON stays the same JSON", () => {
  const value = { reason: "a\u001b\u0085\u202E\u2028 ü" };
  const text = escapeInJson(JSON.stringify(value, undefined, 2));
  expect(JSON.parse(text)).toEqual(value);
  expect(text).toBe('{\n  "reason": "a\\u001b\\u0085\\u202e\\u2028 ü"\n}');
});
