"""Windows' thumbnail caches of each version, made as the format says (there is no real sample at hand), and damaged ones."""

from __future__ import annotations

import struct

import pytest
from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, problems, run

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"
PATH = "vol1/Users/kim/AppData/Local/Microsoft/Windows/Explorer/thumbcache_256.db"


def cache(pictures: list[bytes], version: int = 32) -> bytes:
    data = struct.pack("<4sIIIII", b"CMMM", version, 2, 24, 0, len(pictures))
    for number, picture in enumerate(pictures, 1):
        name = f"{number:016x}".encode("utf-16-le")
        head = struct.pack("<Q", number << 40) + ("jpg\0".encode("utf-16-le") if version == 20 else b"")
        head += struct.pack("<III", len(name), 2, len(picture)) + (struct.pack("<II", 96, 96) if version >= 30 else b"")
        head += struct.pack("<IQQ", 0, 0, 0)
        size = 8 + len(head) + len(name) + 2 + len(picture)
        data += struct.pack("<4sI", b"CMMM", size) + head + name + b"\0\0" + picture
    return data


@pytest.mark.parametrize("version", [20, 21, 26, 30, 31, 32])
def test_thumbnails_are_cached_entries(version: int) -> None:
    one = item_of(cache([JPEG, b"", b"\x89PNG" + JPEG], version), PATH)
    said = run("thumbcache", one)
    assert [bytes_of(one, child) for child in children(said)] == [JPEG, b"\x89PNG" + JPEG]
    data = children(said)[0].findings[0].data
    assert (data["cache_id"], data["identifier"], data["user"]) == (f"{1 << 40:016x}", f"{1:016x}", "kim")
    assert [f.data["count"] for f in findings(said, "thumbnail-missing")] == [1]


def test_what_is_whole_of_a_damaged_cache_is_found() -> None:
    data = bytearray(cache([JPEG, JPEG, JPEG]))
    at = data.index(b"CMMM", 30)
    data[at + 4 : at + 8] = b"\xff\xff\xff\x7f"
    one = item_of(bytes(data[:-500]), PATH)
    assert len(children(run("thumbcache", one))) >= 1


def test_another_version_is_said() -> None:
    said = run("thumbcache", item_of(struct.pack("<4sIIIII", b"CMMM", 99, 2, 24, 0, 0) + bytes(100), PATH))
    assert len(problems(said)) == 1


def test_damage_never_breaks_it() -> None:
    for data in mutants(cache([JPEG, b"", JPEG]), 300):
        never_fails("thumbcache", item_of(data, PATH))
