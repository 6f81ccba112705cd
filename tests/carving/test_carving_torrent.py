"""Torrents: one bencoded dictionary to its own end, with what it would have downloaded."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import NOISE, assert_whole, bencode, mutants, reads_little, survives, torrent, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

SAID = torrent()
TORRENT = bencode(SAID)


def test_real_torrents_are_found_to_their_last_byte(evidence_root: Path) -> None:
    folder = evidence_root / "artifacts" / "iped"
    found = assert_whole("torrent", (folder / "test_torrentSimple.torrent").read_bytes())
    assert found.facts["name"] == "NovaROFull_19112020.exe"
    found = assert_whole("torrent", (folder / "test_torrentMultiple.torrent").read_bytes())
    assert (found.facts["name"], found.facts["files"]) == ("Big Buck Bunny", 3)
    assert found.facts["info_hash"] == "dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c"
    assert assert_whole("torrent", (folder / "test_resume.dat").read_bytes()).extension == "dat"


def test_a_torrent_ends_with_its_dictionary() -> None:
    found = assert_whole("torrent", TORRENT)
    assert found.facts == {
        "name": "holiday",
        "tracker": "http://tracker.example/announce",
        "comment": "all of it",
        "info_hash": hashlib.sha1(bencode(SAID["info"])).hexdigest(),
        "files": 3,
    }
    single = {"announce": "udp://x", "info": {"length": 5_000_000_000, "name": "film.mkv", "piece length": 4, "pieces": NOISE[:400_000]}}
    assert assert_whole("torrent", bencode(single)).facts["size"] == 5_000_000_000
    newer = {
        "info": {"name": "x", "piece length": 4, "meta version": 2, "file tree": {"x": {"": {"length": 1, "pieces root": NOISE[:32]}}}}
    }
    assert_whole("torrent", bencode(newer))


def test_names_are_shown_harmless() -> None:
    data = bencode({"announce": "a", "info": {"length": 1, "name": "\u202egpj.exe\x1b", "piece length": 4, "pieces": NOISE[:20]}})
    found = walk("torrent", data)
    assert found is not None
    assert found.facts["name"] == "\\u202egpj.exe\\x1b"


def test_a_torrent_that_is_cut_tells_what_it_was() -> None:
    at = TORRENT.find(b"6:pieces") + 20
    found = walk("torrent", TORRENT[:at])
    assert found is not None
    assert (found.structure, found.length, found.facts["name"]) == (Structure.TRUNCATED, at, "holiday")
    # In the middle of its list of files something else follows.
    at = TORRENT.find(b"5:1.jpg") + 7
    found = walk("torrent", TORRENT[:at] + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, at)
    assert found.facts["tracker"] == "http://tracker.example/announce"


def test_pieces_that_were_overwritten_by_a_shorter_or_longer_run_are_noticed() -> None:
    at = TORRENT.find(b"6:pieces") + 100
    found = walk("torrent", TORRENT[:at] + NOISE[:333] + TORRENT[at:] + NOISE)
    assert found is not None
    assert found.structure is Structure.TRUNCATED


def test_dictionaries_that_are_no_torrents_are_none() -> None:
    for value in ({"announce": "x"}, {"announce": "x", "info": {"name": "x"}}, {"comment": "x", "info": "name"}):
        assert walk("torrent", bencode(value) + NOISE) is None
    info = {"name": "x", "piece length": 4, "pieces": b"no multiple of 20"}
    assert walk("torrent", bencode({"announce": "x", "info": info})) is None
    for start in (b"d8:announce", b"d4:infod", b"d7:comment"):
        for behind in (NOISE, bytes(1 << 18), b"d" * 100_000, b"l" * 100_000, b"9999999999:" * 10_000):
            assert walk("torrent", start + behind) is None
            reads_little("torrent", start + behind, 2 << 20)


def test_nesting_and_tokens_without_end_are_given_up_quickly() -> None:
    started = time.process_time()
    for middle in (b"4:listl" + b"i1e" * 3_000_000, b"1:a" + b"d1:a" * 500_000, b"1:ali" + b"0" * 1_000_000):
        found = survives("torrent", b"d8:announce3:abc" + middle, allowance=1 << 40)
        assert found is None or found.structure is Structure.TRUNCATED
    assert time.process_time() - started < 6


@given(st.binary(max_size=2000), st.integers(11, 300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int) -> None:
    survives("torrent", TORRENT[:keep] + behind)


values = st.recursive(
    st.integers(-(1 << 62), 1 << 62) | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.binary(min_size=1, max_size=8), inner, max_size=5),
    max_leaves=20,
)


@given(values, st.binary(max_size=64))
@settings(max_examples=100, deadline=None)
def test_whatever_stands_beside_the_info_the_end_is_found(value: object, behind: bytes) -> None:
    said = {b"announce": b"x", b"zz": value, b"info": {"name": "n", "piece length": 1, "pieces": b"", "x": value}}
    data = b"d" + b"".join(bencode(k) + bencode(v) for k, v in said.items()) + b"e"
    found = walk("torrent", data + behind)
    assert found is not None
    assert (found.length, found.structure) == (len(data), Structure.COMPLETE)


@pytest.mark.parametrize("data", [TORRENT])
def test_mutants_end_in_an_answer(data: bytes) -> None:
    answers = {found and found.structure for found in (survives("torrent", m) for m in mutants(data, 200) if m.startswith(data[:11]))}
    assert len(answers) >= 2
