import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import { detected, isCard, isIban, isPhone } from "../../src/evals/redact/detectors.ts";
import { nothingHidden, type Redaction, redactor } from "../../src/evals/redact/redactor.ts";
import { transcriptOf } from "../../src/evals/redact/transcript.ts";
import { bucketOf, type FieldRule, treatmentOf } from "../../src/evals/redact/treatment.ts";
import { TARGETS } from "../../src/evals/targets/table.ts";
import { canonicalize, type Json } from "../../src/events/canonical.ts";
import { policyItemId } from "../../src/events/ids.ts";
import { TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";
import { transcript } from "./story.ts";

const redacted = (messages: Json, redaction: Redaction, rules: readonly FieldRule[]) => {
  const found = transcriptOf(messages, () => rules);
  found.learn(redaction);
  return found.redacted(redaction);
};

const hide = (text: string) => detected(text, (kind) => `<${kind}>`);

describe("detectors", () => {
  test.each([
    ["pay 4111 1111 1111 1111 now", "pay <card> now"],
    ["card 378282246310005.", "card <card>."],
    ["4111-1111-1111-1111 12/26", "<card> 12/26"],
    ["two: 4111111111111111, 5500005555555559", "two: <card>, <card>"],
    ["IBAN CH93 0076 2011 6238 5295 7 please", "IBAN <iban> please"],
    ["de89370400440532013000", "<iban>"],
    ["write to Ann.Lee+x@mail.example.co.uk!", "write to <email>!"],
    ["jürgen@müller.de", "<email>"],
    ["call +41 44 668 18 00 or (415) 555-2671", "call <phone> or <phone>"],
    ["0041446681800", "<phone>"],
    ["tel 044 668 18 00", "tel <phone>"],
    ["0044 20 7946 0958", "<phone>"],
    ["card 4111\u00a01111\u00a01111\u00a01111", "card <card>"],
    ["4111\u20111111\u20111111\u20111111", "<card>"],
    ["4111_1111_1111_1111 and 4111111111111111_x", "<card> and <card>_x"],
    ["iban_DE89370400440532013000", "iban_<iban>"],
    ["CH93\u00a00076\u00a02011\u00a06238\u00a05295\u00a07", "<iban>"],
  ])("%s becomes %s", (text, after) => expect(hide(text)).toBe(after));

  test.each([
    "4111 1111 1111 1112",
    "order 1234567890123456",
    "2024-05-20 and 2024-05-21T10:00:00Z",
    "timestamp 1700000000000",
    "CH93 0076 2011 6238 5295 8",
    "flight HAT136 on May 20, payment credit_card_4421486",
    "amount 1250.75 of 3 at 10:30",
    "a@b",
    "0192f3a4-5b6c-7d8e-9f01-234567890abc",
    "00000000-0000-4000-8000-000000000001",
    "05-15-2024",
    "2024-05-15 2024-05-16",
    "from 05/15/2024 to 15.05.2024",
    "order 0012345678",
  ])("%s stays", (text) => expect(hide(text)).toBe(text));

  test("checksums decide, not looks", () => {
    expect([isCard("4111111111111111"), isCard("4111111111111112"), isIban("GB82WEST12345698765432"), isIban("GB82WEST12345698765433")]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect([isPhone("+41446681800"), isPhone("2024-05-20")]).toEqual([true, false]);
  });

  test("half a megabyte of digits, letters or signs takes linear time", () => {
    for (const text of ["4".repeat(500_000), "a1".repeat(250_000), "4 ".repeat(250_000), "a@".repeat(250_000), "+1".repeat(250_000)]) {
      const begun = process.cpuUsage();
      hide(text);
      expect(process.cpuUsage(begun).user / 1e6).toBeLessThan(10);
    }
  }, 90_000);
});

describe("treatments", () => {
  test("the most careful rule that covers a path counts, and a path covers its descendants", () => {
    const rules = [
      { path: "/a", treatment: "pseudonym" },
      { path: "/a/b", treatment: "drop" },
      { path: "", treatment: "keep" },
    ] as const;
    expect(["/a", "/a/b/c", "/ab", "/a/c"].map((path) => treatmentOf(path, rules))).toEqual(["pseudonym", "drop", "keep", "pseudonym"]);
  });

  test.each([
    [0, "0"],
    [7, "5..10"],
    [1250.5, "1000..2000"],
    ["-30", "-50..-20"],
    ["2024-05-20", "2024-05"],
    ["Ann", "[masked]"],
  ])("the bucket of %s is %s", (value, bucket) => expect(bucketOf(value)).toBe(bucket));

  test("a pseudonym is the same for the same value, key and workspace, and another for another", () => {
    const rules = [{ path: "/n", treatment: "pseudonym" }] as const;
    const hidden = nothingHidden();
    const of = (key: string, workspace: string, n: string) => (redactor("strict", key, hidden)(workspace).args({ n }, rules) as { n: string }).n;
    expect(of("k", "w", "Ann")).toBe(of("k", "w", "Ann"));
    expect(new Set([of("k", "w", "Ann"), of("k2", "w", "Ann"), of("k", "v", "Ann"), of("k", "w", "Bob")]).size).toBe(4);
  });

  test("what a classified field holds is hidden in every other text of the row", () => {
    const redaction = redactor("strict", "k", nothingHidden())("w");
    redaction.args({ customer: "mia_li_3668" }, [{ path: "/customer", treatment: "mask" }]);
    expect(redaction.text("Refund for mia_li_3668, please")).toBe("Refund for [masked], please");
  });

  const fresh = () => redactor("strict", "k", nothingHidden())("w");
  const MASK = [
    { path: "/pin", treatment: "mask" },
    { path: "/who", treatment: "mask" },
  ] as const;

  test("what a classified field holds is hidden in fields before it too", () => {
    expect(fresh().args({ body: "Dear Zebedee Quux", who: "Zebedee Quux" }, MASK)).toEqual({ body: "Dear [masked]", who: "[masked]" });
  });

  test("of two texts of which one holds the other nothing stays", () => {
    const redaction = fresh();
    redaction.args({ who: "Zoë Müller", pin: "Zoë Müller-9931" }, MASK);
    expect(redaction.text("Zoë Müller has Zoë Müller-9931")).toBe("[masked] has [masked]");
  });

  test("a text is found as JSON writes it, with its escapes", () => {
    const redaction = fresh();
    redaction.args({ who: 'Zoë "Zed" Müller\nBasel' }, MASK);
    expect(redaction.text(JSON.stringify({ said: 'Zoë "Zed" Müller\nBasel' }))).toBe('{"said":"[masked]"}');
    expect(redaction.text('{"said": "Zo\\u00eb \\"Zed\\" M\\u00fcller\\nBasel"}')).toBe('{"said": "[masked]"}');
  });

  test.each([
    ["of OpenAI", (args: string) => ({ role: "assistant", tool_calls: [{ id: "1", type: "function", function: { name: "msg", arguments: args } }] })],
    ["of OpenAI before tools", (args: string) => ({ role: "assistant", function_call: { name: "msg", arguments: args } })],
    ["of LangChain", (args: string) => ({ type: "ai", tool_calls: [{ name: "msg", args: JSON.parse(args) as Json, id: "1" }] })],
    ["of Anthropic", (args: string) => ({ role: "assistant", content: [{ type: "tool_use", name: "msg", input: JSON.parse(args) as Json }] })],
  ])("earlier calls %s are treated by class, and so is what was said of them", (_, message) => {
    const messages = [{ role: "user", content: "my pin is hunter2-secret" }, message('{"pin":"hunter2-secret","n":1}')];
    const out = JSON.stringify(redacted(messages, fresh(), MASK));
    expect(out).not.toContain("hunter2");
    expect(out).toContain("[masked]");
    expect(JSON.parse(out)).toHaveLength(2);
  });

  test.each(['{"pin":"hunter2-secret","n":12345678901234567890}', '{"pin":"a","pin":"hunter2-secret"}', '{"pin":"hunter2-secret","n":'])(
    "arguments that are not strict JSON hide no less: %s",
    (args) => {
      const messages = [{ role: "assistant", tool_calls: [{ function: { name: "msg", arguments: args } }] }];
      expect(JSON.stringify(redacted(messages, fresh(), MASK))).not.toContain("hunter2");
    },
  );
});

const POLICY = `
policy: pay
workspace: w
owner: role:lead
actions:
  bank/pay:
    arguments: { type: object, properties: { free: {}, person: {}, secret: {}, masked: {}, deep: {} } }
    reversibility: reversible
    risk: high
    fields:
      /person: { class: personal }
      /secret: { class: secret }
      /masked: { export: mask }
      /deep: { class: personal }
`;

test("the manifest and the card hide persons and what is recognised, and a transcript that was changed has no hash", async () => {
  const script = await Script.open();
  const args = { amount: 1 };
  const late = await script.judge(await script.propose("late", args), "interrupt", {
    owner: "person:alice.smith@corp.example",
    expiresAt: 2,
    ladder: [{ step: 1, at: 1, to: "role:boss", page: false }],
  });
  await script.decide(late, "expire", { actor: { kind: "clock", id: "clock" }, seen: null });
  for (const [key, text] of [
    ["plain", "Pay the bill"],
    ["phone", "Call +41 44 668 18 00"],
  ] as const)
    await script.decide(await script.judge(await script.propose(key, args, { transcript: transcript(text) }), "interrupt"), "reject", {
      reasonCodes: ["see_jo@example.com"],
    });
  const folder = mkdtempSync(join(tmpdir(), "countersign-manifest-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const manifest = await exportDataset(folder, "jsonl", { log: script.log, codec: script.codec, key: TEST_KEY });
  expect(manifest.insights.timeouts.owners).toEqual([{ what: expect.stringMatching(/^person-[0-9a-f]{12}$/), count: 1 }]);
  for (const file of ["manifest.json", "README.md", "reviewed-examples.jsonl"])
    expect(readFileSync(join(folder, file), "utf8")).not.toMatch(/alice|jo@example|668 18/);
  const rows = readFileSync(join(folder, "reviewed-examples.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(rows.map((row) => [JSON.stringify(row.context.messages).includes("phone-"), row.context.sha256 === null]).sort()).toEqual([
    [false, false],
    [true, true],
  ]);
});

/** Things that must not leave, wherever they stand. */
const anywhere = fc.constantFrom("4111 1111 1111 1111", "378282246310005", "GB82 WEST 1234 5698 7654 32", "mole.canary@secret.example", "+41 44 668 18 00");

test("planted canaries are in no file of any target, on either side of a pair", async () => {
  const folder = mkdtempSync(join(tmpdir(), "countersign-canary-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      anywhere,
      fc.array(fc.constantFrom("before ", "x, ", "(", "https://h/?q="), { maxLength: 2 }),
      fc.nat(1e6),
      async (canary, before, seed) => {
        const script = await Script.open();
        await script.append("policies", {
          itemId: policyItemId("w", "pay"),
          actor: { kind: "authority", id: "ci" },
          kind: "policy",
          policyId: "pay",
          version: "1",
          document: POLICY,
        });
        const name = `Canary Person ${seed}`;
        const text = `${before.join("")}${canary} and ${name}`;
        const args = { free: text, person: name, secret: `pin ${seed}`, masked: name, deep: { list: [{ who: name, mail: canary }] }, [`key ${canary}`]: 1 };
        const saw = transcript(text);
        const p = await script.propose("k", args, {
          actions: [{ actionId: "a", tool: "bank/pay", args: canonicalize(args), argsSha256: script.hash(args) }],
          intent: text,
          reasoning: text,
          evidence: [{ label: "order", value: text }],
          run: { framework: "test", threadId: `thread ${canary}`, ended: false },
          transcript: { ...saw, messages: saw.messages.replace("Nobody Known", name) },
        });
        const v = await script.judge(p, "interrupt", { because: [`${name} is new`], owner: "role:lead" });
        const after = { ...args, free: `${text}!`, deep: { list: [{ who: `${name} II`, mail: canary }] } };
        const e = await script.edit(v, after, { message: text });
        const grant = await script.resume(await script.judge(e, "batch"), "proceed_edited", after, {}, "bank/pay");
        await script.receipt(grant, "started");
        const receipt = await script.receipt(grant, "succeeded", { externalRef: { system: "bank", id: canary } });
        await script.decide(receipt, "report", { seen: null, message: text, incident: { severity: "low" } }, "reviewer.canary@secret.example");
        const no = await script.propose("no", args, {
          actions: [{ actionId: "a", tool: "bank/pay", args: canonicalize(args), argsSha256: script.hash(args) }],
        });
        await script.decide(await script.judge(no, "interrupt"), "reject", { message: text }, "reviewer.canary@secret.example");
        const found: string[] = [];
        for (const { name: target } of TARGETS) {
          const out = join(folder, String(run++), target);
          await exportDataset(out, target, { log: script.log, codec: script.codec, key: TEST_KEY });
          for (const file of globSync("**/*", { cwd: out, withFileTypes: true })) {
            if (!file.isFile() || file.name === "pay.yaml") continue;
            const content = readFileSync(join(file.parentPath, file.name), "latin1");
            const bare = canary.replaceAll(" ", "");
            for (const planted of [canary, bare, name, `pin ${seed}`, "reviewer.canary"])
              if (content.includes(planted)) found.push(`${target}/${file.name}: ${planted}`);
          }
        }
        expect(found).toEqual([]);
      },
    ),
    { numRuns: 6 },
  );
}, 120_000);

test("where the newest document of a policy cannot be read, strict masks every argument, and the manifest names the document", async () => {
  const folder = mkdtempSync(join(tmpdir(), "countersign-unread-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const script = await Script.open();
  const policy = { itemId: policyItemId("w", "pay"), actor: { kind: "authority", id: "ci" }, kind: "policy", policyId: "pay" };
  await script.append("policies", { ...policy, version: "1", document: POLICY });
  await script.append("policies", { ...policy, version: "2", document: "policy: pay\nof_a_later_version: true\n" });
  await script.decide(await script.judge(await script.propose("k", { n: "Ada", m: 5 }), "interrupt"), "reject");
  const manifest = await exportDataset(folder, "jsonl", { log: script.log, codec: script.codec, key: TEST_KEY });
  expect(manifest.redaction.unreadablePolicies).toEqual(["pay@2"]);
  expect(JSON.parse(readFileSync(join(folder, "reviewed-examples.jsonl"), "utf8")).presented[0].args).toEqual({ n: "[masked]", m: "[masked]" });
});

test("an edit that differs only in what is hidden is left out as a pair, and named", async () => {
  const folder = mkdtempSync(join(tmpdir(), "countersign-equal-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const script = await Script.open();
  await script.append("policies", {
    itemId: policyItemId("w", "pay"),
    actor: { kind: "authority", id: "ci" },
    kind: "policy",
    policyId: "pay",
    version: "1",
    document: POLICY,
  });
  const args: Json = { secret: "1" };
  const p = await script.propose("k", args as object, {
    actions: [{ actionId: "a", tool: "bank/pay", args: canonicalize(args), argsSha256: script.hash(args as object) }],
    transcript: transcript("Pay"),
  });
  await script.edit(await script.judge(p, "interrupt"), { secret: "2" });
  const manifest = await exportDataset(folder, "trl-preference", { log: script.log, codec: script.codec, key: TEST_KEY });
  expect([manifest.rows, manifest.rejected]).toEqual([0, [{ class: "preference", reason: "equal_after_redaction", rows: 1 }]]);
  const raw = await exportDataset(folder, "trl-preference", { log: script.log, codec: script.codec, key: TEST_KEY, profile: "raw" });
  expect([raw.rows, raw.redaction.profile]).toEqual([1, "raw"]);
});
