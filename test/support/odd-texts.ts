/** Texts for fuzzing: right paths, agents and words among wrong ones. */
export const oddTexts = [
  "/a",
  "/a/b",
  "/",
  "",
  "..",
  "/a//b",
  "__proto__",
  "a\0",
  "\ud800",
  "x".repeat(2_000),
  "ann",
  "bob",
  "tree",
  "shared",
] as const;
