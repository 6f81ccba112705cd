"""The digests of one file stay one record, whatever kinds they are; a set can be added to and taken from."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest

from triage.errors import HashsetError
from triage.hashsets.facts import Label, RecordFacts, SetFacts
from triage.hashsets.intake import Change, compile_events, compile_list
from triage.hashsets.records import HashRecord, Packed, Scheme, block_row, pdq_row
from triage.hashsets.store import Hashset
from triage.model import Meaning

FACTS = SetFacts(name="set", meaning=Meaning.NOTABLE)


def md5(text: str) -> bytes:
    return hashlib.md5(text.encode()).digest()


def sha1(text: str) -> bytes:
    return hashlib.sha1(text.encode()).digest()


def pdq(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def compiled(path, *events, base=None, change=None, chunk_bytes=1 << 20):
    report = compile_events(events, path, FACTS, base=base, change=change, chunk_bytes=chunk_bytes)
    return report, Hashset(path)


def records_of(hashset, kind, *digests):
    rows = hashset.find(kind, b"".join(digests))
    assert (rows >= 0).all()
    return hashset.records(kind, rows).tolist()


@pytest.mark.parametrize("chunk_bytes", [64, 1 << 20])
def test_every_kind_of_a_file_leads_to_its_record(tmp_path, chunk_bytes):
    events = [
        HashRecord(
            md5(n),
            sha1(n),
            None,
            "2",
            (("pdq", pdq_row(pdq(n), b"12345678")), ("ed2k", md5("e" + n)), ("block", block_row(md5("b" + n), 7))),
            size=5000,
            name=f"{n}.jpg",
        )
        for n in map(str, range(50))
    ]
    report, hashset = compiled(tmp_path / "x", *events, chunk_bytes=chunk_bytes)
    assert (report.records, report.duplicates) == (50, 0)
    with hashset:
        numbers = records_of(hashset, "md5", *(md5(str(n)) for n in range(50)))
        assert numbers == records_of(hashset, "sha1", *(sha1(str(n)) for n in range(50)))
        assert numbers == records_of(hashset, "ed2k", *(md5(f"e{n}") for n in range(50)))
        assert numbers == records_of(hashset, "block", *(md5(f"b{n}") for n in range(50)))
        index = hashset.alike("pdq")
        assert index is not None
        hits = index.search(np.frombuffer(pdq("7") + pdq("nobody"), np.uint8).reshape(-1, 32), 0)
        assert hits.query.tolist() == [0]
        assert hashset.records("pdq", hits.row).tolist() == [numbers[7]]
        assert hashset.more("pdq", hits.row).tobytes() == b"\x0112345678"
        assert hashset.about(numbers[7]) == RecordFacts(5000, 1, 0, "7.jpg")
        assert hashset.about(4_000_000_000) == RecordFacts()
        row = int(hashset.find("block", md5("b7"))[0])
        assert hashset.rows("block", row, row + 1).tobytes() == md5("b7") + numbers[7].to_bytes(4, "big") + (7).to_bytes(4, "big")
        hashset.check()


def test_a_block_or_frame_that_several_files_have_leads_to_each(tmp_path):
    events = [HashRecord(md5(n), None, None, "", (("block", block_row(md5("same"), k)),)) for k, n in enumerate("abc")]
    with compiled(tmp_path / "x", *events)[1] as hashset:
        first = int(hashset.find("block", md5("same"))[0])
        rows = hashset.same_key("block", first)
        assert [bytes(r)[16:].hex() for r in hashset.rows("block", rows.start, rows.stop)] == [f"{k:08x}{k:08x}" for k in range(3)]


def test_record_that_repeats_keeps_the_first_number(tmp_path):
    one = HashRecord(md5("a"), sha1("a"), None, "1")
    with compiled(tmp_path / "x", one, HashRecord(md5("b"), sha1("b")), one)[1] as hashset:
        assert records_of(hashset, "md5", md5("a"), md5("b")) == records_of(hashset, "sha1", sha1("a"), sha1("b")) == [0, 1]
        assert hashset.facts.records == 2


def test_plain_list_of_one_kind_spends_nothing_on_records(tmp_path):
    digests = b"".join(md5(str(n)) for n in range(100))
    with compiled(tmp_path / "x", Packed("md5", digests))[1] as hashset:
        assert not hashset.linked
        assert records_of(hashset, "md5", digests) == hashset.find("md5", digests).tolist()


def test_labels_keep_category_and_facts_as_the_list_has_them(tmp_path):
    facts = (("series", "Blue"), ("victim_identified", "no"))
    events = [
        Scheme("VICS 2.0 US"),
        HashRecord(md5("a"), None, None, "1", facts=facts),
        HashRecord(md5("b"), None, None, "1"),
        HashRecord(md5("c")),
    ]
    report, hashset = compiled(tmp_path / "x", *events)
    assert report.facts.scheme == "VICS 2.0 US"
    with hashset:
        codes = hashset.lookup("md5", md5("a") + md5("b") + md5("c"))
        assert [hashset.label(int(code)) for code in codes] == [Label("1", facts), Label("1"), Label("")]


def test_records_that_nothing_can_be_compared_with_are_counted(tmp_path):
    events = [
        HashRecord(None, None, None, "1", (("photodna", bytes(range(144))),)),
        HashRecord(md5("a"), None, None, "1", (("photodna", bytes(144)),)),
        HashRecord(more=(("sha512", b"x" * 64),)),
    ]
    report, hashset = compiled(tmp_path / "x", *events)
    hashset.close()
    assert dict(report.facts.uncompared) == {"photodna": 1, "sha512": 1}
    assert report.records == 3


def linked_set(path):
    return compiled(path, *(HashRecord(md5(str(n)), sha1(str(n)), None, str(n % 3), (("pdq", pdq(str(n))),)) for n in range(40)))[1]


def test_adding_makes_a_set_of_both_with_labels_and_records_of_their_own(tmp_path):
    new = [HashRecord(md5("7"), sha1("7"), None, "0"), HashRecord(md5("new"), sha1("new"), None, "fresh")]
    with linked_set(tmp_path / "a") as base:
        report, hashset = compiled(tmp_path / "b", *new, base=base, change=Change.ADD)
    with hashset:
        assert (report.records, report.duplicates) == (41, 1)
        assert records_of(hashset, "md5", md5("7"), md5("new")) == records_of(hashset, "sha1", sha1("7"), sha1("new")) == [7, 41]
        assert hashset.category(int(hashset.lookup("md5", md5("new"))[0])) == "fresh"
        assert hashset.category(int(hashset.lookup("md5", md5("8"))[0])) == "2"
        assert [step["action"] for step in hashset.facts.history] == ["import", "add"]
        assert hashset.count("pdq") == 40


def test_removing_takes_a_record_with_all_its_digests(tmp_path):
    with linked_set(tmp_path / "a") as base:
        gone = [HashRecord(md5("7")), HashRecord(None, sha1("9")), HashRecord(md5("never there")), HashRecord(more=(("pdq", pdq("11")),))]
        report, hashset = compiled(tmp_path / "b", *gone, base=base, change=Change.REMOVE)
    with hashset:
        assert (report.removed, report.absent, report.records) == (3, 1, 37)
        for n in ("7", "9", "11"):
            assert hashset.find("md5", md5(n))[0] == hashset.find("sha1", sha1(n))[0] == -1
        assert hashset.count("pdq") == 37
        assert records_of(hashset, "md5", md5("8")) == records_of(hashset, "sha1", sha1("8"))


def test_removing_from_a_plain_set_and_from_everything(tmp_path):
    names = [str(n) for n in range(500)]
    random.Random(1).shuffle(names)
    with compiled(tmp_path / "a", Packed("sha1", b"".join(map(sha1, names))))[1] as base:
        report, hashset = compiled(tmp_path / "b", Packed("sha1", sha1("3") + sha1("x")), base=base, change=Change.REMOVE)
        with hashset:
            assert (report.removed, report.absent, hashset.count("sha1")) == (1, 1, 499)
        with pytest.raises(HashsetError, match="nothing would be left"):
            compiled(tmp_path / "c", Packed("sha1", b"".join(map(sha1, names))), base=base, change=Change.REMOVE)
        assert not (tmp_path / "c").exists()


def test_change_is_the_same_whatever_the_chunks(tmp_path):
    made = []
    for number, chunk in enumerate((100, 1 << 20)):
        with linked_set(tmp_path / f"a{number}") as base:
            compiled(tmp_path / f"b{number}", HashRecord(md5("new")), base=base, change=Change.ADD, chunk_bytes=chunk)[1].close()
        made.append((tmp_path / f"b{number}").read_bytes())
    assert made[0] == made[1]


def test_library_adds_and_removes_by_list_file(tmp_path):
    first, more = tmp_path / "first.txt", tmp_path / "more.txt"
    first.write_text("".join(f"{md5(str(n)).hex()}\n" for n in range(10)))
    more.write_text(md5("x").hex() + "\n" + md5("3").hex() + "\n")
    compile_list(first, tmp_path / "a.hset", "set", Meaning.KNOWN)
    with Hashset(tmp_path / "a.hset") as base:
        report = compile_list(more, tmp_path / "b.hset", "set", Meaning.KNOWN, base=base, change=Change.ADD)
        assert (report.records, report.duplicates) == (11, 1)
        report = compile_list(more, tmp_path / "c.hset", "set", Meaning.KNOWN, base=base, change=Change.REMOVE)
        assert (report.records, report.removed, report.absent) == (9, 1, 1)
