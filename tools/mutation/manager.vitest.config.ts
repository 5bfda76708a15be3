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
    testNamePattern: /^(?!.*over the wire)/,
    testTimeout: 60_000,
    restoreMocks: true,
  },
});
