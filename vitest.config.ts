import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["node_modules/**", "dist/**", ".bench/**", ".sim/**", "tools/**"],
    reporters: ["default", "./test/reporter.ts"],
    testTimeout: 15_000,
    hookTimeout: 30_000,
    teardownTimeout: 5_000,
    restoreMocks: true,
    coverage: { include: ["src/**"] },
  },
});
