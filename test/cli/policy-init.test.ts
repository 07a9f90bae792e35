import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { tempDir } from "../support/views.ts";
import { cli } from "./harness.ts";

const PARAMETERS = { type: "object", properties: { id: { type: "string" } }, required: ["id"] };
const OPENAI = [{ type: "function", function: { name: "close", description: "Closes a ticket", parameters: PARAMETERS } }];
const MCP = {
  jsonrpc: "2.0",
  id: 1,
  result: { tools: [{ name: "read", description: "Reads", inputSchema: PARAMETERS, annotations: { title: "Read", readOnlyHint: true } }] },
};
const call = (name: string) => ({ id: `c-${name}`, type: "function", function: { name, arguments: '{"id": "1"}' } });
const RUNS = ["r1", "r2"]
  .map((id) =>
    JSON.stringify({
      run_id: id,
      messages: [
        { role: "user", content: "hi" },
        { role: "assistant", content: null, tool_calls: [call("close"), call("open")] },
      ],
    }),
  )
  .join("\n");

async function made(content: unknown, ...more: string[]) {
  const dir = tempDir();
  writeFileSync(join(dir, "in.json"), typeof content === "string" ? content : JSON.stringify(content));
  writeFileSync(join(dir, "tools.json"), JSON.stringify(OPENAI));
  const ended = await cli(["policy", "init", join(dir, "in.json"), ...more.map((word) => word.replace("DIR", dir))]);
  return { dir, ...ended, actions: ended.code === 0 ? (parse(ended.out) as { actions?: Record<string, Record<string, unknown>> } | null)?.actions : undefined };
}

const GATED = { reversibility: "irreversible", risk: "high", gate: { kind: "hard" } };

describe("policy init", () => {
  it("reads tools in OpenAI format, bare or under tools", async () => {
    for (const content of [OPENAI, { tools: OPENAI }, [{ name: "close", parameters: PARAMETERS }]])
      expect((await made(content)).actions).toMatchObject({ close: { arguments: PARAMETERS, ...GATED } });
  });

  it("reads the answer of an MCP server, with its hints, which lower nothing", async () => {
    expect((await made(MCP)).actions).toMatchObject({ read: { arguments: PARAMETERS, annotations: { readOnlyHint: true }, ...GATED } });
    expect((await made(MCP.result)).actions).toHaveProperty("read");
  });

  it("reads recorded runs: the tools that were called, with schemas where another file has them", async () => {
    const { actions } = await made(RUNS, "--tools", "DIR/tools.json");
    expect(actions).toMatchObject({ close: { arguments: PARAMETERS, ...GATED }, open: GATED });
    expect(actions?.open).not.toHaveProperty("arguments");
  });

  it("writes a file that lint and test take, and never over another one", async () => {
    const { dir, code, out } = await made(OPENAI, "--policy", "tickets", "--workspace", "support", "--owner", "role:lead", "-o", "DIR/tickets.yaml");
    expect([code, out.replaceAll(dir, "DIR")]).toEqual([
      0,
      expect.stringMatching(/^DIR\/tickets.yaml gates 1 tool\. Next: .* policy lint DIR\/tickets.yaml\n$/),
    ]);
    expect(parse(readFileSync(join(dir, "tickets.yaml"), "utf8"))).toMatchObject({ policy: "tickets", workspace: "support", owner: "role:lead" });
    expect(await cli(["policy", "lint", join(dir, "tickets.yaml"), "--strict"])).toMatchObject({ code: 0 });
    expect(await cli(["policy", "init", join(dir, "in.json"), "-o", join(dir, "tickets.yaml")])).toMatchObject({
      code: 2,
      err: expect.stringContaining("There is a "),
    });
    expect(await cli(["policy", "init", join(dir, "in.json"), "-o", join(dir, "no/t.yaml")])).toMatchObject({
      code: 2,
      err: expect.stringContaining("cannot be written"),
    });
  });

  it("gives one object with --json", async () => {
    const { out } = await made(OPENAI, "--json");
    expect(JSON.parse(out)).toMatchObject({ policy: "starting", workspace: "default", actions: ["close"], document: expect.stringContaining("close:") });
  });

  it.each([
    ["a file with nothing in it", "", "in.json"],
    ["no tools", [], "names no tool"],
    ["a tool without a name", [{ name: "a" }, { parameters: {} }], "tool 2 has no name"],
    ["the same tool twice", [{ name: "a" }, { name: "a" }], "described twice"],
    ["a tool that is a glob", [{ name: "db_*" }], "would be read as a glob"],
    ["neither tools nor runs", { some: "thing" }, "in.json"],
  ])("refuses %s", async (_, content, message) => {
    const { code, err, dir } = await made(content, "-o", "DIR/out.yaml");
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) });
    expect(existsSync(join(dir, "out.yaml"))).toBe(false);
  });

  it("refuses names that no document may have, before it writes anything", async () => {
    expect(await made(OPENAI, "--owner", "roel:lead")).toMatchObject({ code: 2, err: expect.stringContaining('did you mean "role:lead"') });
    expect(await made(OPENAI, "--workspace", "two words")).toMatchObject({ code: 2, err: expect.stringContaining("must be a name of letters") });
  });
});
