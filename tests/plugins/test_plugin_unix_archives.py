"""cpio, ar and ARJ archives: real ones, made ones of each form, and damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run
from unix_archive_makers import FILES, TIME, ar, arj, cpio

from triage.artifacts.cpio import read_cpio
from triage.artifacts.structure import StructureError
from triage.plugin import TimeBasis

if TYPE_CHECKING:
    from triage.plugin import Item


def samples() -> list[Item]:
    return [item_of(cpio(FILES, "newc"), "vol1/x.cpio"), item_of(ar(FILES), "vol1/x.a"), item_of(arj(FILES, 1), "vol1/x.arj")]


def got(one: Item) -> dict[str, bytes]:
    return {child.name: bytes_of(one, child) for child in children(run("unix_archives", one))}


class TestRealSamples:
    pytestmark = needs_samples

    def test_all_files_of_a_real_cpio_archive_are_found(self) -> None:
        one = item_of((ARTIFACTS / "iped" / "test_cpio.cpio").read_bytes(), "vol1/x.cpio")
        said = run("unix_archives", one)
        assert len(children(said)) == 7
        assert (findings(said), problems(said)) == ([], [])
        assert [(c.name, c.size) for c in children(said)][:2] == [("mockdoc1.docx", 14748), ("mockdoc2.docx", 13206)]
        assert children(said)[0].mtime == 1_620_148_040 * 10**9
        assert all(bytes_of(one, c).startswith(b"PK\3\4") for c in children(said) if c.name.endswith(("docx", "xlsx")))

    @pytest.mark.parametrize("name", ["test_mockArc.ar", "test_mockArc.arj"])  # the second is no ARJ archive, whatever it is called
    def test_all_files_of_a_real_ar_archive_are_found(self, name: str) -> None:
        one = item_of((ARTIFACTS / "iped" / name).read_bytes(), f"vol1/{name}")
        found = got(one)
        assert {name: len(data) for name, data in found.items()} == {
            "mockdoc1.docx": 14748, "mockdoc2.docx": 13206, "mocksheets1.xlsx": 10615,
            "mocksheets2.xlsx": 10662, "mocktext1.txt": 3658, "mocktext2.txt": 2914,
        }  # fmt: skip
        assert found["mockdoc1.docx"].startswith(b"PK\3\4")
        assert problems(run("unix_archives", one)) == []


@pytest.mark.parametrize("form", ["newc", "crc", "odc", "le"])
def test_files_of_a_cpio_archive_have_their_bytes_and_times(form: str) -> None:
    one = item_of(cpio(FILES, form), "vol1/x.cpio")
    assert got(one) == FILES
    said = run("unix_archives", one)
    assert {child.mtime for child in children(said)} == {TIME * 10**9}
    assert problems(said) == []


def test_the_old_form_is_read_in_the_other_order_of_bytes() -> None:
    data = cpio(FILES, "be")
    found = read_cpio(lambda at, n: data[at : at + n], len(data))
    assert {f.name.decode(): data[f.start : f.start + f.size] for f in found.files} == FILES
    assert {f.time for f in found.files} == {TIME}


def test_each_name_of_a_file_has_the_bytes_that_stand_behind_the_last_one() -> None:
    one = item_of(cpio({"first": b"", "second": b"the bytes"}, "newc", {"first": 7, "second": 7}), "vol1/x.cpio")
    assert got(one) == {"first": b"the bytes", "second": b"the bytes"}


def test_links_and_devices_are_no_files() -> None:
    assert got(item_of(cpio({"link": b"target"}, "newc", mode=0o120777), "vol1/x.cpio")) == {}


def test_archives_that_follow_each_other_are_read_and_what_follows_is_a_file_of_its_own() -> None:
    data = cpio({"one": b"1"}, "newc") + cpio({"two": b"2"}, "newc") + b"\x1f\x8b\x08" + bytes(50)
    one = item_of(data, "vol1/initrd.img")
    assert got(one) == {"one": b"1", "two": b"2", "behind the archive": data[-53:]}
    assert children(run("unix_archives", one))[2].findings[0].kind == "appended"


def test_an_archive_that_is_cut_off_gives_what_is_there() -> None:
    data = cpio(FILES, "newc")
    said = run("unix_archives", item_of(data[:300], "vol1/x.cpio"))
    assert [c.name for c in children(said)] == ["a.txt"]
    assert len(problems(said)) == 1
    with pytest.raises(StructureError):
        read_cpio(lambda at, n: b"", 100)


@pytest.mark.parametrize("form", ["gnu", "bsd"])
def test_files_of_an_ar_archive_have_their_long_names(form: str) -> None:
    one = item_of(ar(FILES, form), "vol1/x.a")
    assert got(one) == FILES
    assert {child.mtime for child in children(run("unix_archives", one))} == {TIME * 10**9}


def test_object_files_of_a_library_are_counted_and_others_of_that_name_are_not() -> None:
    said = run("unix_archives", item_of(ar({"a.o": b"\x7fELF" + bytes(60), "hidden.o": b"\xff\xd8\xff" + bytes(60)}), "vol1/x.a"))
    assert [c.name for c in children(said)] == ["hidden.o"]
    assert [p.message for p in problems(said)] == ["1 object files of a program's library inside are not looked at"]


def test_stored_files_of_an_arj_archive_are_given_with_local_times() -> None:
    one = item_of(arj(FILES), "vol1/x.arj")
    assert got(one) == FILES
    said = run("unix_archives", one)
    assert {child.time_basis for child in children(said)} == {TimeBasis.LOCAL}
    assert {child.mtime for child in children(run("unix_archives", item_of(arj(FILES, host=2), "vol1/x.arj")))} == {TIME * 10**9}
    assert problems(said) == []


@pytest.mark.parametrize(("method", "flags", "kind", "why"), [
    (1, 0, "archive-listing", "most compressed, which is not undone"), (0, 1, "encrypted", "encrypted"),
    (0, 4, "archive-listing", "it goes on in another part of the archive"),
])  # fmt: skip
def test_other_files_of_an_arj_archive_are_listed(method: int, flags: int, kind: str, why: str) -> None:
    said = run("unix_archives", item_of(arj(FILES, method, flags), "vol1/x.arj"))
    (found,) = findings(said, kind)
    assert [(f["name"], f["size"], f["time"]) for f in found.data["files"]] == [
        (n, len(d), "2021-03-04T05:06:06") for n, d in FILES.items()
    ]
    assert [p.message for p in problems(said)] == [f"3 files inside cannot be read: {why}"]
    assert children(said) == []


@pytest.mark.parametrize(
    "data", [*(cpio(FILES, form) for form in ("newc", "odc", "le")), ar(FILES), ar(FILES, "bsd"), arj(FILES), arj(FILES, 2)]
)
def test_damage_never_breaks_it(data: bytes) -> None:
    for mutant in mutants(data, 200):
        one = item_of(mutant, "vol1/x")
        if one.type is not None and one.type.name in ("cpio", "ar", "arj"):
            never_fails("unix_archives", one)
