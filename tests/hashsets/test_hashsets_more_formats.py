"""Lists of every other make: what is read out of them, packed or not, and what is said of what is not."""

from __future__ import annotations

import base64
import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import random
import shutil
import sqlite3
import struct
import subprocess
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage.errors import HashsetError
from triage.hashsets.bloomhint import BloomHint
from triage.hashsets.detect import FORMATS, detect, reader
from triage.hashsets.intake import compile_list
from triage.hashsets.records import Blob, HashRecord, Note, Packed, Reject, Scheme, pdq_row
from triage.hashsets.source import Source
from triage.hashsets.store import Hashset
from triage.model import Meaning

if TYPE_CHECKING:
    from pathlib import Path


def md5(text: str) -> bytes:
    return hashlib.md5(text.encode()).digest()


def sha1(text: str) -> bytes:
    return hashlib.sha1(text.encode()).digest()


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def events(path: Path, data: bytes | str, fmt: str | None = None):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    source = Source(path)
    chosen = fmt or detect(source)
    return chosen, list(reader(chosen)(source))


def of(found, kind):
    return [event for event in found if isinstance(event, kind)]


def digests(found, algorithm="md5"):
    width = {"md5": 16, "sha1": 20, "sha256": 32}[algorithm]
    packed = b"".join(p.digests for p in of(found, Packed) if p.algorithm == algorithm)
    singles = [getattr(r, algorithm) for r in of(found, HashRecord) if getattr(r, algorithm)]
    return [packed[i : i + width] for i in range(0, len(packed), width)] + singles


NAMES = [str(n) for n in range(100)]
MAKERS = {
    "HashSHA1": lambda text: sha1(text).hex(),
    "HashSHA256": lambda text: sha256(text).hex(),
    "HashSHA384": lambda _: "",
    "HashSHA512": lambda text: hashlib.sha512(text.encode()).hexdigest(),
}
PDQ = sha256("a picture")


# kept kinds, sizes and facts


def test_csv_keeps_perceptual_and_partial_hashes_sizes_and_facts(tmp_path):
    photodna = bytes(range(144))
    text = (
        "MD5,PDQ,PDQ quality,pHash,PhotoDNA,ed2k,AICH,md5_512,md5_64k,fileLength,Category,Victim identified,Series name\n"
        f"{md5('a').hex()},{PDQ.hex()},80,0123456789abcdef,{base64.b64encode(photodna).decode()},{md5('e').hex()},"
        f"{base64.b32encode(sha1('i')).decode()},{md5('5').hex()},{md5('6').hex()},70000,2,N,Blue\n"
        f"{md5('b').hex()},{PDQ.hex()},49,,,,,,,,,,\n"
        f"{md5('c').hex()},{'0' * 64},,,{photodna.hex()},,,,,,,yes,\n"
    )
    fmt, found = events(tmp_path / "x", text)
    first, second, third = of(found, HashRecord)
    assert (fmt, first.category, first.size, first.facts) == ("csv", "2", 70000, (("series", "Blue"), ("victim_identified", "no")))
    assert dict(first.more) == {
        "pdq": pdq_row(PDQ, bytes.fromhex("0123456789abcdef")),
        "photodna": photodna,
        "ed2k": md5("e"),
        "aich": sha1("i"),
        "md5_512": md5("5"),
        "md5_64k": md5("6"),
    }
    assert (second.more, dict(third.more), third.facts) == ((), {"photodna": photodna}, (("victim_identified", "yes"),))
    said = [(r.line, r.reason) for r in of(found, Reject)]
    assert [line for line, _ in said] == [3, 4]
    assert "quality 49" in said[0][1]
    assert "nothing in it" in said[1][1]


def test_icse_csv_of_interpol_is_read_with_ragged_rows_and_its_flags(tmp_path):
    text = (
        "MD5;SHA1;PhotoDNA;Image ID;Is distributed;Victim identified;Offender identified;Series name;"
        "Number of submissions;File Available;Media Type;Baseline\n"
        f"{md5('a').hex().upper()};{sha1('a').hex()};{bytes(144).hex()};17;Yes;n;F;Red;3;y;image;y\n"
        f"{md5('b').hex()};;;18\n"
    )
    _, found = events(tmp_path / "x", text)
    first, second = of(found, HashRecord)
    assert (first.md5, first.sha1, dict(first.more)) == (md5("a"), sha1("a"), {"photodna": bytes(144)})
    assert dict(first.facts) == {"distributed": "yes", "victim_identified": "no", "offender_identified": "no", "series": "Red"}
    assert (second.md5, second.facts) == (md5("b"), ())


@pytest.mark.parametrize(
    "header",
    [
        '"file_id","hashset_id","file_name","directory","hash","file_size","date_modified","time_modified","time_zone","comments","date_accessed","time_accessed"',
        "V1Hash,HashType,SetDescription,FileName,FilePath,FileSize",
        "V3Hash,HashSHA1,FileName,FilePath,FileSize,HashSHA256,HashSHA384,HashSHA512",
    ],
)
def test_hashkeeper_and_ilook_lists_are_read(tmp_path, header):
    names = next(csv.reader([header]))
    rows = []
    for n in NAMES[:5]:
        cells = ["x"] * len(names)
        cells[next(i for i, c in enumerate(names) if c in ("hash", "V1Hash", "V3Hash"))] = md5(n).hex()
        for column, make in MAKERS.items():
            if column in names:
                cells[names.index(column)] = make(n)
        rows.append(",".join(f'"{c}"' for c in cells))
    fmt, found = events(tmp_path / "x.hsh", "\r\n".join([header, *rows]) + "\r\n")
    assert (fmt, digests(found), of(found, Reject)) == ("csv", [md5(n) for n in NAMES[:5]], [])
    if "HashSHA512" in names:
        assert [dict(r.more)["sha512"] for r in of(found, HashRecord)] == [hashlib.sha512(n.encode()).digest() for n in NAMES[:5]]


@pytest.mark.parametrize(
    "header",
    [
        '"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"',
        '"SHA-1","FileName","FileSize","ProductCode","OpSystemCode","MD4","MD5","CRC32","SpecialCode"',
    ],
)
def test_nsrl_2_is_read_out_of_its_zip(tmp_path, header):
    names = next(csv.reader([header]))
    made = {"SHA-1": lambda n: sha1(n).hex().upper(), "MD5": lambda n: md5(n).hex().upper(), "FileName": lambda n: f"na\xefve, {n}"}
    lines = [header] + [",".join(f'"{made.get(c, lambda _: "")(n)}"' for c in names) for n in NAMES]
    with zipfile.ZipFile(tmp_path / "rds.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("version.txt", "x")
        archive.writestr("minimal/NSRLFile.txt", "\r\n".join(lines).encode("latin-1"))
        archive.writestr("NSRLProd.txt", "x")
    report = compile_list(tmp_path / "rds.zip", None, "x", Meaning.KNOWN)
    assert (report.facts.format, report.records, report.rejected) == ("csv", 100, 0)
    assert report.digests == {"md5": 100, "sha1": 100}


def test_vics_scheme_and_the_note_about_category_8(tmp_path):
    for context, scheme in (
        ("http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/US/$metadata#Media", "VICS 2.0 US"),
        ("http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media", "VICS 1.3"),
    ):
        text = json.dumps(
            {"@odata.context": context, "value": [{"MD5": md5("a").hex(), "Category": 8, "Series": "S", "Tags": ["a", "b"]}]}, indent=1
        )
        _, found = events(tmp_path / "x", text)
        assert [s.text for s in of(found, Scheme)] == [scheme]
        assert any("harmless" in note.text for note in of(found, Note))
        assert of(found, HashRecord)[0].facts == (("series", "S"), ("tags", "a, b"))


# databases and binary forms


def kdb(path: Path, rows) -> Path:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE db_properties (name TEXT NOT NULL, value TEXT); INSERT INTO db_properties VALUES ('Schema Version', '1');"
            "CREATE TABLE hashes (id INTEGER PRIMARY KEY AUTOINCREMENT, md5 BINARY(16) UNIQUE, sha1 BINARY(20), sha2_256 BINARY(32));"
            "CREATE TABLE file_names (name TEXT NOT NULL, hash_id INTEGER NOT NULL, PRIMARY KEY(name, hash_id));"
            "CREATE TABLE comments (comment TEXT NOT NULL, hash_id INTEGER NOT NULL, PRIMARY KEY(comment, hash_id));"
        )
        db.executemany("INSERT INTO hashes (md5, sha1, sha2_256) VALUES (?, ?, ?)", rows)
        db.commit()
    return path


def test_kdb_of_autopsy_is_read_with_raw_digests(tmp_path):
    path = kdb(tmp_path / "x.kdb", [(md5("a"), None, None), (md5("b"), sha1("b"), sha256("b")), (b"short", None, None), (None, None, None)])
    source = Source(path)
    assert detect(source) == "kdb"
    found = list(reader("kdb")(source))
    assert of(found, HashRecord) == [HashRecord(md5("a")), HashRecord(md5("b"), sha1("b"), sha256("b"))]
    assert [r.line for r in of(found, Reject)] == [3, 4]


def test_index_of_hfind_is_read_and_a_bad_line_costs_that_line(tmp_path):
    lines = ["0" * 41 + "|md5sum", "0" * 40 + "1|known bad.txt"]
    lines += [f"{d.hex().upper()}|{at * 50:016d}" for at, d in enumerate(sorted(md5(n) for n in NAMES))]
    fmt, found = events(tmp_path / "x-md5.idx", "\n".join(lines) + "\n")
    assert (fmt, sorted(digests(found))) == ("hfind", sorted(md5(n) for n in NAMES))
    assert any("known bad.txt" in note.text for note in of(found, Note))
    lines[50] = "nonsense|1"
    _, found = events(tmp_path / "y-md5.idx", "\n".join(lines) + "\n")
    assert (len(digests(found)), [r.line for r in of(found, Reject)]) == (99, [51])


@pytest.mark.skipif(shutil.which("hfind") is None, reason="hfind is not installed")
def test_index_that_hfind_itself_makes_is_read(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("".join(f"{md5(n).hex()}  name {n}\n" for n in NAMES))
    subprocess.run(["hfind", "-i", "md5sum", str(path)], check=True, capture_output=True)
    report = compile_list(tmp_path / "list.txt-md5.idx", None, "x", Meaning.KNOWN)
    assert (report.facts.format, report.records, report.rejected) == ("hfind", 100, 0)


def encase(names, count=None) -> bytes:
    head = bytearray(0x480)
    head[:8] = b"HASH\r\n\xff\0"
    struct.pack_into("<III", head, 8, 2, 1, len(names) if count is None else count)
    head[0x408 : 0x408 + 16] = "Case 17\0".encode("utf-16-le")
    head[0x458 : 0x458 + 16] = "Notable\0".encode("utf-16-le")
    return bytes(head) + b"".join(md5(n) + b"\1\0" for n in names)


def test_encase_hash_set_is_read_by_its_count_and_told_when_it_is_short_or_long(tmp_path):
    fmt, found = events(tmp_path / "x.hash", encase(NAMES))
    assert (fmt, digests(found)) == ("encase", [md5(n) for n in NAMES])
    assert "Case 17" in of(found, Note)[0].text
    assert "Notable" in of(found, Note)[0].text
    _, found = events(tmp_path / "x.hash", encase(NAMES, count=150)[:-5])
    assert (len(digests(found)), "counts 150 digests, 99 are there" in of(found, Note)[-1].text) == (99, True)
    _, found = events(tmp_path / "x.hash", encase(NAMES, count=10))
    assert (len(digests(found)), "more bytes follow" in of(found, Note)[-1].text) == (10, True)
    with pytest.raises(HashsetError, match="within its header"):
        events(tmp_path / "x.hash", encase([])[:100])


def test_misp_export_takes_file_digests_that_are_marked_and_says_the_rest(tmp_path):
    header = (
        "uuid,event_id,category,type,value,comment,to_ids,date,object_relation,attribute_tag,object_uuid,object_name,object_meta_category"
    )
    rows = [
        f"u,1,Payload delivery,md5,{md5('a').hex()},,1,0,,,,,",
        f'u,1,Payload delivery,filename|sha1,"we|ird.exe|{sha1("b").hex()}",,1,0,,,,,',
        f"u,1,Payload delivery,sha256,{sha256('c').hex()},,0,0,,,,,",
        "u,1,Network activity,domain,example.org,,1,0,,,,,",
        "u,1,Payload delivery,ssdeep,3:abc:d,,1,0,,,,,",
    ]
    fmt, found = events(tmp_path / "x.csv", "\n".join([header, *rows]))
    first, second = of(found, HashRecord)
    assert (fmt, first.md5, first.category, second.sha1, second.name) == ("misp", md5("a"), "Payload delivery", sha1("b"), "we|ird.exe")
    assert [(r.line, r.reason) for r in of(found, Reject)] == [
        (4, "not marked for detection (to_ids)"),
        (5, "no digest of a file (domain)"),
    ]


def test_hashes_of_a_misp_feed_are_refused_since_they_are_of_no_files(tmp_path):
    rows = "".join(f"{md5(n).hex()},5b8a6b5c-3a24-4d5e-8f0a-0123456789ab\n" for n in NAMES)
    with pytest.raises(HashsetError, match="not of files"):
        events(tmp_path / "hashes.csv", rows)


def bloom(names, capacity=1000, rate=1e-4) -> bytes:
    """A filter as flor writes it, made by the published rule one key at a time."""
    import math

    bits = math.ceil(abs(capacity * math.log(rate)) / math.log(2) ** 2)
    functions = math.ceil(math.log(2) * bits / capacity)
    field = bytearray(-(-bits // 64) * 8)
    for name in names:
        value = 14695981039346656037
        for byte in sha1(name).hex().upper().encode():
            value = (value * 1099511628211) % 2**64 ^ byte
        value %= 18446744073709551557
        for _ in range(functions):
            value = (value * 18446744073709550147 % 2**64) % 18446744073709551557
            field[value % bits >> 3] |= 1 << (value % bits & 7)
    return struct.pack("<QQdQQQ", 1, capacity, rate, functions, bits, len(names)) + bytes(field)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bloom_filter_of_hashlookup_is_kept_whole_as_a_hint(tmp_path, pack):
    path = tmp_path / "x.bloom"
    path.write_bytes(pack(bloom(NAMES)))
    report = compile_list(path, tmp_path / "x.hset", "hints", Meaning.KNOWN)
    assert (report.facts.hint, report.facts.format) == (True, "hashlookup")
    assert any("hints" in note for note in report.notes)
    with Hashset(tmp_path / "x.hset") as hashset:
        hint = BloomHint(hashset.blob("hashlookup"))
        assert hint.has([sha1(n).hex() for n in NAMES]) == [True] * 100
        others = hint.has([sha1(f"other {n}").hex() for n in range(5000)])
        assert sum(others) < 10
        del hint


def test_filter_that_is_cut_or_lies_is_refused(tmp_path):
    whole = bloom(NAMES)
    (tmp_path / "x").write_bytes(whole[:-100])
    with pytest.raises(HashsetError, match="before its end"):
        compile_list(tmp_path / "x", tmp_path / "y", "x", Meaning.KNOWN)
    for at, value in ((8, 0), (24, 1 << 40), (32, 1 << 60), (32, 0)):
        lying = bytearray(whole)
        struct.pack_into("<Q", lying, at, value)
        with pytest.raises(ValueError, match="filter"):
            BloomHint(memoryview(bytes(lying)))


@pytest.mark.parametrize("meaning", [Meaning.NOTABLE, Meaning.IGNORABLE])
def test_filter_can_be_nothing_but_known(tmp_path, meaning):
    (tmp_path / "x").write_bytes(bloom(NAMES))
    with pytest.raises(HashsetError, match="may be wrong"):
        compile_list(tmp_path / "x", tmp_path / "y", "x", meaning)


# SQL as text


SQL = """-- a delta
BEGIN TRANSACTION;
INSERT INTO PKG VALUES(1,'it''s (a), name','1.0');
INSERT INTO FILE(sha256,sha1,md5,crc32,file_name,file_size,package_id) VALUES('{0}','{1}','{2}','00000000','a),('';b',5,1);
INSERT INTO "FILE" VALUES('{3}','{4}','{5}','n',5,1),
 ('{6}','{7}','{8}','two
lines',5,1);
UPDATE FILE SET package_id=2 WHERE md5='{2}';
DELETE FROM FILE WHERE sha256='{9}' AND md5='{10}';
INSERT INTO FILE VALUES('broken
"""


def test_nsrl_delta_is_read_as_text_and_deletions_are_not_lost(tmp_path):
    values = [make(n).hex().upper() for n in "abc" for make in (sha256, sha1, md5)] + [sha256("d").hex(), md5("d").hex()]
    fmt, found = events(tmp_path / "x.sql", SQL.format(*values))
    assert fmt == "nsrl-sql"
    assert of(found, HashRecord) == [HashRecord(md5(n), sha1(n), sha256(n)) for n in "abc"]
    notes = " ".join(note.text for note in of(found, Note))
    assert "1 DELETE" in notes
    assert "1 UPDATE" in notes
    assert [r.reason for r in of(found, Reject)] == ["a statement without an end"]
    _, found = events(tmp_path / "x.sql", SQL.format(*values), "nsrl-sql-deleted")
    assert of(found, HashRecord) == [HashRecord(md5("d"), None, sha256("d"))]


# JSON lines


def test_json_lines_of_any_make_and_our_own(tmp_path):
    lines = [
        {"md5": md5("a").hex(), "category": 3, "size": 9, "name": "a.jpg"},
        {"hashes": {"SHA-256": sha256("b").hex(), "MD5": md5("b").hex()}, "verdict": "x"},
        {
            "md5": md5("c").hex(),
            "pdq": PDQ.hex(),
            "phash": "00" * 8,
            "blocks": [[7, md5("blk").hex()], ["x", 1]],
            "frames": [PDQ.hex()],
            "facts": {"series": "S"},
        },
        {"nothing": 1},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\n{broken\n"
    fmt, found = events(tmp_path / "x", text)
    first, second, third = of(found, HashRecord)
    assert (fmt, first.md5, first.category, first.size, first.name) == ("jsonl", md5("a"), "3", 9, "a.jpg")
    assert (second.md5, second.sha256) == (md5("b"), sha256("b"))
    assert third.more == (("pdq", pdq_row(PDQ, bytes(8))), ("block", md5("blk") + (7).to_bytes(4, "big")), ("frame", PDQ))
    assert third.facts == (("series", "S"),)
    assert [r.line for r in of(found, Reject)] == [3, 4, 5]


# packed lists


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_lists_are_read_and_a_cut_one_is_refused(tmp_path, pack):
    data = pack("".join(f"{md5(n).hex()}\n" for n in NAMES).encode())
    path = tmp_path / "list"
    path.write_bytes(data)
    report = compile_list(path, None, "x", Meaning.KNOWN)
    assert (report.records, report.facts.format, report.facts.source_sha256) == (100, "plain", hashlib.sha256(data).hexdigest())
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(HashsetError, match="cannot be unpacked"):
        compile_list(path, None, "x", Meaning.KNOWN)


def test_zip_of_several_lists_names_them_and_takes_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", md5("a").hex())
        archive.writestr("b.txt", md5("b").hex())
    with pytest.raises(HashsetError, match=r"a\.txt.*b\.txt"):
        Source(tmp_path / "x.zip")


def test_database_inside_an_archive_is_to_be_unpacked_first(tmp_path):
    path = kdb(tmp_path / "x.kdb", [(md5("a"), None, None)])
    (tmp_path / "x.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(HashsetError, match="SQLite"):
        compile_list(tmp_path / "x.gz", None, "x", Meaning.KNOWN)


def test_bomb_is_ended_long_before_it_fills_anything(tmp_path, monkeypatch):
    monkeypatch.setattr("triage.hashsets.packing._FREE", 1 << 20)
    data = (md5("a").hex() + "\n").encode() * (1 << 18)
    (tmp_path / "x.xz").write_bytes(lzma.compress(data))
    with pytest.raises(HashsetError, match="no hash list does"):
        compile_list(tmp_path / "x.xz", None, "x", Meaning.KNOWN)


# whatever the bytes


SAMPLES = {
    "encase": encase(NAMES[:20]),
    "hfind": ("0" * 41 + "|md5sum\n" + "".join(f"{md5(n).hex()}|{0:016d}\n" for n in NAMES[:20])).encode(),
    "misp": b"uuid,event_id,category,type,value,comment,to_ids,date\nu,1,c,md5," + md5("a").hex().encode() + b",,1,0\n",
    "jsonl": json.dumps({"md5": md5("a").hex(), "blocks": [[1, md5("b").hex()]]}).encode() + b"\n",
    "nsrl-sql": SQL.format(*["AB" * 32] * 11).encode(),
    "nsrl-sql-deleted": SQL.format(*["AB" * 32] * 11).encode(),
    "hashlookup": bloom(NAMES[:10], capacity=50),
}


@pytest.mark.parametrize("fmt", sorted(SAMPLES))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_bytes_a_reader_ends_with_events_or_an_error_of_ours(tmp_path, fmt, data):
    sample = bytearray(SAMPLES[fmt])
    rng = random.Random(data.draw(st.integers(0, 1 << 32)))
    for _ in range(rng.randrange(1, 8)):
        at = rng.randrange(len(sample))
        sample[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(6))
    path = tmp_path / "x"
    path.write_bytes(bytes(sample[: rng.randrange(1, len(sample) + 1)]))
    try:
        found = list(reader(fmt)(Source(path)))
        for blob in of(found, Blob):
            list(blob.parts)
    except (HashsetError, ValueError):
        return
    for record in of(found, HashRecord):
        assert all(len(value) in (16, 20, 32, 64, 24, 144, 41) for _, value in record.more)


def test_every_format_has_a_name_for_the_command_line():
    assert set(SAMPLES) <= set(FORMATS)
    with io.StringIO() as text:
        print(*FORMATS, file=text)
        assert "kdb" in text.getvalue()
