/** Mutation tests of the rules about locks, and of what the manager does around a commit. Run by `npm run mutation`. */
export default {
  plugins: ["@stryker-mutator/vitest-runner"],
  testRunner: "vitest",
  vitest: { configFile: "tools/mutation/vitest.config.ts" },
  mutate: [
    "src/core/**/*.ts",
    "src/manager/{acquire-call,aftermath,batch,failures,happenings,pipeline,planner,store-clock,waiting-commands,waiting-room}.ts",
  ],
  coverageAnalysis: "perTest",
  concurrency: 2,
  timeoutMS: 10_000,
  timeoutFactor: 3,
  // What a text says is for the tests of the faces.
  mutator: { excludedMutations: ["StringLiteral"] },
  tempDirName: ".cache/mutation",
  reporters: ["progress-append-only", "clear-text", "html", "json"],
  htmlReporter: { fileName: ".cache/mutation.html" },
  jsonReporter: { fileName: ".cache/mutation.json" },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  thresholds: { high: 95, low: 90, break: 90 },
};
