"""The compiled set answers exactly as a Python set would, however it was sorted, and shows when it is damaged."""

from __future__ import annotations

import hashlib
import json
import mmap
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import HashsetError
from triage.hashsets import columns
from triage.hashsets.columns import write_store
from triage.hashsets.facts import Label, SetFacts
from triage.hashsets.records import EMPTY_FILE, LENGTHS
from triage.hashsets.sorting import NO_CATEGORY, PRIMARY, Sorter
from triage.hashsets.store import Hashset
from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CATEGORIES = [Label("first"), Label("second"), Label("third")]
FACTS = SetFacts(name="set", meaning=Meaning.NOTABLE, category="own", source="list.txt", source_sha256="00")


def build(path: Path, rows: dict[str, Iterable[tuple[bytes, int]]], *, chunk_bytes: int = 1 << 20, facts: SetFacts = FACTS) -> SetFacts:
    sorters = {name: Sorter(name, path.parent, chunk_bytes=chunk_bytes) for name in rows}
    try:
        for name, digests in rows.items():
            for digest, code in digests:
                sorters[name].add(digest, code | PRIMARY)
        return write_store(path, sorters, CATEGORIES, facts)
    finally:
        for sorter in sorters.values():
            sorter.close()


def found(hashset: Hashset, algorithm: str, digests: list[bytes]) -> list[str | None]:
    numbers = hashset.lookup(algorithm, b"".join(digests)).tolist()
    return [None if number < 0 else hashset.category(number) for number in numbers]


# Digests that share 7, 8 or more bytes with each other are where a store by prefixes can go wrong.
@st.composite
def digests(draw: st.DrawFn, length: int) -> bytes:
    head = draw(
        st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\x80" + b"\0" * 7, b"ABCDEFGH", b"ABCDEFG\0"]) | st.binary(min_size=8, max_size=8)
    )
    tail = draw(st.sampled_from([b"\0" * (length - 8), b"\xff" * (length - 8)]) | st.binary(min_size=length - 8, max_size=length - 8))
    return head + tail


@pytest.mark.parametrize("algorithm", list(LENGTHS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lookups_agree_with_a_python_set(tmp_path_factory, algorithm, data):
    one = digests(LENGTHS[algorithm])
    rows = data.draw(st.lists(st.tuples(one, st.sampled_from([0, 1, 2, NO_CATEGORY])), min_size=1, max_size=60))
    others = data.draw(st.lists(one, max_size=30))
    expected: dict[bytes, int] = {}
    for digest, code in rows:
        expected[digest] = min(expected.get(digest, NO_CATEGORY), code)
    path = tmp_path_factory.mktemp("store") / "x.hset"
    facts = build(path, {algorithm: rows}, chunk_bytes=data.draw(st.sampled_from([1, 100, 1 << 20])))
    assert (facts.records, dict(facts.digests)) == (len(expected), {algorithm: len(expected)})
    asked = [digest for digest, _ in rows] + others
    data.draw(st.randoms(use_true_random=False)).shuffle(asked)
    names = {0: "first", 1: "second", 2: "third", NO_CATEGORY: "own"}
    with Hashset(path) as hashset:
        hashset.check()
        assert found(hashset, algorithm, asked) == [names.get(expected.get(digest, -1)) for digest in asked]


@pytest.mark.parametrize("chunk_bytes", [16 * 700, 1 << 24])
def test_many_random_digests_all_hit_and_others_all_miss(tmp_path, chunk_bytes):
    rng = random.Random(5)
    members = [rng.randbytes(16) for _ in range(20_000)]
    near = [digest[:-1] + bytes([digest[-1] ^ 1]) for digest in members]
    build(tmp_path / "x", {"md5": ((d, NO_CATEGORY) for d in members)}, chunk_bytes=chunk_bytes)
    with Hashset(tmp_path / "x") as hashset:
        assert (hashset.lookup("md5", b"".join(members)) == NO_CATEGORY).all()
        assert (hashset.lookup("md5", b"".join(near + [rng.randbytes(16) for _ in range(150_000)])) == -1).all()


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_filter_that_is_written_in_pieces_is_the_same(tmp_path, monkeypatch, rows):
    rng = random.Random(10)
    members = [(rng.randbytes(16), 0) for _ in range(3000)]
    build(tmp_path / "whole", {"md5": members})
    monkeypatch.setattr("triage.hashsets.columns._FILTER_ROWS", rows)
    build(tmp_path / "pieces", {"md5": members})
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()


def test_digest_behind_the_last_one_that_passes_the_filter_misses(tmp_path):
    member, other = bytes.fromhex("ff00000000abcdef") + b"x" * 8, bytes.fromhex("ff11111111abcdef") + b"x" * 8
    build(tmp_path / "x", {"md5": [(member, 0)]})
    with Hashset(tmp_path / "x") as hashset:
        assert hashset.lookup("md5", other + member).tolist() == [-1, 0]


def test_the_file_does_not_depend_on_how_it_was_sorted(tmp_path):
    rng = random.Random(6)
    rows = [(rng.randbytes(20), rng.choice([0, 1, NO_CATEGORY])) for _ in range(5000)] * 2
    for number, chunk_bytes in enumerate((20 * 100, 20 * 3001, 1 << 24)):
        rng.shuffle(rows)
        build(tmp_path / str(number), {"sha1": rows}, chunk_bytes=chunk_bytes)
    assert len({(tmp_path / str(number)).read_bytes() for number in range(3)}) == 1


def test_merge_runs_in_blocks_that_do_not_grow_with_the_list(tmp_path):
    sorter = Sorter("md5", tmp_path, chunk_bytes=16 * 2048)
    rng = random.Random(7)
    for _ in range(40_000):
        sorter.add(rng.randbytes(16), PRIMARY)
    blocks = [len(rows.code) for rows in sorter.merged()]
    sorter.close()
    assert sum(blocks) == 40_000
    assert max(blocks) < 3 * (2048 + 1024 * 20)  # a chunk, and one sample of each run
    assert list(tmp_path.iterdir()) == []


def test_packed_digests_lose_the_empty_files_and_only_those(tmp_path):
    sorter = Sorter("md5", tmp_path, chunk_bytes=48)
    good = [bytes([n]) * 16 for n in range(9)]
    # Twice in a row it holds the empty digest out of step
    straddling = EMPTY_FILE["md5"][8:] + EMPTY_FILE["md5"][:8]
    refused = sorter.add_packed(b"".join([*good, EMPTY_FILE["md5"], straddling, straddling, EMPTY_FILE["md5"]]))
    kept = [p.to_bytes(8, "big") + bytes(r) for rows in sorter.merged() for p, r in zip(rows.prefix.tolist(), rows.rest, strict=True)]
    sorter.close()
    assert refused == 2
    assert kept == sorted([*good, straddling])


def test_digest_in_two_categories_keeps_the_first_and_is_counted(tmp_path):
    rows = [(b"a" * 16, NO_CATEGORY), (b"a" * 16, 2), (b"a" * 16, 1), (b"b" * 16, 1), (b"b" * 16, NO_CATEGORY)]
    for chunk_bytes in (16, 1 << 20):
        assert build(tmp_path / "x", {"md5": rows}, chunk_bytes=chunk_bytes).conflicts == 1
        with Hashset(tmp_path / "x") as hashset:
            assert found(hashset, "md5", [b"a" * 16, b"b" * 16]) == ["second", "second"]


def test_import_date_is_in_the_header_but_in_no_digest(tmp_path):
    rows = {"md5": [(b"a" * 16, 0)]}
    dated = SetFacts(**{name: getattr(FACTS, name) for name in FACTS.__slots__} | {"imported": "2026-01-01"})
    one, two = build(tmp_path / "1", rows), build(tmp_path / "2", rows, facts=dated)
    assert one.integrity == two.integrity
    with Hashset(tmp_path / "2") as hashset:
        assert hashset.facts == two
        assert hashset.facts.imported == "2026-01-01"


def test_a_set_without_an_algorithm_misses_in_it(tmp_path):
    build(tmp_path / "x", {"md5": [(b"a" * 16, 0)]})
    with Hashset(tmp_path / "x") as hashset:
        assert hashset.algorithms == ("md5",)
        assert hashset.lookup("sha256", b"a" * 64).tolist() == [-1, -1]
        assert hashset.lookup("md5", b"").tolist() == []


def test_lookup_maps_the_file_and_copies_none_of_its_columns(tmp_path):
    rng = random.Random(8)
    build(tmp_path / "x", {"sha256": ((rng.randbytes(32), 0) for _ in range(5000))})
    with Hashset(tmp_path / "x") as hashset:
        for array in hashset._exact["sha256"]:
            base = array
            while isinstance(base, np.ndarray):
                base = base.base
            assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)
            assert not array.flags.writeable


def test_cut_grown_or_foreign_files_are_refused_at_once(tmp_path):
    path = tmp_path / "x"
    build(path, {"md5": [(bytes([n]) * 16, 0) for n in range(100)]})
    whole = path.read_bytes()
    for damaged in (
        b"",
        whole[:63],
        whole[: len(whole) // 2],
        whole[:-1],
        whole + b"\0",
        b"x" + whole[1:],
        whole[:16] + b"\7" + whole[17:],
    ):
        path.write_bytes(damaged)
        with pytest.raises(HashsetError) as caught:
            Hashset(path)
        assert caught.value.hint
    with pytest.raises(HashsetError, match="no compiled set"):
        Hashset(tmp_path / "none")


def test_every_damaged_byte_of_a_column_is_found_by_the_full_check(tmp_path):
    path = tmp_path / "x"
    build(path, {"md5": [(bytes([n]) * 16, 0) for n in range(40)], "sha1": [(bytes([n]) * 20, 0) for n in range(40)]})
    whole = path.read_bytes()
    with Hashset(path) as hashset:
        columns = [table[name][:2] for table in hashset._columns.values() for name in ("prefix", "tail", "bloom")]
    rng = random.Random(9)
    for offset, length in columns:
        at = offset + rng.randrange(length)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        with Hashset(path) as hashset, pytest.raises(HashsetError, match="damaged"):
            hashset.check()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_random_damage_gives_answers_or_our_own_error(damaged_store, data):
    path, whole = damaged_store
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        with Hashset(path) as hashset:
            for number in hashset.lookup("md5", b"".join(bytes([n]) * 16 for n in range(60))).tolist():
                if number >= 0:
                    hashset.category(number)
    except HashsetError:
        assert content != whole


@pytest.fixture(scope="module")
def damaged_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("damage") / "x"
    build(path, {"md5": [(bytes([n]) * 16, n % 3) for n in range(60)]})
    return path, path.read_bytes()


def test_header_with_wrong_places_is_refused_even_if_its_digests_fit(tmp_path):
    path = tmp_path / "x"
    build(path, {"md5": [(bytes([n]) * 16, 0) for n in range(9)]})
    whole = path.read_bytes()
    magic, version, _, offset, length, _ = columns.PREAMBLE.unpack_from(whole)
    for change in ({"rows": 10**12}, {"rows": 0}, {"prefix": [1 << 40, 72, ""]}, {"prefix": [-64, 72, ""]}, {"tail": None}, {"rows": "x"}):
        header = json.loads(whole[offset : offset + length])
        header["columns"]["md5"].update(change)
        header["integrity"] = columns.integrity_of(header)
        data = json.dumps(header).encode()
        digest = hashlib.sha256(data).digest()[:16]
        path.write_bytes(columns.PREAMBLE.pack(magic, version, 0, offset, len(data), digest) + whole[64:offset] + data)
        with pytest.raises(HashsetError, match="damaged"):
            Hashset(path)
