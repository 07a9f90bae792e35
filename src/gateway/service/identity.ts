import { CountersignError } from "../../errors.ts";

/** Who asks. It comes from authentication, never from a request. */
export interface Identity {
  readonly kind: "agent" | "executor" | "person";
  readonly id: string;
  readonly roles: readonly string[];
  readonly workspace: string;
}

/** The actor that goes into events. */
export function actorOf({ kind, id, roles }: Identity): { kind: Identity["kind"]; id: string; roles: string[] } {
  return { kind, id, roles: [...roles] };
}

const NAME = /^[^\p{Cc}]{1,200}$/u;

/** An identity whose names cannot collide in an item id. @throws CountersignError request_invalid */
export function checkedIdentity(identity: Identity): Identity {
  for (const field of ["id", "workspace"] as const)
    if (!NAME.test(identity[field]) || !identity[field].isWellFormed())
      throw new CountersignError("request_invalid", `The ${field} of the identity is not usable`, {
        field,
        value: identity[field],
        fix: "use 1 to 200 characters, none of them a control character",
      });
  return identity;
}

const WORK = { agent: "agents", executor: "executors", person: "reviewers" } as const;

/** Refuses whoever is of another kind. @throws CountersignError forbidden */
export function mustBe(identity: Identity, kinds: readonly Identity["kind"][], what: string): void {
  if (kinds.includes(identity.kind)) return;
  throw new CountersignError("forbidden", `A key of ${WORK[identity.kind]} cannot ${what}: this is for ${kinds.map((k) => WORK[k]).join(" and ")}`, {
    field: "authorization",
    fix: `use a key of scope ${kinds.map((k) => (k === "person" ? "reviewer" : k)).join(" or ")}`,
  });
}

/** Refuses a person without any of these roles. @throws CountersignError forbidden, not_entitled */
export function mustHaveRole(identity: Identity, roles: readonly string[], what: string): void {
  mustBe(identity, ["person"], what);
  if (identity.roles.some((role) => roles.includes(role))) return;
  throw new CountersignError("not_entitled", `To ${what} takes the role ${roles.join(" or ")}; ${identity.id} has ${identity.roles.join(", ") || "none"}`, {
    field: "authorization",
    fix: `use a key with the role ${roles[0]} (countersign keys create --scope reviewer --roles ${roles[0]},…)`,
  });
}
