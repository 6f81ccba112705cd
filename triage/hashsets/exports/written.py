"""Write a compiled set as a file of another form: what could not be put into it is counted."""

from __future__ import annotations

import base64
import csv
import json
import sqlite3
from collections import Counter
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any

from triage.escape import cell
from triage.hashsets.exports.joined import records_of
from triage.hashsets.records import FACTS, KEYS, LENGTHS, PARTIAL, TRACED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from triage.hashsets.exports.joined import Joined
    from triage.hashsets.store import Hashset

CONTEXTS = ("Default", "US", "UK", "CUSTOM")
"""The countries that VICS names in its context line."""
_CONTEXT = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/{}/$metadata#Media"
_VICS_FACTS = {
    "victim_identified": "VictimIdentified",
    "offender_identified": "OffenderIdentified",
    "distributed": "IsDistributed",
    "suspected": "IsSuspected",
    "self_generated": "SelfGenerated",
}
_HEX_KINDS = (*LENGTHS, *TRACED, *PARTIAL)
_COLUMNS = (*_HEX_KINDS, "pdq", "phash", "photodna", "size", "name", "category", *FACTS)
_KDB = """
CREATE TABLE db_properties (name TEXT NOT NULL, value TEXT);
INSERT INTO db_properties (name, value) VALUES ('Schema Version', '1');
CREATE TABLE hashes (id INTEGER PRIMARY KEY AUTOINCREMENT, md5 BINARY(16) UNIQUE, sha1 BINARY(20), sha2_256 BINARY(32));
CREATE TABLE file_names (name TEXT NOT NULL, hash_id INTEGER NOT NULL, PRIMARY KEY(name, hash_id));
CREATE TABLE comments (comment TEXT NOT NULL, hash_id INTEGER NOT NULL, PRIMARY KEY(comment, hash_id));
"""
_BATCH = 10_000


def write_jsonl(hashset: Hashset, out: IO[str]) -> Counter[str]:
    """Write one JSON object a record: all that the set knows. Importing it makes the same set."""
    facts = hashset.facts
    head = {"triage-hashset": facts.name, "meaning": facts.meaning.value, "records": facts.records, "scheme": facts.scheme}
    out.write(json.dumps(head, sort_keys=True) + "\n")
    for record in records_of(hashset):
        out.write(json.dumps(_object(record), separators=(",", ":")) + "\n")
    return Counter()


def _object(record: Joined) -> dict[str, Any]:
    values: dict[str, Any] = {kind: record.digest(kind) for kind in (*_HEX_KINDS, "photodna") if kind in record.rows}
    if rows := record.rows.get("pdq"):
        values |= {"pdq": rows[0][:32].hex(), **({"phash": rows[0][33:41].hex()} if rows[0][32] else {})}
    if record.about.size:
        values["size"] = record.about.size
    if record.about.name:
        values["name"] = record.about.name
    if record.label.category:
        values["category"] = record.label.category
    if record.label.facts:
        values["facts"] = dict(record.label.facts)
    if rows := record.rows.get("block"):
        values["blocks"] = sorted([int.from_bytes(row[20:24], "big"), row[:16].hex()] for row in rows)
    if rows := record.rows.get("frame"):
        values["frames"] = [row[:32].hex() for row in rows]
    return values


def write_csv(hashset: Hashset, out: IO[str]) -> Counter[str]:
    """Write one row a record. Blocks and frames have no place in it."""
    left: Counter[str] = Counter()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for record in records_of(hashset):
        values = _object(record)
        for kind in ("blocks", "frames"):
            left[f"{kind}, for which CSV has no place"] += len(values.pop(kind, ()))
        values |= values.pop("facts", {})
        writer.writerow([cell(values.get(name)) for name in _COLUMNS])
    return +left


def write_vics(hashset: Hashset, out: IO[str], context: str = "Default") -> Counter[str]:
    """Write VICS 2.0 JSON (a hash set, no files), as the public readers take it: context first, then the entries.

    The specification is released under agreement only. A record without MD5 has no place in it. Categories that are no numbers are left
    out, not turned into one; a record without a category gets none.
    """
    left: Counter[str] = Counter()
    out.write(f'{{"@odata.context": {json.dumps(_CONTEXT.format(context))}, "value": [')
    number = 0
    for record in records_of(hashset):
        md5 = record.digest("md5")
        if md5 is None:
            left["records without MD5, which VICS needs"] += 1
            continue
        entry: dict[str, Any] = {"MediaID": number, "MD5": md5.upper()}
        if sha1 := record.digest("sha1"):
            entry["SHA1"] = sha1.upper()
        category = record.label.category
        if category.isascii() and category.isdigit() and len(category) < 10:
            entry["Category"] = int(category)
        elif category:
            left["categories that are no numbers, left out of their records"] += 1
        if record.about.size:
            entry["MediaSize"] = record.about.size
        others = [
            {"HashName": name, "HashValue": digest.upper()}
            for name, kind in (("SHA256", "sha256"), ("SHA512", "sha512"), ("PDQ", "pdq"))
            if (digest := record.digest(kind))
        ]
        if others:
            entry["AlternativeHashes"] = others
        if rows := record.rows.get("photodna"):
            entry["PhotoDNA"] = base64.b64encode(rows[0]).decode("ascii")
        facts = dict(record.label.facts)
        entry |= {name: facts[fact] == "yes" for fact, name in _VICS_FACTS.items() if fact in facts}
        if "series" in facts:
            entry["Series"] = facts["series"]
        if "tags" in facts:
            entry["Tags"] = facts["tags"]
        for kind in ("block", "frame"):
            left[f"{kind}s, for which VICS has no place"] += len(record.rows.get(kind, ()))
        out.write((",\n" if number else "\n") + json.dumps(entry))
        number += 1
    out.write("\n]}\n")
    return +left


def write_kdb(hashset: Hashset, path: Path) -> Counter[str]:
    """Write a hash database of TSK and Autopsy (schema 1) to a new file. It is keyed by MD5; what is notable, Autopsy asks."""
    left: Counter[str] = Counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_KDB)
        db.execute("BEGIN")
        rows: list[tuple[bytes | None, ...]] = []
        names: list[tuple[str, bytes]] = []
        for record in records_of(hashset):
            digests = tuple(record.rows[kind][0] if kind in record.rows else None for kind in ("md5", "sha1", "sha256"))
            md5 = digests[0]
            if md5 is None:
                left["records without MD5, by which Autopsy looks up"] += 1
                continue
            rows.append(digests)
            if record.about.name:
                names.append((record.about.name, md5))
            for kind in KEYS:
                if kind not in LENGTHS:
                    left[f"{kind} hashes, for which a .kdb has no place"] += len(record.rows.get(kind, ()))
            if len(rows) >= _BATCH:
                _flush(db, rows, names)
        _flush(db, rows, names)
        db.execute("COMMIT")
        db.execute("CREATE INDEX md5_index ON hashes(md5)")
    return +left


def _flush(db: sqlite3.Connection, rows: list[tuple[bytes | None, ...]], names: list[tuple[str, bytes]]) -> None:
    db.executemany("INSERT OR IGNORE INTO hashes (md5, sha1, sha2_256) VALUES (?, ?, ?)", rows)
    db.executemany("INSERT OR IGNORE INTO file_names SELECT ?, id FROM hashes WHERE md5 = ?", names)
    rows.clear()
    names.clear()


TEXTS: dict[str, Callable[..., Counter[str]]] = {"vics": write_vics, "csv": write_csv, "jsonl": write_jsonl}
FORMATS = (*TEXTS, "kdb")
