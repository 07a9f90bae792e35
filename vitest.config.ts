import { defineConfig } from "vitest/config";

// biome-ignore lint/style/noDefaultExport: vitest reads the configuration from the default export
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Starts nothing by itself: it only gives the test files that need Kafka one broker to share.
    globalSetup: ["test/support/kafka-global.ts"],
    setupFiles: ["test/support/property-seed.ts"],
    // Child processes, not threads: a crash in a native module ends one file, and kafkajs and SQLite never share a process.
    pool: "forks",
    // Vitest leaves one core free, which on a machine of two makes everything wait for everything.
    maxWorkers: "100%",
    testTimeout: 30_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
  },
});
