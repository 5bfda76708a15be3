// Prints the result of a test run as one plain line, the last of the output: "N passed, N failed".

import type { Reporter, SerializedError, TestModule } from "vitest/node";

/**
 * Counts tests, plus as failures what never became one: a file that could not
 * be loaded, a hook that failed, and an error that no test caught.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        if (state === "passed" || state === "failed" || state === "skipped") count[state] += 1;
        else count.failed += 1;
      }
      count.failed += module.errors().length;
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
    }
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : "";
    // Not at once: the default reporter writes its own summary in the same step.
    process.once("exit", () => {
      process.stdout.write(`\n${count.passed} passed, ${count.failed} failed${skipped}\n`);
    });
  }
}
