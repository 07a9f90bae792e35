/** No Docker engine runs these files here, so they are read and compared with the code instead. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { VERSIONS } from "../../scripts/kafka/download.ts";
import { parseLogUrl } from "../../src/log/url.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const manifest = JSON.parse(read("package.json")) as { bin: { countersign: string }; files: string[]; devDependencies: { node: string } };

interface Service {
  image: string;
  build?: string;
  environment?: Record<string, string | number>;
  entrypoint?: string[];
  command?: string[];
  ports?: string[];
  volumes?: string[];
  restart?: string;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
}
const compose = parse(read("docker-compose.yml"), { merge: true }) as { services: Record<string, Service>; volumes: Record<string, unknown> };
const service = (name: string): Service => {
  const found = compose.services[name];
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
};

interface Instruction {
  word: string;
  rest: string;
}
/** The stages of the Dockerfile, each with its instructions in order; comments gone, continued lines joined. */
const stages: Instruction[][] = [];
for (const line of read("Dockerfile")
  .replace(/^#.*\n/gm, "")
  .replace(/\\\n\s*/g, "")
  .split("\n")) {
  const [, word, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
  if (word === "FROM") stages.push([]);
  if (word && rest) stages.at(-1)?.push({ word, rest });
}
const build = stages[0] ?? [];
const final = stages.at(-1) ?? [];
const all = (stage: Instruction[], word: string) => stage.filter((i) => i.word === word).map((i) => i.rest);
const list = (stage: Instruction[], word: string) => JSON.parse(all(stage, word)[0] ?? "null") as string[];

/** What `countersign WORDS --help` prints. */
const help = (words: string[]) => execFileSync(process.execPath, [join(root, "bin/countersign.js"), ...words, "--help"], { encoding: "utf8" });

/** The flags that a command line names but the command's help does not. */
function unknownFlags(args: string[]): string[] {
  const flags = args.filter((a) => a.startsWith("--"));
  const words = args.slice(
    0,
    args.findIndex((a) => a.startsWith("--")),
  );
  const text = help(words);
  return flags.filter((flag) => !new RegExp(`${flag}\\b`).test(text));
}

describe("the Dockerfile", () => {
  it("uses one Node image, of the major version that package.json tests with", () => {
    const images = stages.map((stage) => all(stage, "FROM")[0]?.split(" ")[0]);
    expect(images).toHaveLength(2);
    expect(new Set(images).size).toBe(1);
    expect(images[0]).toMatch(new RegExp(`^node:${manifest.devDependencies.node.split(".")[0]}-[a-z]+-slim$`));
  });

  it("copies only what is in the repository and let through by .dockerignore", () => {
    const passed = read(".dockerignore")
      .split("\n")
      .filter((l) => l.startsWith("!"))
      .map((l) => l.slice(1));
    const copied = stages.flatMap((stage) => all(stage, "COPY").filter((c) => !c.startsWith("--from"))).flatMap((c) => c.split(" ").slice(0, -1));
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(copied.filter((path) => !passed.includes(path))).toEqual([]);
    expect(passed.filter((path) => !copied.includes(path))).toEqual([]);
  });

  it("brings everything that the package brings", () => {
    const copied = all(final, "COPY").flatMap((c) => c.split(" ").slice(0, -1));
    expect(manifest.files.filter((f) => !copied.includes(f) && !copied.includes(`/app/${f}`))).toEqual([]);
  });

  it("runs no install script, and leaves the development dependencies behind", () => {
    const installs = stages.flatMap((stage) => all(stage, "RUN")).flatMap((run) => run.match(/npm ci[^&]*/g) ?? []);
    expect(installs.length).toBeGreaterThan(0);
    expect(installs.filter((i) => !i.includes("--ignore-scripts"))).toEqual([]);
    // The final stage copies node_modules from the build stage: the last install there decides what is inside.
    expect(all(build, "RUN").at(-1)).toContain("npm ci --omit=dev");
  });

  it("does not run as root, and owns the folder that it keeps data in", () => {
    const user = final.findIndex((i) => i.word === "USER");
    expect(final[user]?.rest).toBe("node");
    expect(final.slice(user).some((i) => i.word === "RUN")).toBe(false);
    expect(all(final, "RUN").join(" ")).toContain("chown node:node /data");
    expect(all(final, "VOLUME")).toEqual(["/data"]);
  });

  it("starts the package's binary, with flags that the command has", () => {
    expect(list(final, "ENTRYPOINT")).toEqual(["countersign"]);
    expect(all(final, "RUN").join(" ")).toContain(`ln -s /app/${manifest.bin.countersign} /usr/local/bin/countersign`);
    expect(statSync(join(root, manifest.bin.countersign)).mode & 0o111).toBe(0o111);
    const command = list(final, "CMD");
    expect(command[0]).toBe("up");
    expect(unknownFlags(command)).toEqual([]);
    expect(parseLogUrl(command[command.indexOf("--log") + 1] ?? "")).toMatchObject({ kind: "sqlite", dir: "/data" });
  });

  it("exposes the port that `up` listens on", () => {
    expect(all(final, "EXPOSE")).toEqual(["4680"]);
    expect(help(["up"])).toContain("4680");
  });

  it("calls a container healthy that answers /healthz with 200, and no other", async () => {
    const check = JSON.parse(/CMD (.*)$/.exec(all(final, "HEALTHCHECK")[0] ?? "")?.[1] ?? "null") as string[];
    expect(check.slice(0, 2)).toEqual(["node", "-e"]);
    expect(check[2]).toContain("http://127.0.0.1:4680/healthz");
    let status = 200;
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const script = (check[2] ?? "").replace("4680", String((server.address() as AddressInfo).port));
    const run = () => runScript(script);
    expect(await run()).toBe(0);
    status = 503;
    expect(await run()).toBe(1);
    await new Promise((resolve) => server.close(resolve));
    expect(await run()).toBe(1);
    expect(asked).toEqual(["/healthz", "/healthz"]);
  });
});

describe("docker-compose.yml", () => {
  const environment = service("kafka").environment ?? {};
  const listeners = (name: string) =>
    Object.fromEntries(
      String(environment[name])
        .split(",")
        .map((l) => l.split("://") as [string, string]),
    );

  it("runs the broker and the registry in the versions that the tests run", () => {
    expect(service("kafka").image).toBe(`apache/kafka:${VERSIONS.kafka}`);
    expect(service("registry").image).toBe(`apicurio/apicurio-registry-kafkasql:${VERSIONS.apicurio}`);
  });

  it("gives Countersign a log URL whose broker and registry are services at those ports", () => {
    const command = service("countersign").command ?? [];
    const url = parseLogUrl(command[command.indexOf("--log") + 1] ?? "");
    if (url.kind !== "kafka") throw new Error("not a Kafka log");
    expect(url.brokers).toEqual([listeners("KAFKA_ADVERTISED_LISTENERS").INTERNAL]);
    expect(url.brokers[0]).toBe(`kafka${listeners("KAFKA_LISTENERS").INTERNAL}`);
    const registry = new URL(url.registry);
    expect(registry.hostname).toBe("registry");
    expect(registry.pathname).toBe("/apis/ccompat/v7");
    expect(service("registry").ports?.[0]?.split(":").at(-1)).toBe(registry.port);
    expect(service("registry").environment?.KAFKA_BOOTSTRAP_SERVERS).toBe(url.brokers[0]);
    expect(service("setup").environment?.LOG_URL).toBe(url.text);
  });

  it("runs one KRaft node whose listeners agree with each other", () => {
    expect(environment.KAFKA_PROCESS_ROLES).toBe("broker,controller");
    const names = Object.keys(listeners("KAFKA_LISTENERS"));
    const protocols = String(environment.KAFKA_LISTENER_SECURITY_PROTOCOL_MAP)
      .split(",")
      .map((p) => p.split(":")[0]);
    expect(protocols.sort()).toEqual(names.sort());
    const controller = String(environment.KAFKA_CONTROLLER_LISTENER_NAMES);
    expect(environment.KAFKA_CONTROLLER_QUORUM_VOTERS).toBe(`${environment.KAFKA_NODE_ID}@kafka${listeners("KAFKA_LISTENERS")[controller]}`);
    expect(Object.keys(listeners("KAFKA_ADVERTISED_LISTENERS")).sort()).toEqual(names.filter((n) => n !== controller).sort());
    expect(Object.keys(listeners("KAFKA_ADVERTISED_LISTENERS"))).toContain(environment.KAFKA_INTER_BROKER_LISTENER_NAME);
    expect(Buffer.from(String(environment.CLUSTER_ID), "base64url")).toHaveLength(16);
  });

  it("lets nothing but `topics apply` make a topic, since a topic made by chance has one partition", () => {
    expect(environment.KAFKA_AUTO_CREATE_TOPICS_ENABLE).toBe("false");
    const lines = (service("setup").command?.[0] ?? "").trim().split("\n");
    const commands = lines.map((line) => line.split(/\s+/).slice(1));
    expect(commands.map((c) => c.slice(0, 2).join(" "))).toEqual(["topics apply", "schemas apply"]);
    expect(commands.flatMap(unknownFlags)).toEqual([]);
    expect(compose.services.countersign?.depends_on?.setup?.condition).toBe("service_completed_successfully");
  });

  it("starts `up` with flags that the command has, on the port that it publishes, for this machine only", () => {
    const command = service("countersign").command ?? [];
    expect(unknownFlags(command)).toEqual([]);
    expect(command[command.indexOf("--port") + 1]).toBe("4680");
    const ports = Object.values(compose.services).flatMap((s) => s.ports ?? []);
    expect(ports).toContain("127.0.0.1:4680:4680");
    expect(ports.filter((p) => !p.startsWith("127.0.0.1:"))).toEqual([]);
    expect(new Set(ports.map((p) => p.split(":")[1])).size).toBe(ports.length);
  });

  it("refers only to services and volumes that it declares", () => {
    for (const [name, { depends_on = {}, volumes = [], image }] of Object.entries(compose.services)) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect(compose.services, name).toHaveProperty(other);
        if (condition === "service_healthy") expect(service(other).healthcheck, other).toBeDefined();
      }
      for (const volume of volumes) expect(compose.volumes, name).toHaveProperty(volume.split(":")[0] ?? "");
      expect(image, name).toMatch(/:[^:]+$/);
      expect(image, name).not.toContain("latest");
    }
  });
});

/** Exit code of a script, run beside this process's event loop so that its own server can answer. */
async function runScript(script: string): Promise<number | null> {
  const child = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
  return new Promise((resolve) => child.once("exit", resolve));
}
