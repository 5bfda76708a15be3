/** What the mutation tests of both parts have in common. Run by `npm run mutation`. */

/**
 * @param {"core" | "manager"} part
 * @param {readonly string[]} mutate
 */
export function partOf(part, mutate) {
  return {
    plugins: ["@stryker-mutator/vitest-runner"],
    testRunner: "vitest",
    vitest: { configFile: `tools/mutation/${part}.vitest.config.ts` },
    mutate,
    coverageAnalysis: "perTest",
    // What was found out before and is touched by nothing since is not found out again.
    incremental: true,
    incrementalFile: `.cache/mutation-${part}-known.json`,
    concurrency: 2,
    timeoutMS: 20_000,
    timeoutFactor: 4,
    // What a text says is for the tests of the faces.
    mutator: { excludedMutations: ["StringLiteral"] },
    tempDirName: `.cache/mutation-${part}`,
    reporters: ["progress-append-only", "clear-text", "html", "json"],
    htmlReporter: { fileName: `.cache/mutation-${part}.html` },
    jsonReporter: { fileName: `.cache/mutation-${part}.json` },
    clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
    thresholds: { high: 95, low: 90, break: 90 },
  };
}
