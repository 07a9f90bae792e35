import { policyItemId } from "../../src/events/ids.ts";
import { halt, lift } from "../../src/gateway/service/halt.ts";
import type { Context } from "../../src/gateway/service/ledger.ts";
import { revokeStanding } from "../../src/gateway/service/standing.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import { call, WHO } from "./calls.ts";
import { policyText } from "./policy.ts";
import type { Member, World } from "./world.ts";

const published = new Map<number, ReturnType<typeof publishable>>();

/** Publishes a version of the policy, past any approval, as a deployment does. */
export async function publish({ process }: Member, version: number): Promise<void> {
  let p = published.get(version);
  if (p === undefined) published.set(version, (p = publishable(policyText(version), "sim.yaml", () => "")));
  const { position } = await process.ledger.write("policies", policyItemId(p.workspace, p.policyId), {
    workspace: p.workspace,
    actor: { kind: "authority", id: "deployer" },
    kind: "policy",
    policyId: p.policyId,
    version: p.version,
    document: p.document,
    sha256: p.sha256,
  });
  await process.ledger.waitFor([position]);
}

/** Somebody halts or lifts, or takes a standing approval back. */
export function authorityActs(world: World, member: Member): void {
  const { rng } = world;
  const { ledger } = member.process;
  const context: Context = { ledger, identity: WHO.halter };
  const standings = ledger.standings.all();
  const inForce = ledger.halts.inForce(ledger.now());
  const kind = rng.weighted({ halt: 1, lift: inForce.length * 4, revoke: standings.length > 0 ? 2.5 : 0 });
  if (kind === "halt") {
    const scope = rng.pick([{}, { agent: "bot-1" }, { agent: "bot-2" }, { action: "pay" }, { action: "note" }]);
    const expiresAt = rng.chance(0.3) ? { expiresAt: ledger.now() + 600_000 } : {};
    call(world, member, `hal halts ${JSON.stringify(scope)}`, () => halt(context, { scope, reason: "something is wrong", ...expiresAt }));
  } else if (kind === "lift") {
    const { eventId } = rng.pick(inForce);
    call(world, member, `hal lifts ${eventId}`, () => lift(context, eventId, {}));
  } else {
    const { eventId } = rng.pick(standings);
    call(world, member, `hal revokes the standing approval ${eventId}`, () => revokeStanding(context, eventId, {}));
  }
}
