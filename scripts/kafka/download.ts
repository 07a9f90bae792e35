import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What is fetched from Maven Central. A new version gets a new folder in the cache. */
export const VERSIONS = { kafka: "4.1.1", log4j: "2.25.2", apicurio: "2.6.13.Final" } as const;

/** Where the jars lie. */
export interface Jars {
  /** Class path of the broker. */
  readonly kafka: string;
  /** The registry's runnable jar. */
  readonly registry: string;
}

const REGISTRY_JAR = `apicurio-registry-app-${VERSIONS.apicurio}-runner.jar`;

/** Folder for downloaded files and for data: COUNTERSIGN_CACHE, or `.cache/kafka` in the repository. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.COUNTERSIGN_CACHE || join(import.meta.dirname, "../../.cache/kafka"));
}

/** Why the Java way cannot be gone on this machine, as a sentence, or null when it can. */
export async function whyNoJava(): Promise<string | null> {
  const java = await run("java", ["-version"]).catch(() => undefined);
  if (java === undefined) return "there is no Java here";
  const version = Number(/version "(\d+)/.exec(java)?.[1] ?? 0);
  if (version < 17) return `Kafka ${VERSIONS.kafka} needs Java 17, this is Java ${version}`;
  if (await isComplete(cacheFolder())) return null;
  const maven = await run("mvn", ["-version"]).catch(() => undefined);
  return maven === undefined ? "there is no Maven here to download Kafka with" : null;
}

/** Downloads what is not yet in the cache (200 MB, once). `say` hears what takes long. */
export async function ensureJars(say: (line: string) => void, cache = cacheFolder()): Promise<Jars> {
  await mkdir(cache, { recursive: true });
  if (!(await isComplete(cache))) {
    await withLock(join(cache, "download.lock"), async () => {
      if (!existsSync(kafkaFolder(cache))) {
        say(`downloading Kafka ${VERSIONS.kafka} from Maven Central (45 MB, once)`);
        await downloadInto(cache, kafkaFolder(cache), downloadKafka);
      }
      if (!existsSync(registryFolder(cache))) {
        say(`downloading the Apicurio registry ${VERSIONS.apicurio} from Maven Central (142 MB, once)`);
        await downloadInto(cache, registryFolder(cache), downloadRegistry);
      }
    });
  }
  return { kafka: join(kafkaFolder(cache), "*"), registry: join(registryFolder(cache), REGISTRY_JAR) };
}

const kafkaFolder = (cache: string) => join(cache, `kafka-${VERSIONS.kafka}`);
const registryFolder = (cache: string) => join(cache, `apicurio-${VERSIONS.apicurio}`);

async function isComplete(cache: string): Promise<boolean> {
  return existsSync(kafkaFolder(cache)) && existsSync(registryFolder(cache));
}

/** A folder gets its final name only when it is whole, so a broken download is never taken for a good one. */
async function downloadInto(cache: string, target: string, download: (folder: string) => Promise<void>): Promise<void> {
  const unfinished = await mkdtemp(join(cache, "unfinished-"));
  try {
    await download(unfinished);
    await rename(unfinished, target);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function downloadKafka(folder: string): Promise<void> {
  const dependency = (group: string, name: string, version: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`;
  const pom = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>countersign</groupId><artifactId>development-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependency("org.apache.kafka", "kafka_2.13", VERSIONS.kafka)}
    ${dependency("org.apache.logging.log4j", "log4j-slf4j-impl", VERSIONS.log4j)}
  </dependencies>
</project>
`;
  const pomFile = join(folder, "pom.xml");
  await writeFile(pomFile, pom);
  await maven(["-f", pomFile, "dependency:copy-dependencies", `-DoutputDirectory=${folder}`]);
}

async function downloadRegistry(folder: string): Promise<void> {
  await maven(["dependency:copy", `-Dartifact=io.apicurio:apicurio-registry-app:${VERSIONS.apicurio}:tar.gz:all`, `-DoutputDirectory=${folder}`]);
  const archive = join(folder, `apicurio-registry-app-${VERSIONS.apicurio}-all.tar.gz`);
  await run("tar", ["-xzf", archive, "-C", folder]);
  await rm(archive);
  await stat(join(folder, REGISTRY_JAR));
}

async function maven(args: string[]): Promise<void> {
  try {
    await run("mvn", ["-B", "-q", ...args]);
  } catch (error) {
    const lines = String(error instanceof Error ? error.message : error)
      .trim()
      .split("\n");
    throw new Error(
      `Maven could not download what the broker needs. Its last lines:\n  ${lines.slice(-8).join("\n  ")}\nCheck that Maven Central can be reached (a mirror goes into ~/.m2/settings.xml), or set KAFKA_BROKERS and SCHEMA_REGISTRY_URL to use a broker of your own.`,
    );
  }
}

/** Runs a command to its end; what it printed, on both streams. */
export function run(command: string, args: string[]): Promise<string> {
  return new Promise((done, fail) => {
    execFile(command, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error) fail(new Error(`${command} failed: ${error.message}\n${stdout}${stderr}`, { cause: error }));
      else done(stdout + stderr);
    });
  });
}

/** Runs `work` while holding a lock that other processes respect. A lock whose holder is dead is taken over. */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const holder = join(folder, "pid");
  for (;;) {
    try {
      await mkdir(folder);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const pid = Number(await readFile(holder, "utf8").catch(() => "0"));
      const age =
        Date.now() -
        (await stat(folder).then(
          (s) => s.mtimeMs,
          () => Date.now(),
        ));
      const dead = pid > 0 ? !isAlive(pid) : age > 10_000;
      // The rename makes one of several waiting processes the one that removes the dead lock.
      if (dead)
        await rename(folder, `${folder}.${process.pid}`).then(
          () => rm(`${folder}.${process.pid}`, { recursive: true }),
          () => undefined,
        );
      else await sleep(200);
    }
  }
  await writeFile(holder, String(process.pid));
  try {
    return await work();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
