import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadPolicy } from "../../src/policy/document/loaded.ts";
import { lintPolicy } from "../../src/policy/lint/lint.ts";
import { coverageOf } from "../../src/policy/testing/coverage.ts";
import { isTestFile, parseTests } from "../../src/policy/testing/file.ts";
import { mutationScore } from "../../src/policy/testing/mutation.ts";
import { runCases } from "../../src/policy/testing/run.ts";
import { read } from "./helpers.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const files = globSync(["policies/*.yaml", "examples/*/policy.yaml"], { cwd: root })
  .filter((file) => !isTestFile(file))
  .sort();

describe("the policies that are shipped", () => {
  it("are the starter, one for each of six workflows, and the airline", () => {
    expect(files.map((file) => file.replace("policies/", ""))).toEqual([
      "examples/airline/policy.yaml",
      "crm-update.yaml",
      "database-migration.yaml",
      "deploy.yaml",
      "refunds.yaml",
      "starter.yaml",
      "support-email.yaml",
      "vulnerability-fix.yaml",
    ]);
  });

  describe.each(files)("%s", (file) => {
    const policy = loadPolicy(read(file), file, read);
    const tests = file.replace(".yaml", ".policytest.yaml");
    const { cases } = parseTests(read(tests), tests);
    const results = runCases([policy.compiled], cases);

    it("does what its cases say, and they show every part of it from both sides", () => {
      expect(results.flatMap(({ test, misses }) => misses.map((miss) => [test.name, miss]))).toEqual([]);
      expect(coverageOf(policy, results).parts.filter(({ matched, notMatched, hasOther }) => matched === 0 || (hasOther && notMatched === 0))).toEqual([]);
    });

    it("has nothing that lint would warn of", () => {
      expect(lintPolicy(read(file), file, read).findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    });

    it("has cases that notice at least 90 of 100 mistakes", () => {
      const { score, total } = mutationScore(policy, [{ policies: [policy], cases }]);
      expect(total).toBeGreaterThan(20);
      expect(score).toBeGreaterThanOrEqual(90);
    }, 60_000);
  });
});
