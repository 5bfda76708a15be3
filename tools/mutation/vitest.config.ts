import { defineConfig } from "vitest/config";

/** The tests that run without other processes and in virtual time: they say within seconds whether a mutant lives. */
export default defineConfig({
  test: {
    include: [
      "test/core/**/*.test.ts",
      "test/scenarios/**/*.test.ts",
      "test/model/core-model.test.ts",
      "test/manager/**/*.test.ts",
    ],
    exclude: ["test/manager/load.test.ts", "test/manager/random-run.test.ts"],
    testTimeout: 15_000,
    restoreMocks: true,
  },
});
