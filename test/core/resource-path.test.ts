import { describe, expect, test } from "vitest";
import {
  isAtOrBelow,
  maxPathBytes,
  maxPathSegments,
  parseResourcePath,
  storedPath,
  typeOf,
  utf8Length,
} from "../../src/core/resource-path.js";

function spelling(given: string): string | undefined {
  const parsed = parseResourcePath(given);
  return parsed.ok ? parsed.resource.path : undefined;
}

describe("one resource has one spelling", () => {
  test.each([
    ["/repo/src/a.ts", "/repo/src/a.ts"],
    ["repo/src/a.ts", "/repo/src/a.ts"],
    ["/repo/", "/repo"],
    ["/", "/"],
    ["a", "/a"],
    // Composed and decomposed letters are the same letters.
    ["/cafe\u0301", "/caf\u00e9"],
    ["/\u1112\u1161\u11ab", "/\ud55c"],
    ["/\u212b", "/\u00c5"],
  ])("%j is %j", (given, path) => {
    expect(spelling(given)).toBe(path);
  });

  test.each(["/repo/src/a.ts", "repo/", "/cafe\u0301", "/"])("the spelling of %j is its own", (given) => {
    const once = spelling(given)!;
    expect(spelling(once)).toBe(once);
  });
});

describe("what only looks alike stays apart", () => {
  test.each([
    ["capitals", "/Readme", "/readme"],
    ["a slash that is percent-encoded", "/a%2Fb", "/a/b"],
    ["a backslash", "/a\\b", "/a/b"],
    ["a slash of full width", "/a\uff0fb", "/a/b"],
    ["names from the prototype of objects", "/__proto__", "/constructor"],
    ["a dot within a name", "/a/.b", "/a/b"],
    ["three dots", "/a/...", "/a"],
    ["a space", "/a ", "/a"],
  ])("%s", (_what, one, other) => {
    expect(spelling(one)).toBe(one);
    expect(spelling(other)).toBe(other);
    expect(one).not.toBe(other);
  });
});

describe("refused is", () => {
  test.each([
    ["nothing at all", ""],
    ["an empty segment", "/a//b"],
    ["an empty segment at the beginning", "//a"],
    ["two slashes at the end", "/a//"],
    ["only slashes", "//"],
    ["a dot segment", "/a/./b"],
    ["a dot segment at the end", "/a/."],
    ["a step up", "/a/../b"],
    ["a step up at the beginning", ".."],
    ["NUL", "/a\u0000b"],
    ["a line feed", "/a\nb"],
    ["a carriage return", "/a\rb"],
    ["a tab", "/a\tb"],
    ["delete", "/a\u007fb"],
    ["a C1 control", "/a\u0085b"],
    ["a line separator", "/a\u2028b"],
    ["a lone high surrogate", "/a\ud800b"],
    ["a lone low surrogate", "/a\udc00b"],
    ["text that is reordered on the screen", "/a\u202eb"],
    ["an isolated direction", "/a\u2066b"],
    ["a direction mark", "/a\u200fb"],
    ["a mebibyte", `/${"a".repeat(1024 * 1024)}`],
    ["ten thousand segments", "/a".repeat(10_000)],
  ])("%s", (_what, given) => {
    const parsed = parseResourcePath(given);
    expect(parsed.ok).toBe(false);
    expect(parsed.ok ? "" : parsed.allowed).not.toBe("");
  });
});

describe("limits count what is stored", () => {
  test("1024 bytes are the most", () => {
    expect(spelling(`/${"a".repeat(maxPathBytes - 1)}`)).toHaveLength(maxPathBytes);
    expect(spelling(`/${"a".repeat(maxPathBytes)}`)).toBeUndefined();
    // The slash that is added counts as well.
    expect(spelling("a".repeat(maxPathBytes))).toBeUndefined();
  });

  test("what is far too long is refused before it is looked at", () => {
    const parsed = parseResourcePath("\n".repeat(maxPathBytes + 1));
    expect(parsed).toEqual({ ok: false, allowed: "at most 1024 bytes" });
  });

  test("bytes are counted in UTF-8", () => {
    expect(spelling(`/${"é".repeat(511)}`)).toBeDefined();
    expect(spelling(`/${"é".repeat(512)}`)).toBeUndefined();
    expect(spelling(`/${"😀".repeat(255)}`)).toBeDefined();
    expect(spelling(`/${"😀".repeat(256)}`)).toBeUndefined();
  });

  test("32 segments are the most", () => {
    expect(spelling("/a".repeat(maxPathSegments))).toBeDefined();
    expect(spelling("/a".repeat(maxPathSegments + 1))).toBeUndefined();
  });

  const ofEachLength = ["", "a", "é", "€", "😀", "a😀é€"];
  const atTheirEnds = [
    "\u007f",
    "\u0080",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\u{10000}",
    "\u{10ffff}",
  ];

  test.each([...ofEachLength, ...atTheirEnds])("%j has as many bytes as when encoded", (text) => {
    expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
  });
});

describe("a path knows", () => {
  test("the paths above it, the nearest first and the root last", () => {
    expect(storedPath("/a/b/c").ancestors).toEqual(["/a/b", "/a", "/"]);
    expect(storedPath("/a").ancestors).toEqual(["/"]);
    expect(storedPath("/").ancestors).toEqual([]);
  });

  test("its type, which is the first segment", () => {
    expect(storedPath("/builds/7/log").type).toBe("builds");
    expect(storedPath("/builds").type).toBe("builds");
    expect(storedPath("/").type).toBe("/");
    expect(["/", "/builds", "/builds/7"].map(typeOf)).toEqual(["/", "builds", "builds"]);
  });

  test.each(["/", "/a", "/a/b", "/a/b/c"])("the same of %s, parsed or read back", (path) => {
    expect(parseResourcePath(path)).toEqual({ ok: true, resource: storedPath(path) });
  });

  test("what stands at or below it, by whole segments", () => {
    expect(isAtOrBelow("/a/b", "/a")).toBe(true);
    expect(isAtOrBelow("/a", "/a")).toBe(true);
    expect(isAtOrBelow("/a", "/")).toBe(true);
    expect(isAtOrBelow("/", "/")).toBe(true);
    expect(isAtOrBelow("/ab", "/a")).toBe(false);
    expect(isAtOrBelow("/a", "/a/b")).toBe(false);
    expect(isAtOrBelow("/", "/a")).toBe(false);
  });
});
