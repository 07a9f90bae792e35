/** What must hold so that `npm ci && npm start` works on a machine whose own Node is older. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  hasInstallScript?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}
interface Manifest {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
  engines: { node: string };
}

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");
const manifest = JSON.parse(read("package.json")) as Manifest;
const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, Locked> };
const names = Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length));

describe("package.json", () => {
  it("names every dependency by one exact version", () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  it("brings a Node that is new enough for itself", () => {
    const [major = 0, minor = 0] = manifest.devDependencies.node?.split(".").map(Number) ?? [];
    expect(manifest.engines.node).toBe(">=22.18");
    expect(major > 22 || (major === 22 && minor >= 18)).toBe(true);
  });

  it("says of every package with an install script whether it may run", () => {
    const withScripts = Object.entries(packages).filter(([, p]) => p.hasInstallScript);
    const unsaid = withScripts.map(([path]) => path.replace(/^.*node_modules\//, "")).filter((name) => !(name in manifest.allowScripts));
    expect(unsaid).toEqual([]);
  });

  it("has the version that the binary's check names", () => {
    expect(read("bin/countersign.js")).toContain("const needed = [22, 18];");
  });
});

describe("package-lock.json", () => {
  it("was made from this package.json", () => {
    expect(packages[""]?.dependencies).toEqual(manifest.dependencies);
    expect(packages[""]?.devDependencies).toEqual(manifest.devDependencies);
  });

  it("holds the package of every platform, without which `npm ci` refuses the lock file", () => {
    const missing = Object.values(packages).flatMap((p) => Object.keys(p.optionalDependencies ?? {}).filter((name) => !names.includes(name)));
    expect(missing).toEqual([]);
  });

  it("pins the content of every package, and no place to fetch it from", () => {
    const entries = Object.entries(packages).filter(([path]) => path !== "");
    expect(entries.filter(([, p]) => !p.integrity).map(([path]) => path)).toEqual([]);
    expect(entries.filter(([, p]) => p.resolved).map(([path]) => path)).toEqual([]);
  });
});
