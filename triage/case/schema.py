"""The case database. Every table's meaning stands here; ``docs/case.md`` shows it to people who query it themselves.

Times are nanoseconds since 1970 UTC, sizes and offsets bytes, digests raw bytes. Whatever a run can be asked about is here; only
clock values of the run itself (``run_time``) and paths on the examiner's disk differ between two runs of the same evidence.
"""

VERSION = 5

SCHEMA = """
-- One row a fact about the case: schema version, profile, versions of tools, plugins, lists used. JSON values.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- When things were done. Kept apart from all else: it is never part of a result or of the case's digest.
CREATE TABLE run_time (n INTEGER PRIMARY KEY, event TEXT NOT NULL, at TEXT NOT NULL);

-- An acquired medium. record: model.Evidence as JSON. fingerprint_state: 'not checked', 'unchanged …' or 'CHANGED'.
CREATE TABLE evidence (
    id TEXT PRIMARY KEY, position INTEGER NOT NULL, record TEXT NOT NULL,
    fingerprint_state TEXT NOT NULL DEFAULT 'not checked', verification TEXT NOT NULL DEFAULT 'not verified'
) WITHOUT ROWID;

-- A partition, gap or whole medium. number is NULL for gaps. walk: 'none' (not listed), 'pending', 'done'.
CREATE TABLE volume (
    evidence TEXT NOT NULL, offset INTEGER NOT NULL, number INTEGER, record TEXT NOT NULL, walk TEXT NOT NULL,
    totals TEXT NOT NULL DEFAULT '{}', PRIMARY KEY (evidence, offset, number)
);

-- One row a name (model.Entry). content joins the rows whose bytes are the same place. runs: JSON [[image_offset, length], …].
CREATE TABLE entry (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, evidence TEXT NOT NULL, volume INTEGER, path TEXT NOT NULL,
    name TEXT NOT NULL, name_raw TEXT, kind TEXT NOT NULL, name_allocated INTEGER NOT NULL, meta_allocated INTEGER NOT NULL,
    orphan INTEGER NOT NULL, recoverability TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER, atime INTEGER,
    ctime INTEGER, crtime INTEGER, time_basis TEXT NOT NULL, meta_addr INTEGER, meta_seq INTEGER, mode INTEGER,
    uid INTEGER, gid INTEGER, nlink INTEGER, link_target TEXT, runs TEXT NOT NULL, resident INTEGER NOT NULL,
    encrypted INTEGER NOT NULL, parent TEXT, depth INTEGER NOT NULL, locator TEXT,
    state TEXT NOT NULL, content TEXT, skip TEXT, tier INTEGER NOT NULL
);

-- Which entries are files inside of other ones: the plugin that found them, the id of the entry that all of them are inside of in the end,
-- how deep they are in it (1 and more), and how many children each may have.
CREATE TABLE inside (
    entry INTEGER PRIMARY KEY, plugin TEXT NOT NULL, root TEXT NOT NULL, level INTEGER NOT NULL, room INTEGER NOT NULL DEFAULT 30000
);

-- The ledger: one row a content item whose work has ended, in which outcome, and with which set of plugins (plugin_set.n).
-- md5_512, md5_64k: of the first bytes of what is longer. spared: on an ignorable list and no notable one, not looked into further.
-- alike: the best tier in which it is like something on a notable list.
CREATE TABLE content (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, md5 BLOB, sha1 BLOB, sha256 BLOB, mime TEXT NOT NULL, type TEXT NOT NULL,
    category TEXT NOT NULL, entropy REAL, outcome TEXT NOT NULL, reason TEXT NOT NULL, known TEXT, plugin_set INTEGER NOT NULL,
    md5_512 BLOB, md5_64k BLOB, spared INTEGER NOT NULL, alike TEXT
) WITHOUT ROWID;
CREATE TABLE plugin_set (n INTEGER PRIMARY KEY, keys TEXT NOT NULL UNIQUE);

-- What a picture is compared by: PDQ hashes (32 bytes) and pHashes (8 bytes) of its eight orientations, end to end; NULL with a reason.
-- Of a video: how many frames it has in the table frame, and why the others are not there. photodna: of a licensed comparison, if any.
CREATE TABLE comparable (
    content TEXT PRIMARY KEY, pdq BLOB, phash BLOB, quality INTEGER NOT NULL, frames INTEGER NOT NULL, reason TEXT NOT NULL,
    photodna BLOB
) WITHOUT ROWID;
CREATE TABLE frame (
    content TEXT NOT NULL, n INTEGER NOT NULL, time_ms INTEGER NOT NULL, pdq BLOB NOT NULL, quality INTEGER NOT NULL,
    PRIMARY KEY (content, n)
) WITHOUT ROWID;

-- Pictures of the case that look alike: all of a group have the same name in grp.
CREATE TABLE likeness (content TEXT PRIMARY KEY, grp TEXT NOT NULL) WITHOUT ROWID;

-- Something of a file that stands on a list. tier: 'exact', 'match', 'likely', 'weak'. detail: JSON.
CREATE TABLE match (
    content TEXT NOT NULL, hashset TEXT NOT NULL, meaning TEXT NOT NULL, category TEXT NOT NULL, how TEXT NOT NULL,
    distance INTEGER NOT NULL, tier TEXT NOT NULL, label TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (content, hashset, how)
) WITHOUT ROWID;

-- What plugins saw. id is a digest of the row.
CREATE TABLE finding (
    id TEXT PRIMARY KEY, entry TEXT NOT NULL, plugin TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
    data TEXT NOT NULL, ranges TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX finding_entry ON finding (entry);

-- How far each area of a medium is carved (engine.carvework.Progress as JSON). kind: 'unallocated', 'slack', 'gap', 'volume', 'container';
-- volume is -1 for space outside of volumes; source: the entry whose bytes a container is.
CREATE TABLE carving (
    evidence TEXT NOT NULL, offset INTEGER NOT NULL, volume INTEGER NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL,
    progress TEXT NOT NULL, PRIMARY KEY (evidence, offset, volume, kind, source)
) WITHOUT ROWID;

-- Blocks of known files in space that no file owns: where on the medium (runs: JSON), the list's number, its record, the block's place in
-- the known file. place: what the paths of things found there begin with; volume is -1 for space outside of volumes.
CREATE TABLE known_block (
    evidence TEXT NOT NULL, volume_offset INTEGER NOT NULL, volume INTEGER NOT NULL, place TEXT NOT NULL, hashset INTEGER NOT NULL,
    record INTEGER NOT NULL, position INTEGER NOT NULL, runs TEXT NOT NULL,
    PRIMARY KEY (evidence, volume_offset, volume, hashset, record, position, runs)
) WITHOUT ROWID;

-- What could not be read, was skipped or cut. id is a digest of the row.
CREATE TABLE problem (
    id TEXT PRIMARY KEY, severity TEXT NOT NULL, stage TEXT NOT NULL, evidence TEXT NOT NULL, volume INTEGER, entry TEXT,
    path TEXT NOT NULL, plugin TEXT NOT NULL, message TEXT NOT NULL, detail TEXT NOT NULL
) WITHOUT ROWID;

-- Points of entries that have any, with their reasons as JSON; and the order to look at them in.
CREATE TABLE score (entry INTEGER PRIMARY KEY, score INTEGER NOT NULL, reasons TEXT NOT NULL);
CREATE TABLE queue (rank INTEGER PRIMARY KEY, entry INTEGER NOT NULL, copies INTEGER NOT NULL);

-- A files row as scripts see it. Bytes that other files own by now say nothing about the name that once owned them.
CREATE VIEW files AS SELECT
    e.*, c.md5, c.sha1, c.sha256, c.mime, c.type, c.category, c.entropy, c.outcome, c.reason AS outcome_reason, c.spared,
    CASE WHEN e.recoverability = 'overwritten' THEN NULL ELSE c.known END AS known,
    CASE WHEN e.recoverability = 'overwritten' THEN NULL ELSE c.alike END AS alike,
    CASE WHEN e.recoverability = 'overwritten' THEN NULL ELSE l.grp END AS likeness, s.score, s.reasons
FROM entry e LEFT JOIN content c ON c.key = e.content LEFT JOIN likeness l ON l.content = e.content LEFT JOIN score s ON s.entry = e.n;
"""

INDEXES = """
CREATE INDEX IF NOT EXISTS entry_content ON entry (content);
CREATE INDEX IF NOT EXISTS entry_path ON entry (path);
CREATE INDEX IF NOT EXISTS content_sha256 ON content (sha256);
"""
