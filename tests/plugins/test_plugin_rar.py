"""RAR archives: real ones of both kinds, file by file; made ones of every kind; what cannot be read, and why; damage."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from rar_maker import block_4, block_5, file_4, file_5, pack_2, pack_3, pack_5, program, rar4, rar5, record, vint
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts import rarcodec, times
from triage.artifacts.expansion import Limits
from triage.artifacts.rar import MARK_4, MARK_5, MARK_OLDEST

if TYPE_CHECKING:
    from triage.plugin import Item

TEXT = b"hello from an archive\n"
TOKENS = [*b"hello ", (3, 9), *b"end", (1, 4)]
PLAIN = b"hello lo lo lo enddddd"
MOCKS = ("test_mockRar4.rar", "test_mockRar5.rar")


def item_with(data: bytes) -> Item:
    return item_of(data, "vol1/a.rar")


def said_of(data: bytes) -> tuple[dict[str, bytes], list[str]]:
    """Return the files that are found in an archive, whole ones, and the problems that are told."""
    item = item_with(data)
    said = run("rar", item)
    for child in children(said):
        assert item.measure(child.steps) == (child.size, "")
    return {child.name: bytes_of(item, child) for child in children(said)}, [p.message for p in problems(said)]


def why_of(data: bytes) -> set[tuple[str, str, tuple[str, ...]]]:
    """Return what is listed as not read: kind, reason, names."""
    said = run("rar", item_with(data))
    return {(f.kind, f.data["why"], tuple(one["name"] for one in f.data["files"])) for f in findings(said)}


class TestRealSamples:
    pytestmark = needs_samples

    def test_both_kinds_hold_the_same_eighteen_files(self) -> None:
        found = []
        for name in MOCKS:
            files, wrong = said_of((ARTIFACTS / "iped" / name).read_bytes())
            assert wrong == []
            found.append({name: hashlib.md5(data, usedforsecurity=False).hexdigest() for name, data in files.items()})
        assert len(found[0]) == 18
        assert found[0] == found[1]
        assert found[0]["mockdoc3.docx"] == "11c3ada476e30311b49cbf32a5425e7d"

    def test_times_of_the_same_files_are_local_in_one_and_of_the_world_in_the_other(self) -> None:
        when = []
        for name in MOCKS:
            said = run("rar", item_with((ARTIFACTS / "iped" / name).read_bytes()))
            when.append({child.name: (times.iso(child.mtime), child.time_basis.value) for child in children(said)})
        old, new = (found["mockdoc3.docx"] for found in when)
        assert old == ("2021-04-09T09:25:20.520377600Z", "local")
        assert new == ("2021-04-09T12:25:20.520377600Z", "utc")

    def test_damage_is_said_and_never_breaks_it(self) -> None:
        wrong = 0
        for name in MOCKS:
            data = (ARTIFACTS / "iped" / name).read_bytes()[:40_000]
            mark = MARK_4 if "4" in name else MARK_5
            for mutant in mutants(data, 30):
                item = item_with(mark + mutant[len(mark) :])
                for child in children(run("rar", item)):
                    wrong += item.measure(child.steps)[1] != ""
        assert wrong > 10


def test_stored_files_of_both_kinds_are_cut_from_the_archive_itself() -> None:
    for data, basis in ((rar4(file_4(b"dir\\a.txt", TEXT)), "local"), (rar5(file_5("dir/a.txt", TEXT)), "utc")):
        item = item_with(data)
        said = run("rar", item)
        (child,) = children(said)
        assert (child.name, bytes_of(item, child), child.time_basis.value) == ("dir/a.txt", TEXT, basis)
        assert [step[0] for step in child.steps] == ["cut"]
        assert problems(said) == []


@pytest.mark.parametrize(
    "archive",
    [
        rar4(file_4(b"a.txt", pack_2(TOKENS), plain=PLAIN, version=20)),
        rar4(file_4(b"a.txt", pack_3(TOKENS), plain=PLAIN)),
        rar5(file_5("a.txt", pack_5(TOKENS), plain=PLAIN)),
        rar5(file_5("a.txt", pack_5(TOKENS, seven=True), plain=PLAIN, how=1)),
    ],
    ids=["2", "3", "5", "7"],
)
def test_packed_files_of_each_generation(archive: bytes) -> None:
    assert said_of(archive) == ({"a.txt": PLAIN}, [])


def test_solid_archives_share_what_is_undone() -> None:
    again = [(4, 3), *b"!"]
    for archive in (
        rar4(
            file_4(b"a", pack_3(TOKENS), plain=PLAIN),
            file_4(b"stored", TEXT, flags=0x10),
            file_4(b"b", pack_3(again), plain=b"ddd!", flags=0x10),
            file_4(b"c", pack_3(TOKENS), plain=PLAIN),
        ),
        rar5(
            file_5("a", pack_5(TOKENS), plain=PLAIN),
            file_5("stored", TEXT),
            file_5("b", pack_5(again), plain=b"ddd!", how=0x40),
            file_5("c", pack_5(TOKENS), plain=PLAIN),
        ),
    ):
        assert said_of(archive) == ({"a": PLAIN, "stored": TEXT, "b": b"ddd!", "c": PLAIN}, [])
        first, _, second, _ = children(run("rar", item_with(archive)))
        assert first.steps[:2] == second.steps[:2]
        assert [step[0] for step in second.steps] == ["cut", "undo", "cut"]


def test_files_far_inside_of_what_was_packed_together_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.plugins.rar.LARGEST", 30)
    archive = rar4(
        file_4(b"a", pack_3(TOKENS), plain=PLAIN),
        file_4(b"b", pack_3([(4, 3), *b"!"]), plain=b"ddd!", flags=0x10),
        file_4(b"c", pack_3([(1, 9)]), plain=b"!" * 9, flags=0x10),
    )
    assert said_of(archive) == ({"a": PLAIN, "b": b"ddd!", "c": b"!" * 9}, [])
    assert children(run("rar", item_with(archive)))[2].steps[1][1] == "rar:4>26"
    monkeypatch.setattr("triage.plugins.rar.DEEPEST", 30)
    found, _ = said_of(archive)
    assert set(found) == {"a", "b"}
    assert why_of(archive) == {("archive-listing", "more than 0 MiB deep in what was packed together", ("c",))}
    with pytest.raises(OSError, match="1024 MiB deep"):
        rarcodec.CODEC.undo(lambda at, many: archive[at : at + many], len(archive), f"4>{1 << 30}", 5)


def test_dictionaries_that_memory_would_not_hold_are_refused_when_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.plugins.rar.MOST_DICTIONARY", 24)
    archive = rar5(file_5("a", pack_5(TOKENS), plain=PLAIN), file_5("b", pack_5([(4, 3), *b"!"]), plain=b"ddd!", how=0x40))
    assert set(said_of(archive)[0]) == {"a"}
    assert why_of(archive) == {("archive-listing", "packed with a dictionary that is larger than 0 MiB", ("b",))}
    monkeypatch.setattr("triage.plugins.rar.LARGEST", 24)
    large = rar5(file_5("a", pack_5(TOKENS), plain=bytes(25)))
    assert why_of(large) == {("archive-listing", "larger than 0 MiB", ("a",))}


def test_an_archive_behind_a_program() -> None:
    for archive in (rar5(file_5("a.txt", TEXT)), rar4(file_4(b"a.txt", TEXT))):
        item = item_of(program(archive), "vol1/setup.exe")
        said = run("rar", item)
        assert {c.name: bytes_of(item, c) for c in children(said)} == {"a.txt": TEXT}
    # A program that knows RAR's mark is no archive, and one may stand behind it nonetheless.
    assert run("rar", item_of(program(MARK_4 + b"x" * 50 + MARK_5), "vol1/winrar.exe")) == []
    said = run("rar", item_of(program(MARK_5 + b"x" * 50 + rar4(file_4(b"a.txt", TEXT))), "vol1/setup.exe"))
    assert [c.name for c in children(said)] == ["a.txt"]


def test_copies_and_hard_links_have_the_bytes_of_the_file_that_they_name() -> None:
    def link(way: int, name: str) -> bytes:
        return record(5, vint(way) + vint(0) + vint(len(name)) + name.encode())

    archive = rar5(
        file_5("a", pack_5(TOKENS), plain=PLAIN),
        file_5("copy", b"", extra=link(5, "a")),
        file_5("hard", b"", extra=link(4, "copy")),
        file_5("soft", b"", extra=link(1, "a")),
        file_5("lost", b"", extra=link(5, "elsewhere")),
    )
    assert said_of(archive) == ({"a": PLAIN, "copy": PLAIN, "hard": PLAIN}, [])
    assert why_of(archive) == {("archive-listing", "a link", ("soft", "lost"))}


def test_comments_are_files_of_their_own_and_what_else_serves_is_told() -> None:
    archive = rar4(
        file_4(b"CMT", pack_3(TOKENS), plain=PLAIN, kind=0x7A),
        file_4(b"a", TEXT),
        file_4(b"STM", TEXT, kind=0x7A),
        file_4(b"RR", TEXT, kind=0x7A),
    )
    assert said_of(archive) == (
        {"comment of the archive": PLAIN, "a": TEXT},
        ["an alternate stream of a file in a RAR archive is not read"],
    )
    archive = rar5(file_5("CMT", TEXT, kind=3), file_5("STM", TEXT, kind=3), file_5("QO", TEXT, kind=3))
    assert said_of(archive) == ({"comment of the archive": TEXT}, ["an alternate stream of a file in a RAR archive is not read"])


def test_what_cannot_be_read_is_named_with_the_reason() -> None:
    data = rar4(
        file_4(b"secret.jpg", TEXT, flags=4, plain=TEXT),
        file_4(b"half.jpg", TEXT, flags=2),
        file_4(b"old.jpg", TEXT, plain=TEXT, version=15),
    )
    assert why_of(data) == {
        ("encrypted", "encrypted (AES)", ("secret.jpg",)),
        ("archive-listing", "parts of it lie in other volumes", ("half.jpg",)),
        ("archive-listing", "packed by a version of RAR that is not read", ("old.jpg",)),
    }
    found = findings(run("rar", item_with(data)), "encrypted")[0]
    assert found.title == "1 file in a RAR archive cannot be read: encrypted (AES): secret.jpg"
    assert found.data["files"][0] == {"name": "secret.jpg", "size": 22, "time": "2023-05-06T07:08:18", "crc32": "c860008e"}
    assert said_of(data)[1] == [
        "1 file inside cannot be read: encrypted (AES)",
        "1 file inside cannot be read: packed by a version of RAR that is not read",
        "1 file inside cannot be read: parts of it lie in other volumes",
    ]
    locked = rar5(file_5("a.jpg", TEXT, extra=record(1, b"\0")))
    assert why_of(locked) == {("encrypted", "encrypted (AES)", ("a.jpg",))}
    assert why_of(rar5(file_5("a", TEXT, plain=TEXT, how=5))) == {
        ("archive-listing", "packed by a version of RAR that is not read", ("a",))
    }
    for data in (rar4(flags=0x80), MARK_5 + block_5(4, vint(0) * 4) + bytes(20)):
        (one,) = findings(run("rar", item_with(data)))
        assert (one.kind, "not even names can be read" in one.title) == ("encrypted", True)
        assert said_of(data)[1] == ["the list of files of a RAR archive is encrypted (AES): not even names can be read"]


def test_archives_before_rar_1_5_are_told() -> None:
    said = run("rar", item_with(MARK_OLDEST + bytes(40)))
    assert [p.message for p in problems(said)] == ["an archive that cannot be opened: it was packed by RAR 1.3 or 1.4, which is not read"]


def test_what_follows_a_lost_file_in_one_dictionary_is_lost_too() -> None:
    data = rar4(
        file_4(b"a", TEXT, flags=4, plain=TEXT),
        file_4(b"b", TEXT, flags=0x10, plain=TEXT),
        file_4(b"stored", TEXT, flags=0x10),
        file_4(b"c", TEXT),
    )
    assert said_of(data)[0] == {"stored": TEXT, "c": TEXT}
    assert why_of(data) == {
        ("encrypted", "encrypted (AES)", ("a",)),
        ("archive-listing", "packed together with one that cannot be read: encrypted (AES)", ("b",)),
    }
    volume = rar4(file_4(b"b", TEXT, flags=0x10, plain=TEXT))
    assert why_of(volume) == {("archive-listing", "packed together with what lies in another volume", ("b",))}


def test_a_list_that_is_cut_or_damaged_gives_what_is_whole() -> None:
    whole = rar5(file_5("a.txt", TEXT), file_5("b.txt", TEXT))
    end = len(block_5(5, vint(0)))
    assert said_of(whole[: -40 - end]) == ({"a.txt": TEXT}, ["a block of a RAR archive is damaged: what follows it is left out"])
    assert said_of(whole[:-end]) == ({"a.txt": TEXT, "b.txt": TEXT}, ["a RAR archive without its end mark: it may be cut off"])
    files, told = said_of(rar4(file_4(b"a", TEXT))[:-7] + block_4(0x7A, 0x8000, (500).to_bytes(4, "little")))
    assert (files, told) == ({"a": TEXT}, ["a RAR archive is cut off"])


def test_wrong_checksums_are_said_and_what_is_there_is_given() -> None:
    stored = rar5(file_5("a", TEXT)).replace(b"hello", b"jello")
    said = run("rar", item_with(stored))
    assert [p.message for p in problems(said)] == ["the checksum of a stored file in a RAR archive is wrong: a"]
    assert len(children(said)) == 1
    packed = item_with(rar4(file_4(b"a", pack_3([*PLAIN]), plain=PLAIN[::-1]), file_4(b"b", pack_3(TOKENS), plain=PLAIN, flags=0x10)))
    for child, data in zip(children(run("rar", packed)), (PLAIN, PLAIN), strict=True):
        assert packed.measure(child.steps) == (22, "its checksum is wrong (file 1 of 2 that were packed together)")
        assert bytes_of(packed, child) == data
    short = item_with(rar4(file_4(b"a", pack_3([*PLAIN]), plain=PLAIN + b"more")))
    (child,) = children(run("rar", short))
    assert short.measure(child.steps) == (22, "ends before its compressed data do")


def test_what_expands_too_much_is_cut_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.artifacts.rarcodec.Limits", lambda: Limits(ratio=0, ratio_free=25))
    item = item_with(rar4(file_4(b"a", pack_3(TOKENS), plain=PLAIN), file_4(b"b", pack_3([*b"more"]), plain=b"more", flags=0x10)))
    for child, data in zip(children(run("rar", item)), (PLAIN, b"mor"), strict=True):
        assert item.measure(child.steps)[1] == "expands more than 0 times (file 2 of 2 that were packed together)"
        assert bytes_of(item, child) == data


def test_a_file_without_a_size_is_told() -> None:
    data = rar5(block_5(2, vint(8) + vint(0) + vint(32) + vint(0) + vint(0) + vint(1) + b"a", data=TEXT))
    assert why_of(data) == {("archive-listing", "without a size", ("a",))}


def test_nothing_is_said_of_empty_files_and_folders() -> None:
    folder = block_5(2, vint(1) + vint(0) + vint(16) + vint(0) + vint(0) + vint(1) + b"d")
    assert run("rar", item_with(rar5(file_5("empty", b""), folder))) == []


def test_damage_never_breaks_it() -> None:
    old = rar4(file_4(b"a.txt", TEXT), file_4(b"b", pack_3(TOKENS), plain=PLAIN))
    new = rar5(file_5("a.txt", TEXT), file_5("b", pack_5(TOKENS), plain=PLAIN))
    for mark, data in ((MARK_4, old), (MARK_5, new)):
        for mutant in mutants(data, 150):
            never_fails("rar", item_with(mark + mutant[len(mark) :]))


def samples() -> list[Item]:
    return [item_with(rar5(file_5("a.txt", TEXT))), item_with(rar4(file_4(b"b", pack_3(TOKENS), plain=PLAIN)))]
