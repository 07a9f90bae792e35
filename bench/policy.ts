/** npm run bench:policy -- [--json] [--rounds N]: judgements a second on one core, each figure beside a floor in the same run. */
import { parseArgs } from "node:util";
import { RE2JS } from "re2js";
import { canonicalArgs, sha256 } from "../src/events/canonical.ts";
import { complete, type Draft } from "../src/events/draft.ts";
import { itemIdOf } from "../src/events/ids.ts";
import type { ActionProposed } from "../src/events/types.generated.ts";
import { compilePolicy } from "../src/policy/compile.ts";
import type { CompiledPolicy } from "../src/policy/compiled.ts";
import { type Facts, MAX_JUDGEMENT_STEPS } from "../src/policy/conditions/facts.ts";
import { parsePolicy } from "../src/policy/document/document.ts";
import { assess } from "../src/policy/judgement/assess.ts";
import { judge } from "../src/policy/judgement/judge.ts";
import { machine, type Spread, spread } from "./machine.ts";

const { values } = parseArgs({ options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } } });
const rounds = Number(values.rounds);
const NOW = 1_750_000_000_000;

/** Fifty rules as documents hold them: most for one action, comparisons, sets, domains, texts, agents, and combinations. */
function fiftyRules(): object[] {
  const kinds = [
    (i: number) => ({ args: { "/amount": { above: 900 + i } } }),
    (i: number) => ({ args: { "/country": { in: [`X${i}`, `Y${i}`, `Z${i}`] } } }),
    (i: number) => ({ args: { "/email": { domain_in: [`blocked${i}.test`] } } }),
    (i: number) => ({ args: { "/note": { contains: `word-${i}` } } }),
    (i: number) => ({ agent: { id: { is: `bot-${i}` } } }),
    (i: number) => ({ all: [{ args: { "/items": { length_above: 20 + i } } }, { args: { "/amount": { above: 500 } } }] }),
    (i: number) => ({ any: [{ args: { "/country": { is: `Q${i}` } } }, { args: { "/order_id": { prefix: `Z${i}-` } } }] }),
    (i: number) => ({ not: { args: { "/amount": { below: 10_000 + i } } } }),
  ];
  return Array.from({ length: 50 }, (_, i) => {
    const kind = kinds[i % kinds.length] as (i: number) => object;
    return { id: `rule-${i}`, when: { action: i % 10 === 9 ? "other" : "issue_refund", ...kind(i) }, raise: { points: 5 }, because: `Because of rule ${i}` };
  });
}

/** Copies of the arguments that are judged in turn. */
const COPIES = 32;

const PATTERNS = [
  ...["(?i)lawyer|lawsuit|attorney", "(?i)pass(word|phrase)\\s*[:=]", "\\bdrop\\s+table\\b", "(?i)wire transfer", "https?://[^\\s]*\\.ru/"],
  ...["BEGIN (RSA|EC) PRIVATE KEY", "(?i)social security", "charge-?back", "(?i)confidential|internal only", "\\b4[0-9]{12}(?:[0-9]{3})?\\b"],
];

const fields = { amount: { type: "number" }, country: { type: "string" }, email: { type: "string" }, note: { type: "string" }, order_id: { type: "string" } };
const schema = { type: "object", properties: { ...fields, items: { type: "array", items: { type: "string" } } } };

function policyOf(rules: object[]): CompiledPolicy {
  const act = { arguments: schema, reversibility: "partially", execution: "queryable", risk: "low", amount: { path: "/amount", unit: "EUR" } };
  const other = { arguments: schema, reversibility: "reversible", risk: "low" };
  const document = { policy: "bench", version: "1", workspace: "w", owner: "role:boss", actions: { issue_refund: act, other }, rules };
  return compilePolicy(parsePolicy(JSON.stringify(document)));
}

function proposalOf(args: object): ActionProposed {
  return complete("proposals", {
    eventId: "01890a5d-ac96-774b-bcce-b302099a8057",
    itemId: itemIdOf("w", "bot", "key"),
    workspace: "w",
    occurredAt: NOW,
    actor: { kind: "agent", id: "bot" },
    idempotencyKey: "key",
    ask: "review",
    agent: { id: "bot", version: "3", model: "m", owner: "ann" },
    actions: [{ actionId: "a1", tool: "issue_refund", ...canonicalArgs(args), confidence: 0.93 }],
  } as Draft<ActionProposed>);
}

/** How often a second of CPU time runs `work`, in rounds of about 300 ms after a warm-up. */
function perSecond(work: () => unknown): Spread {
  const burst = (ms: number): number => {
    const before = process.cpuUsage();
    let count = 0;
    let used = 0;
    while (used < ms * 1000) {
      // Asking for the time costs as much as a judgement.
      for (let i = 0; i < 200; i++) work();
      count += 200;
      const { user, system } = process.cpuUsage(before);
      used = user + system;
    }
    return count / (used / 1e6);
  };
  burst(300);
  return spread(Array.from({ length: rounds }, () => burst(300)));
}

function measure(policy: CompiledPolicy, args: object) {
  const proposal = proposalOf(args);
  const [action] = proposal.actions;
  const text = action?.args as string;
  const [entry] = policy.find("issue_refund");
  if (entry === undefined) throw new Error("the catalogue lacks the action");
  const { agent, origin, run } = proposal;
  const base = {
    target: undefined,
    agent,
    origin,
    run,
    confidence: 0.93,
    confidenceSource: null,
    now: NOW,
    steps: { left: MAX_JUDGEMENT_STEPS },
    answers: new Map(),
  };
  // Parsed for each anew, as a judgement gets them: what an engine keeps of one text must not help with the next.
  const all = Array.from(
    { length: COPIES },
    (): Facts => ({ ...base, tool: "issue_refund", args: JSON.parse(text), baseRisk: entry.baseRisk, risk: entry.baseRisk }),
  );
  let turn = 0;
  const none = new Set<string>();
  const around = {
    budgets: [],
    grant: () => {
      throw new Error("no grants here");
    },
  };
  const input = { proposal, actions: proposal.actions, answers: "proposal", now: NOW } as const;
  return {
    argumentBytes: Buffer.byteLength(text),
    judgement: perSecond(() => {
      const facts = all[turn++ % COPIES] as Facts;
      facts.steps.left = MAX_JUDGEMENT_STEPS;
      facts.answers.clear();
      return assess(policy, entry, facts, none, around);
    }),
    verdict: perSecond(() => judge([policy], input)),
    floorParseAndHash: perSecond(() => [JSON.parse(text), sha256(text)]),
  };
}

const small = {
  amount: 42.5,
  country: "CH",
  email: "ann@example.com",
  note: "The parcel arrived broken and the customer asks for the money back.",
  order_id: "A-1042",
  items: ["cup", "plate"],
};
const long = { ...small, note: "The customer writes that the order A-1042 arrived late and in pieces. ".repeat(60).slice(0, 4096 - 150) };
const matching = PATTERNS.map((pattern, i) => ({
  id: `pattern-${i}`,
  when: { args: { "/note": { matches: pattern } } },
  raise: { risk: "high" },
  because: "b",
}));
const bare = PATTERNS.map((pattern) => RE2JS.compile(pattern));

const half = (text: string) => text.slice(0, long.note.length / 2);
const texts = {
  plain: long,
  unicode: { ...long, note: `${half(long.note)} — «naïve» 返金 🙂 ${half(long.note)}`.slice(0, long.note.length) },
  hits: { ...long, note: `${half(long.note)} My LAWYER says: drop  table. See http://shop.example.ru/ ${half(long.note)}`.slice(0, long.note.length) },
};

const fifty = measure(policyOf(fiftyRules()), small);
const tenOn = (args: { note: string }) => ({
  ...measure(policyOf(matching), args),
  floorBareRe2: perSecond(() => bare.map((pattern) => pattern.test(args.note))),
});
const regexes = { plain: tenOn(texts.plain), unicode: tenOn(texts.unicode), hits: tenOn(texts.hits) };
const report = { machine: machine(), rounds, fiftyRules: fifty, tenRegexes: regexes };

if (values.json) console.log(JSON.stringify(report));
else {
  const show = ({ median, min, max }: Spread) => {
    const [a, b, c] = [median, min, max].map((n) => Math.round(n).toLocaleString("en"));
    return `${a} (${b} to ${c})`;
  };
  const { cpu, node } = report.machine;
  console.log(`one core of ${cpu}, Node ${node}; a second of CPU time; medians of ${rounds} rounds, ranges in brackets

50 rules, ${fifty.argumentBytes} bytes of arguments
  judgements/s           ${show(fifty.judgement)}   goal ≥ 200,000
  whole verdicts/s       ${show(fifty.verdict)}
  floor: JSON.parse and SHA-256 of the same arguments   ${show(fifty.floorParseAndHash)}

${Object.entries({ "of which none is found": regexes.plain, "the same with letters beyond Latin-1": regexes.unicode, "three of which are found": regexes.hits })
  .map(
    ([what, of]) => `10 regular expressions, ${of.argumentBytes} bytes of arguments, ${what}
  judgements/s           ${show(of.judgement)}   goal ≥ 20,000
  whole verdicts/s       ${show(of.verdict)}
  floor: JSON.parse and SHA-256 of the same arguments   ${show(of.floorParseAndHash)}
  floor: the same ten patterns in bare re2js            ${show(of.floorBareRe2)}`,
  )
  .join("\n\n")}`);
}
