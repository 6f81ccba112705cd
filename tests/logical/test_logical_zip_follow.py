"""ZIP archives without a list that can be used: members by their own headers, and what is said of the rest."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_logical_archives import FILES, contents, listed, tree_of, zipped

from triage.logical.zipfiles import NoListError, ZipTree
from triage.model import Kind

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
MISSING = "the archive's list of members cannot be used (its list of members is missing: the archive is cut, or was not written to its end)"


class Pipe(io.BytesIO):
    """A stream that cannot go back, so that sizes are written behind the bytes."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def streamed(method: int, files: dict[str, bytes] | None = None, *, wide: bool = False, signed: bool = True) -> bytes:
    """Return an archive whose sizes stand behind the bytes, with the mark that most programs write there or without it."""
    out = Pipe()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in (FILES if files is None else files).items():
            with archive.open(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)) if files is None else name, "w", force_zip64=wide) as member:
                member.write(data)
    data = out.getvalue()
    return data if signed else data.replace(b"PK\7\x08", b"")


def without_list(data: bytes) -> bytes:
    return data[: list_of(data)]


def list_of(data: bytes) -> int:
    """Return where an archive's list begins."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.start_dir


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kept", [0, 100])
def test_members_are_found_by_their_own_headers(method: int, kept: int) -> None:
    data = zipped(method)
    tree = tree_of(ZipTree, data[: list_of(data) + kept])
    assert contents(tree) == FILES
    names, faults = listed(tree)
    assert faults == [f"{MISSING}: 3 members were found by their own headers, which do not say what is a link, and no names of others"]
    assert names["private/var/mobile"].kind is Kind.DIRECTORY
    assert names["private/var/mobile/a.txt"].mtime == 1_714_979_290_000_000_000
    assert not tree.checked


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("signed", [True, False])
def test_members_that_were_written_as_streams_are_too(method: int, *, wide: bool, signed: bool) -> None:
    files = {**FILES, "inner.zip": zipped(), "marks": b"PK\7\x08" * 9 + b"PK\3\4" * 9, "last": b"x" * 100_000}
    data = without_list(streamed(method, files, wide=wide))
    if not signed:
        # Only the marks of records, which are followed by a CRC of what precedes them: not those among the bytes.
        for content in files.values():
            data = data.replace(b"PK\7\x08" + struct.pack("<I", zlib.crc32(content)), struct.pack("<I", zlib.crc32(content)))
    # The last record without a mark is told by what follows it, which is gone.
    tree = tree_of(ZipTree, data if signed else data + b"PK\1\2")
    assert contents(tree) == files
    assert len(listed(tree)[1]) == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_file_that_is_cut_gives_what_is_there(method: int, *, stream: bool) -> None:
    rows = b"".join(b"%d and %d\n" % (number, number * number) for number in range(200_000))
    files = {"a": b"whole", "b": rows}
    data = streamed(method, files) if stream else zipped_of(files, method)
    tree = tree_of(ZipTree, data[: list_of(data) * 2 // 3])
    found = contents(tree)
    assert found["a"] == b"whole"
    assert rows.startswith(found["b"])
    if method not in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert len(found["b"]) > len(rows) // 3
    of = "" if stream else f" of {len(rows)}"
    assert f"only the first {len(found['b'])}{of} bytes of this file are there: the archive is cut or damaged" in listed(tree)[1]


def zipped_of(files: dict[str, bytes], method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("stream", [False, True])
def test_where_a_header_is_damaged_the_next_ones_are_found(*, stream: bool) -> None:
    files = {f"f{number}": bytes([number]) * 9000 for number in range(5)}
    data = without_list(streamed(zipfile.ZIP_STORED, files) if stream else zipped_of(files, zipfile.ZIP_STORED))
    third = data.index(b"f2") - 30
    tree = tree_of(ZipTree, data[:third] + b"XXXX" + data[third + 4 :])
    assert contents(tree) == {name: files[name] for name in ("f0", "f1", "f3", "f4")}
    assert "belong to no member: nothing in them was examined" in listed(tree)[1][-1]


def test_a_size_that_is_wrong_hides_no_member_behind_it() -> None:
    files = {f"f{number}": bytes([number]) * 3000 for number in range(4)}
    data = bytearray(without_list(zipped_of(files, zipfile.ZIP_STORED)))
    struct.pack_into("<II", data, 18, 7000, 7000)
    found = {name for name, one in listed(tree_of(ZipTree, bytes(data)))[0].items() if one.kind is Kind.FILE}
    assert found == set(files)


def test_members_that_a_damaged_list_lacks_are_found() -> None:
    data = zipped()
    places = [at for at in range(len(data)) if data[at : at + 4] == b"PK\1\2"]
    damaged = data[: places[1]] + b"XXXX" + data[places[1] + 4 :]
    tree = tree_of(ZipTree, damaged)
    assert contents(tree) == FILES
    names, faults = listed(tree)
    assert names["private/var/mobile/a.txt"].mode is not None
    assert names["private/var/mobile/ü.jpg"].mode is None
    assert faults[0] == "the archive's list is damaged: 2 of 3 members are missing in it; 2 were found by their own headers"


def test_the_list_of_an_archive_inside_is_not_taken_for_its_own() -> None:
    data = zipped_of({"a": b"one", "b.zip": zipped()}, zipfile.ZIP_STORED)
    tree = tree_of(ZipTree, data[: data.index(b"PK\5\6") + 22])
    found = contents(tree)
    assert set(found) == {"a", "b.zip"}
    assert found["a"] == b"one"
    assert zipped() == found["b.zip"]


def test_what_has_neither_list_nor_member_is_refused() -> None:
    with pytest.raises(NoListError, match="list of members is missing"):
        tree_of(ZipTree, b"PK\3\4" + b"\xff" * 1000)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=4), st.binary(max_size=300), min_size=1, max_size=6),
    st.sampled_from(METHODS),
    st.booleans(),
)
def test_whatever_files_there_are_they_are_all_found(files: dict[str, bytes], method: int, stream: bool) -> None:
    data = streamed(method, files) if stream else zipped_of(files, method)
    assert contents(tree_of(ZipTree, without_list(data))) == files
