/** Version of the fold and of these tables. Another number in a views file means: rebuild. */
export const FOLD_VERSION = 16;

/** Stands for "no deadline" in the order of the queue. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** The order of the queue: by risk, highest first, then by deadline, then by age. The indexes are in the same words, else nobody uses them. */
export const QUEUE_ORDER = `-COALESCE(risk, -1), COALESCE(deadline, ${NEVER}), proposed, id`;

/**
 * The views. All of them are a function of the log; nothing that can be read from them depends on the order in which topics arrived. Items
 * go by a number inside the file, in the order of their first sight, so that those of one time lie together (with their ids as keys a
 * commit writes five times the pages); dumpViews shows ids instead. An item id is 16 bytes (or text, as a policy's id is), an event id 16
 * (or text where a writer sent no UUID).
 */
export const VIEWS_SQL = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Next offset per partition, and the last folded record: a recreated topic shows another one in its place.
CREATE TABLE checkpoint (topic INTEGER, part INTEGER, next INTEGER NOT NULL, last BLOB, PRIMARY KEY (topic, part)) WITHOUT ROWID;

-- One row an item: its folded state with what lists show (state.ts), and what they are sorted and filtered by.
CREATE TABLE item (
  n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, state BLOB NOT NULL, stage INTEGER NOT NULL, outcome INTEGER,
  owner TEXT, agent TEXT, risk INTEGER, deadline INTEGER, proposed INTEGER, flagged INTEGER NOT NULL DEFAULT 0, spent INTEGER,
  waits INTEGER NOT NULL DEFAULT 0, thread TEXT
);
-- What waits for a person: for a decision, for the review of what runs already, or to be settled; of one owner, and of all.
CREATE INDEX item_queue ON item (owner, ${QUEUE_ORDER}) WHERE waits = 1;
CREATE INDEX item_waits ON item (${QUEUE_ORDER}) WHERE waits = 1;
-- What is not done, by its run: what the rejection of a branch reaches.
CREATE INDEX item_thread ON item (thread) WHERE thread IS NOT NULL AND stage < 8;
-- What may run, runs, or did and nobody knows how it ended: what a halt looks for.
CREATE INDEX item_running ON item (stage) WHERE stage IN (5, 6, 7);
CREATE INDEX item_proposed ON item (proposed) WHERE proposed IS NOT NULL;
-- What counts toward budgets, by the time from which on it does; the latest time of an item with several actions.
CREATE INDEX item_spent ON item (spent) WHERE spent IS NOT NULL;
CREATE INDEX item_flagged ON item (id) WHERE flagged = 1;

-- The timeline, which is dedup and cause lookup as well.
CREATE TABLE event (
  item INTEGER, topic INTEGER, id BLOB, status INTEGER NOT NULL, what TEXT NOT NULL, reason TEXT, cause_topic INTEGER, cause BLOB,
  actor TEXT NOT NULL, at INTEGER NOT NULL, off INTEGER NOT NULL, appended INTEGER NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (item, topic, id)
) WITHOUT ROWID;

-- The bytes of proposals, verdicts and resumes of items that are not done. Those of done items are read from the log.
CREATE TABLE payload (item INTEGER, topic INTEGER, id BLOB, value BLOB NOT NULL, PRIMARY KEY (item, topic, id)) WITHOUT ROWID;

-- Schemas of arguments, once each.
CREATE TABLE blob (sha256 BLOB PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;

-- Who is owed an event.
CREATE TABLE todo (worker TEXT, due INTEGER, item INTEGER, duty TEXT, cause TEXT, names TEXT NOT NULL, PRIMARY KEY (worker, due, item, duty, cause, names)) WITHOUT ROWID;

-- Events whose cause is not there yet.
CREATE TABLE parked (item INTEGER, cause TEXT, topic INTEGER, off INTEGER, value BLOB NOT NULL, PRIMARY KEY (item, cause, topic, off)) WITHOUT ROWID;

-- Records that could not be folded, at their place.
CREATE TABLE bad (topic INTEGER, part INTEGER, off INTEGER, item BLOB, reason TEXT NOT NULL, message TEXT NOT NULL, schema_id INTEGER, sha256 TEXT NOT NULL, flags INTEGER NOT NULL, PRIMARY KEY (topic, part, off)) WITHOUT ROWID;
CREATE INDEX bad_item ON bad (item) WHERE item IS NOT NULL;
CREATE INDEX bad_schema ON bad (schema_id) WHERE schema_id IS NOT NULL;

CREATE TABLE finding (item INTEGER, code TEXT, topic INTEGER, id BLOB, off INTEGER, PRIMARY KEY (item, code, topic, id, off)) WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;

-- Effective rejections of a branch: of everything that is open in a run.
CREATE TABLE branch (item INTEGER, id BLOB, workspace TEXT NOT NULL, thread TEXT NOT NULL, at INTEGER NOT NULL, words TEXT, PRIMARY KEY (item, id)) WITHOUT ROWID;

-- Standing approvals, and the effective verdicts that rest on them.
CREATE TABLE standing (
  item INTEGER, id BLOB, workspace TEXT NOT NULL, "by" TEXT NOT NULL, roles TEXT NOT NULL, at INTEGER NOT NULL, scope TEXT NOT NULL, max INTEGER NOT NULL, amount TEXT, until INTEGER NOT NULL,
  PRIMARY KEY (item, id)
) WITHOUT ROWID;
CREATE TABLE standing_use (item INTEGER, id BLOB, standing BLOB NOT NULL, PRIMARY KEY (item, id)) WITHOUT ROWID;

-- Sealed batches as their records describe them, and who takes effect as a member: a record is of one member, and names all.
CREATE TABLE batch (
  id TEXT, workspace TEXT NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL, sealed_by TEXT NOT NULL, at INTEGER NOT NULL, members TEXT NOT NULL, hash BLOB,
  PRIMARY KEY (id, hash)
) WITHOUT ROWID;
CREATE INDEX batch_key ON batch (workspace, key, at);
CREATE INDEX batch_at ON batch (workspace, at);
CREATE TABLE batch_member (batch TEXT, item INTEGER, id BLOB, verdict BLOB NOT NULL, PRIMARY KEY (batch, item, id)) WITHOUT ROWID;
CREATE INDEX batch_of ON batch_member (item);

-- Runs of which an agent has said that they end with a proposal: by the time in the proposal's id.
CREATE TABLE run_end (item INTEGER PRIMARY KEY, workspace TEXT NOT NULL, thread TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX run_end_thread ON run_end (thread, at);

-- Which items try another one again (an item that nobody may have proposed).
CREATE TABLE retry (item INTEGER PRIMARY KEY, "of" BLOB NOT NULL);
CREATE INDEX retry_of ON retry ("of");

-- Documents of the policy authority.
CREATE TABLE document (
  item INTEGER, part INTEGER, off INTEGER, id BLOB, workspace TEXT, kind TEXT, policy_id TEXT, version TEXT, sha256 TEXT, document TEXT, at INTEGER,
  scope TEXT, ends BLOB, expires INTEGER, reason TEXT, actor TEXT, PRIMARY KEY (item, off)
) WITHOUT ROWID;
`;
