import process from "node:process";
import { defineConfig } from "vitest/config";

/** The tests of the manager that run in this process, and not for long. */
export default defineConfig({
  test: {
    include:
      process.env["MUTATION_ROUND"] === "1"
        ? ["test/manager/parts/**/*.test.ts"]
        : ["test/scenarios/**/*.test.ts", "test/manager/**/*.test.ts"],
    exclude: ["test/manager/load.test.ts", "test/manager/random-run.test.ts"],
    // Not those that run what is built, which is not mutated, and not those that take seconds.
    testNamePattern: /^(?!.*(over the wire|A process that uses a manager|thousand|random run))/,
    testTimeout: 60_000,
    restoreMocks: true,
  },
});
