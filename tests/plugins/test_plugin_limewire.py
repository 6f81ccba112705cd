"""Files of LimeWire and FrostWire: texts of serialised Java objects, settings, files of other programs, damage."""

from __future__ import annotations

import struct
import time
from base64 import b32encode
from typing import TYPE_CHECKING

from real_samples import findings, item_of, mutants, never_fails, problems, run

from triage.artifacts.javastrings import MAGIC, files_of, texts

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

SHA1, OTHER, TTH = bytes(range(20)), bytes(range(20, 40)), bytes(range(24))
HOME = "vol1/Users/kim/AppData/Roaming/LimeWire"


def b32(raw: bytes) -> str:
    return b32encode(raw).decode().rstrip("=")


def java_text(words: str) -> bytes:
    raw = words.encode()
    return b"t" + struct.pack(">H", len(raw)) + raw


def urn(words: str) -> bytes:
    raw = words.encode()
    return b"sr\0\x1acom.limegroup.gnutella.URN\x00\x01w" + bytes([len(raw) + 2]) + struct.pack(">H", len(raw)) + raw + b"x"


def cache() -> bytes:
    key = b"sr\0\x2acom.limegroup.gnutella.UrnCache$UrnSetKey" + bytes(8)
    data = MAGIC + b"sr\0\x11java.util.HashMap" + struct.pack(">qBHI", 362498820763181265, 3, 2, 12)
    data += key + java_text("C:\\films\\größe.avi") + urn(f"urn:sha1:{b32(SHA1)}") + urn(f"urn:ttroot:{b32(TTH)}")
    data += key + java_text("C:\\films\\no digest.avi")
    return data + key + java_text("/home/kim/b.avi") + urn(f"urn:bitprint:{b32(OTHER)}.{b32(TTH)}")


PROPS = (
    "#LimeWire properties file\n#Mon Jan 01\nDIRECTORIES_TO_SEARCH_FOR_FILES=C\\:\\\\films;D\\:\\\\gr\\u00fcn\n"
    "DIRECTORY_FOR_SAVING_FILES=C\\:\\\\in\n"
    "PORT=6346\nCLIENT_ID=ABC\nHTTP_PASSWORD=x\nSHOW_SPLASH=false\n"
)


def told(data: bytes, name: str) -> list[Finding]:
    said = run("limewire", item_of(data, f"{HOME}/{name}"))
    assert problems(said) == []
    return findings(said)


def samples() -> list[Item]:
    return [item_of(cache(), f"{HOME}/fileurns.cache"), item_of(PROPS.encode(), f"{HOME}/limewire.props")]


def test_paths_have_the_digests_that_stand_behind_them() -> None:
    one, two, three = told(cache(), "fileurns.cache")
    assert (one.kind, one.data["name"], one.data["path"], one.data["user"]) == ("library-file", "größe.avi", "C:\\films\\größe.avi", "kim")
    assert one.data["digests"] == [{"sha1": SHA1.hex(), "tth": TTH.hex()}]
    assert (two.data["name"], "digests" in two.data) == ("no digest.avi", False)
    assert (three.data["path"], three.data["digests"]) == ("/home/kim/b.avi", [{"sha1": OTHER.hex(), "tth": TTH.hex()}])
    data = cache()
    place, length = one.ranges[0]
    assert data[place : place + length].decode() == "C:\\films\\größe.avi"


def test_digests_without_a_path_are_told_and_none_is_given_to_a_wrong_file() -> None:
    data = MAGIC + b"sr\0\x1acom.limegroup.gnutella.URN" + urn(f"urn:sha1:{b32(SHA1)}") + urn(f"urn:sha1:{b32(OTHER)}")
    assert [f.data["digests"] for f in told(data, "createtimes.cache")] == [[{"sha1": SHA1.hex()}], [{"sha1": OTHER.hex()}]]


def test_what_was_being_loaded_is_told_apart() -> None:
    assert {f.kind for f in told(cache(), "downloads.dat")} == {"loading-file"}


def test_settings_say_shared_folders_and_no_passwords() -> None:
    for name in ("limewire.props", "frostwire.props"):
        *folders, settings = told(PROPS.encode(), name)
        assert [(f.kind, f.data["path"]) for f in folders] == [("shared-folder", path) for path in ("C:\\films", "D:\\grün", "C:\\in")]
        assert (settings.kind, settings.data["settings"]["PORT"], settings.data["settings"]["CLIENT_ID"]) == (
            "program-settings",
            "6346",
            "ABC",
        )
        assert {"HTTP_PASSWORD", "SHOW_SPLASH"} & set(settings.data["settings"]) == set()


def test_files_of_other_programs_are_left_alone() -> None:
    for data in (b"nothing of Java's at all", MAGIC + b"sr\0\x11java.util.HashMap" + java_text("C:\\films\\a.avi")):
        assert told(data, "library.dat") == []
    assert files_of(b"nothing") == []
    assert told(b"a=1\n", "limewire.props") == []


def test_texts_that_are_none_take_no_quadratic_time() -> None:
    for piece in (b"t\x07\xd0", b"t\x07\xd0" + b"x" * 17, b"urn:sha1:" + b"A" * 31, b"t\x00\x03abc"):
        data = MAGIC + piece * ((1 << 20) // len(piece))
        began = time.perf_counter()
        list(texts(data))
        files_of(data)
        assert time.perf_counter() - began < 2, piece


def test_damage_never_breaks_it() -> None:
    for item in samples():
        data = item.read(item.size)
        for one in mutants(data, 150):
            never_fails("limewire", item_of(one, item.entry.path))
