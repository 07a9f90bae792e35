/** After this nothing else of the group is effective any more. */
export const ALL = "all";

/** What an event excludes: the named ones that would have been effective without it. */
export type Excludes = { readonly [name: string]: readonly string[] | typeof ALL };

const none: readonly string[] = [];
/** The first one stands. */
const first = (...names: string[]): Excludes => Object.fromEntries(names.map((name) => [name, ALL]));

/**
 * Which events of a sibling group exclude each other, by the setting and by the one that comes first, as the legality rules of the event
 * contract have it. Written by hand from its sentences: a test holds it against what the fold does with every pair, so that neither can
 * come to have a pair that the other does not know.
 */
export const EXCLUDES: { readonly [setting: string]: Excludes } = {
  // "The first wins. A later one … is a duplicate, with other content a conflict: recorded, never merged."
  "proposals of one key": first("propose", "the same again", "another under the key"),
  // "The first that answers a proposal or an effective edit."
  "verdicts on a proposal": first("interrupt", "allow", "forbid", "batch"),
  "verdicts on an edit": first("judged again", "allowed now", "forbidden now"),
  "seals of a verdict": first("seal", "another seal"),

  "decisions on an interrupt": {
    // "Nothing is effective after one that settles." `clear` lifts a flag and is no decision.
    ...Object.fromEntries(
      ["approve", "approve of another", "reject", "respond", "acknowledge", "withdraw", "withdraw by the clock", "expire"].map((name) => [name, ALL]),
    ),
    // "An edit closes the verdict for good."
    edit: ALL,
    "edit of another": ALL,
    // "No standing lease of another person": ann holds the first, dee the second, bob has taken over. It binds persons only, so neither the clock nor the agent.
    claim: ["approve", "edit", "respond", "acknowledge", "claim of another"],
    "claim of another": ["approve of another", "edit of another", "reject", "claim"],
    "take-over": ["approve", "approve of another", "edit", "edit of another", "reject", "respond", "acknowledge", "claim", "claim of another"],
    // "Entitled by the current owner": ann and bob decide for o1 alone.
    escalate: ["approve of another", "edit of another", "reject", "claim", "take-over"],
    clear: none,
  },
  // "With `hold` it takes effect once, settles nothing and marks the item held."
  "decisions where the expiry holds": { expire: ["expire again"], "expire again": ["expire"], approve: ALL, reject: ALL, claim: ["approve"] },
  // "One vote per person and hash"; the n-th approve settles, and this is the first of two.
  "decisions where two approve": {
    approve: ["approve once more"],
    "approve once more": ["approve"],
    "approve of another": none,
    reject: ALL,
    edit: ALL,
    expire: ALL,
  },
  "decisions after the first of two approvals": first("approve", "approve of another", "reject", "edit", "expire", "withdraw"),
  "decisions under a lease": {
    // "A lease, with an id of its own per claim, stands until a `release` that names it, a take-over or an escalation."
    "renew the claim": ["release", "release by the clock"],
    release: ["release by the clock"],
    "release by the clock": ["release"],
    "take-over": ["renew the claim", "release", "release by the clock", "approve of the holder", "reject of the holder"],
    escalate: ["renew the claim", "take-over", "release", "release by the clock", "approve of the holder", "reject of the holder"],
    "approve of the holder": ALL,
    "reject of the holder": ALL,
    expire: ALL,
  },
  // "Exactly the next step"; the owner is o3 then, who is neither dee nor cyd.
  "decisions after an escalation": {
    "next step": ["next step again", "approve", "claim"],
    "next step again": ["next step", "approve", "claim"],
    approve: ALL,
    claim: ["approve"],
    expire: ALL,
  },
  // "On an audit gate only approve and reject decide"; a withdrawal "settles nothing".
  "decisions on an audit gate": {
    approve: ALL,
    "approve of another": ALL,
    reject: ALL,
    withdraw: ["withdraw by the clock"],
    "withdraw by the clock": ["withdraw"],
    claim: ["approve"],
    escalate: ["approve of another", "reject", "claim"],
  },
  "decisions on a verdict that allows": { withdraw: ["withdraw by the clock"], "withdraw by the clock": ["withdraw"], clear: none },
  "decisions on a question": first("respond", "respond of another", "withdraw", "expire"),
  "decisions on a notice": first("acknowledge", "acknowledge of another", "withdraw", "expire"),
  "settlements of an unknown outcome": first("it succeeded", "it failed", "retry", "retry by the clock"),
  "reports on what has run": { report: none, "another report": none },

  // "The first that answers its cause."
  "resumes of a verdict": first("grant", "another grant", "withhold"),
  "resumes of an approval": first("grant", "another grant", "withhold"),
  "resumes of a rejection": first("refuse", "refuse again"),
  "resumes of a rejected audit": first("roll back", "roll back again", "withhold"),

  // "`started` once per action, only while nothing has closed the grant"; "`lapsed` and `revoked` close it where nothing is running".
  "receipts on a grant": first("start", "start of another", "lapse", "revoke"),
  "receipts between the steps of a plan": first("start the next", "start the next again", "lapse", "revoke"),
  // "`unknown` names the current lease …; each `renewed` has a new lease id."
  "receipts on what runs": {
    renew: ["renew under that id again", "lose sight"],
    "renew under another id": ["lose sight"],
    "renew under that id again": ["renew", "lose sight"],
    succeed: ALL,
    fail: ALL,
    "lose sight": ALL,
  },
  "receipts on what is undone": first("compensate", "fail", "lose sight"),
};
