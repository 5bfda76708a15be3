import process from "node:process";
import { defineConfig } from "vitest/config";

/** The tests that say within seconds whether a mutant of the core lives: pure, or in virtual time, and in this process. */
export default defineConfig({
  test: {
    include:
      process.env["MUTATION_ROUND"] === "1"
        ? ["test/core/**/*.test.ts"]
        : ["test/core/**/*.test.ts", "test/scenarios/**/*.test.ts", "test/model/core-model.test.ts"],
    testNamePattern: /^(?!.*over the wire)/,
    testTimeout: 60_000,
    restoreMocks: true,
  },
});
