"""Shareaza's lists: the real ones whole, made ones of other versions, torrents and folders that are not shared, and damage."""

from __future__ import annotations

import struct
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.mfc import MfcArchive
from triage.artifacts.shareaza import read_library
from triage.artifacts.shareazadown import read_download
from triage.artifacts.shareazasearch import read_searches

if TYPE_CHECKING:
    from triage.plugin import Item

HOME = "vol1/Users/kim/AppData/Roaming/Shareaza"
WRITTEN = 132_657_460_974_278_967
SHA1, TTH, MD5, ED2K, BTIH = "11" * 20, "22" * 24, "33" * 16, "44" * 16, "55" * 20


def n32(*values: int) -> bytes:
    return b"".join(struct.pack("<I", value) for value in values)


def n16(value: int) -> bytes:
    return struct.pack("<H", value)


def n64(value: int) -> bytes:
    return struct.pack("<Q", value)


def text(words: str) -> bytes:
    units = len(words.encode("utf-16-le")) // 2
    length = bytes([units]) if units < 0xFF else b"\xff" + n16(units)
    return b"\xff\xfe\xff" + length + words.encode("utf-16-le")


def hashed(*digests: str) -> bytes:
    return b"".join(n32(1) + bytes.fromhex(one) if one else n32(0) for one in digests)


def element(name: str, facts: dict[str, str], inner: bytes = n16(0)) -> bytes:
    return text(name) + text("") + n16(len(facts)) + b"".join(text(k) + text(v) for k, v in facts.items()) + inner


def shared_file(name: str, shared: int = 0, index: int = 1, hits: int = 3) -> bytes:
    data = text(name) + n32(index) + n64(1234) + n64(WRITTEN) + n32(shared) + n64(0) + hashed(SHA1, TTH, MD5, ED2K, BTIH) + n32(0)
    data += text("http://www.example.org/audio.xsd") + element("audio", {"title": "A song"})
    return (
        data
        + n32(4)
        + text("good")
        + text("tag")
        + n32(1)
        + n64(WRITTEN)
        + n32(hits, 2, 0, 0)
        + n16(1)
        + text("http://10.0.0.9/x")
        + n64(WRITTEN)
    )


def folder(path: str, shared: int, folders: list[bytes], files: list[bytes]) -> bytes:
    return text(path) + n32(shared, 0) + n16(len(folders)) + b"".join(folders) + n16(len(files)) + b"".join(files)


def library(folders: list[bytes], ghosts: list[bytes], seeded: bytes = b"") -> bytes:
    album = text("uri") + n16(0) + n32(0) + n32(0) + text("All") + n32(0, 0) + text("") + n16(0) + n16(1) + n32(1)
    data = n64(WRITTEN) + n32(29) + n32(5, 6, 7, 8, 9) + n16(len(folders)) + b"".join(folders) + album
    data += n16(1) + n64(WRITTEN) + n32(1) + (seeded or text("")) + n16(len(ghosts)) + b"".join(ghosts)
    return data


def download(version: int, torrent: bytes = n32(11, 0), sources: list[bytes] | None = None) -> bytes:
    sources = [source(version)] if sources is None else sources
    data = b"SDL" + n32(version) + text("a film.avi") + text("words") + n64(1000)
    data += b"".join(hashed(one) + n32(1) for one in (SHA1, TTH, MD5, ED2K, BTIH)[: 5 if version >= 37 else 4])
    data += n16(len(sources)) + b"".join(sources) + n16(1) + element("video", {"title": "A film"})
    data += n16(1) + n64(1000) + n64(400) + n32(1) + n64(600) + n64(400)
    if version >= 40:
        data += n32(1) + text("C:\\x.partial") + n64(0) + n64(1000) + n32(1)
        data += text("a film.avi") + n32(1) if version >= 41 else b""
    data += torrent + n32(1) + bytes(25) + n32(2, 3, 4) + bytes(2) + n32(2) + bytes(48) + n32(1, 0) + bytes(1)
    return (
        data
        + n16(1)
        + text("preview.jpg")
        + n16(1)
        + bytes([10, 0, 0, 8])
        + n32(0)
        + text("kim")
        + n32(5)
        + text("nice")
        + n32(0, 1, 0, 1, 77)
    )


def source(version: int) -> bytes:
    data = text("http://10.0.0.1:6346/x") + n32(4) + n32(0) + n16(6346) + bytes([10, 0, 0, 1]) + (bytes(16) if version >= 43 else b"")
    data += n16(0) + text("their name.avi") + n32(*[0] * (7 if version >= 37 else 5)) + text("Shareaza") + text("nick")
    data += (text("DE") if version >= 36 else b"") + (text("Germany") if version >= 38 else b"") + n32(0, 0, 0, 0) + n64(WRITTEN)
    return data + n16(1) + n64(0) + n64(10) + n32(*[0] * ((version >= 39) + (version >= 42)))


TORRENT = (
    n32(11) + hashed(BTIH) + n64(5000) + n32(100, 2) + bytes(40) + n64(7) + n64(8) + text("Films") + n32(65001) + text("comment")
    + n32(1_700_000_000) + text("maker") + n32(0) + n16(1) + n64(5000) + text("Films\\b.mp4") + text("b.mp4")
    + hashed("66" * 20, "", "", "77" * 16) + n32(0, 1) + n16(1) + text("http://t.example/a") + bytes(24) + n32(3) + b"abc" + n32(0, 3)
    + n32(0) + bytes(2) + n32(1)
)  # fmt: skip


def hit(name: str) -> bytes:
    data = bytes(16) + n32(2) + bytes(16) + bytes([10, 1, 2, 3]) + n16(99) + n32(0) + text("") + text("RAZA") + bytes(32)
    data += hashed("", TTH, "", "", "") + text("http://10.1.2.3:99/x") + text(name) + n32(0, 1) + n64(77) + n32(1, 0, 0) + text("") + n32(0)
    return data + text("") + text("") + n32(0) + text("") + n32(1, 1, 0, 0) + text("theirs")


def searches(words: str, results: int = 1) -> bytes:
    search = n32(4, 8) + bytes(16) + text(words) + hashed("", "", "", "", MD5) + text("") + n32(1, 1, 1, 1, 1) + n64(0) + n64((1 << 64) - 1)
    search += n32(0, 0, 0, 1, 1, 1, 1)
    data = n16(1) + n32(1) + n16(1) + search + text("") + n32(15) + text("only this") + n32(*[0] * 10) + n64(0) + n64(9) + n32(1, 2, 3)
    one = n64(77) + text("77 B") + hashed(SHA1, "", "", "", "") + bytes(16) + text("") + n32(0, 0, 1, 1) + n16(3) + b"abc"
    one += n16(2) + hit("one.avi") + hit("two.avi") + n32(0x8000000A) + n64(1_700_000_000)
    return data + n16(results) + one * results + n16(0)


@cache
def made() -> bytes:
    inner = folder("C:\\x\\private", 1, [], [shared_file("not.jpg"), shared_file("but this.jpg", 2, 7)])
    seeded = text("C:\\t.torrent") + text("Films") + n32(1_700_000_000) + bytes.fromhex(BTIH)
    return library([folder("C:\\x", 0, [inner], [shared_file("yes.jpg")])], [shared_file("gone.jpg")], seeded)


def samples() -> list[Item]:
    return [
        item_of(made(), f"{HOME}/Data/Library1.dat"),
        item_of(download(42), f"{HOME}/Incomplete/x.sd"),
        item_of(searches("words"), f"{HOME}/Data/Searches.dat"),
    ]


class TestRealSamples:
    pytestmark = needs_samples

    def test_both_libraries_are_read_to_their_last_byte(self) -> None:
        for number, hashes, first in ((1, 52, "8182ebb4ea93ae9dafaa7cf5b7374bce"), (2, 47, "025cfa06883c33bcca9b7000e7196718")):
            data = (ARTIFACTS / "iped" / f"test_shareazaLibrary{number}.dat").read_bytes()
            assert not read_library(data).why
            assert read_library(data[:-1]).why
            said = run("shareaza", item_of(data, f"{HOME}/Data/Library{number}.dat"))
            assert problems(said) == []
            assert Counter(f.kind for f in said) == {"shared-folder": 3, "shared-file": 127}
            files = findings(said, "shared-file")
            assert sum("digests" in f.data for f in files) == hashes
            # IPED's tests have these as the first three of the MD5 digests.
            found = [f.data["md5"] for f in files if "md5" in f.data][:3]
            assert found == ["5ff811cbb56fa306f01aca1890f1a70a", "07dec8692e10ccfcf765e0807f3d94ce", first]
            names = {f.data["name"] for f in files}
            assert {"Big Buck Bunny.torrent", "Cosmos Laundromat.torrent", "Michael Jackson - Bad.mp3"} <= names

    def test_a_file_of_a_library_has_all_that_is_known_of_it(self) -> None:
        data = (ARTIFACTS / "iped" / "test_shareazaLibrary1.dat").read_bytes()
        one = findings(run("shareaza", item_of(data, f"{HOME}/Data/Library1.dat")), "shared-file")[0].data
        assert (one["path"], one["size"]) == ("C:\\Users\\guilh\\Downloads\\eMule\\Incoming\\Radiohead - High and Dry.mp3", 4048258)
        assert one["sha1"] == "857b8b7d09e96d26d23fe5df3492c07a57de373a"
        assert (one["ed2k"], one["tth"]) == ("77481ddd95730681cba7686a8fa7e613", "944c029938fffdb7bc0012b324d71aa10cc76aba203be214")
        assert (one["time"], one["times_found"], one["user"]) == ("2021-05-05T18:13:01.682225400Z", 2, "kim")
        assert one["metadata"]["bitrate"] == "128"

    def test_a_download_has_its_hashes_and_everybody_who_had_it(self) -> None:
        data = (ARTIFACTS / "iped" / "test_shareazaDownload.sd").read_bytes()
        assert not read_download(data).why
        assert read_download(data[:-5]).why
        said = run("shareaza", item_of(data, f"{HOME}/Incomplete/test.sd"))
        (one,) = findings(said, "loading-file")
        assert problems(said) == []
        assert (one.data["name"], one.data["size"], one.data["bytes_missing"]) == ("Komodor - Electrize.mp3", 5613696, 5613696)
        assert one.data["digests"] == [{
            "sha1": "6fc0e7f66c3b8059b2c3b485710fa4b09baa4f86", "tth": "cf9f77a8b2db58844ee3cb6e3c68d832a333e22980d11eac",
            "md5": "2a092d1bc6ec61272b2af858b67feaa0", "ed2k": "46a856ac472cc0b238258afcb9612a83",
        }]  # fmt: skip
        peers = findings(said, "peer")
        assert [p.data.get("address") for p in peers] == [
            "189.60.225.131", "189.107.203.209", "187.7.47.188", "189.30.201.216", "189.31.90.45", "187.107.70.195", "187.101.34.132", None,
        ]  # fmt: skip
        assert (peers[0].data["nick"], peers[0].data["country"], peers[0].data["port"]) == ("Randraf", "Brazil", 6346)

    def test_searches_have_their_words_and_results(self) -> None:
        data = (ARTIFACTS / "iped" / "test_shareazaSearches.dat").read_bytes()
        assert read_searches(data)[1] == ""
        assert read_searches(data[:-3])[1]
        said = run("shareaza", item_of(data, f"{HOME}/Data/Searches.dat"))
        terms = [f.data["term"] for f in findings(said, "search-term")]
        assert terms == ["radiohead", "geni e o zepelim", "chico buarque", "filmes piratas", "bethoven"]
        results = findings(said, "search-result")
        assert (len(results), sum(f.data["offers"] for f in results), problems(said)) == (52, 56, [])
        # What IPED's test looks for.
        assert "Musique Classique Bethoven - Sonate Au Clair De Lune.mp3" in {name for f in results for name in f.data["names"]}
        assert "90401ec0241f9000edaf53da4ef1b542" in {f.data.get("ed2k") for f in results} | {f.data.get("md5") for f in results}
        assert "ed2kftp://7191240@91.208.184.143:4232/4d29a8f82cfca1f5f987de6f16714a61/4753906/" in {
            u for f in results for u in f.data["urls"]
        }
        assert (results[0].data["sha1"], results[0].data["time"]) == ("eb4ac003cddbaabdba9ae1713d23bc3befdb01b6", "2021-05-17T17:16:25Z")


def test_what_was_not_shared_and_what_was_deleted_are_told_apart() -> None:
    said = run("shareaza", item_of(made(), f"{HOME}/Data/Library2.dat"))
    kinds = {f.data["name"]: (f.kind, f.data["shared"]) for f in findings(said) if "shared" in f.data and "name" in f.data}
    assert kinds == {
        "not.jpg": ("library-file", False), "but this.jpg": ("shared-file", True), "yes.jpg": ("shared-file", True),
        "gone.jpg": ("library-file", True),
    }  # fmt: skip
    (gone,) = [f for f in findings(said) if f.data.get("deleted")]
    assert gone.title == "gone.jpg was known to Shareaza and was deleted"
    assert gone.data["digests"] == [{"sha1": SHA1, "tth": TTH, "md5": MD5, "ed2k": ED2K, "btih": BTIH}]
    assert (gone.data["comment"], gone.data["times_uploaded"], gone.data["sources"]) == ("good", 2, ["http://10.0.0.9/x"])
    assert [f.data["name"] for f in findings(said) if "added_time" in f.data] == ["yes.jpg"]
    (seeded,) = findings(said, "torrent")
    assert (seeded.data["btih"], seeded.data["time"]) == (BTIH, "2023-11-14T22:13:20Z")
    assert problems(said) == []


def test_downloads_of_several_versions_are_read_to_their_end() -> None:
    for version in (33, 36, 37, 38, 39, 40, 41, 42, 43):
        torrent = n32(11, 0)
        found = read_download(download(version, torrent))
        assert (found.why, found.paused, found.shared) == ("", True, True), version
        assert (found.keyword, found.sources[0].nick, found.sources[0].seen) == ("words", "nick", WRITTEN)


def test_a_torrent_in_a_download_gives_the_hashes_of_its_files() -> None:
    (one, peer) = findings(run("shareaza", item_of(download(43, TORRENT), f"{HOME}/Incomplete/x.sd")))
    assert one.data["digests"] == [
        {"sha1": SHA1, "tth": TTH, "md5": MD5, "ed2k": ED2K, "btih": BTIH},
        {"sha1": "66" * 20, "md5": "77" * 16},
    ]
    assert (one.data["files"], one.data["trackers"]) == ([{"path": "Films\\b.mp4", "size": 5000}], ["http://t.example/a"])
    assert one.data["reviews"] == [{"address": "10.0.0.8", "name": "kim", "text": "nice"}]
    assert (peer.kind, peer.data["offered"]) == ("peer", "their name.avi")


def test_searches_of_metadata_and_results_that_were_taken() -> None:
    term, result = findings(run("shareaza", item_of(searches("two words"), f"{HOME}/Data/Searches.dat")))
    assert (term.data["term"], term.data["filter"], term.data["digests"]) == ("two words", "only this", [{"md5": MD5}])
    assert (result.data["names"], result.data["chosen"], result.data["tth"]) == (["one.avi", "two.avi"], True, TTH)
    assert result.data["offered_by"][0] == {"address": "10.1.2.3", "port": 99, "client": "RAZA", "nick": "theirs", "name": "one.avi"}


def test_what_is_not_read_is_said() -> None:
    newer = made()[:8] + n32(31) + made()[12:]
    for data, path, word in (
        (made()[:-9], "Data/Library1.dat", "not read whole"),
        (newer, "Data/Library1.dat", "a version"),
        (b"SDL" + n32(9) + bytes(40), "Incomplete/x.sd", "a version"),
        (download(42)[:-30], "Incomplete/x.sd", "not read whole"),
        (searches("x", 3)[:-40], "Data/Searches.dat", "not read whole"),
        (download(42, sources=[source(42)] * 600), "Incomplete/x.sd", "100 sources"),
    ):  # fmt: skip
        assert any(word in p.message for p in problems(run("shareaza", item_of(data, f"{HOME}/{path}")))), word


def test_folders_and_metadata_without_end_are_refused() -> None:
    deep = folder("x", 0, [], [])
    for _ in range(200):
        deep = folder("x", 0, [deep], [])
    assert "nested deeper" in read_library(library([deep], [])).why
    xml = element("x", {})
    for _ in range(100):
        xml = element("x", {}, n16(1) + xml)
    assert "nested deeper" in read_download(download(42).replace(element("video", {"title": "A film"}), xml)).why


def test_texts_of_every_length_are_read() -> None:
    for words in ("", "a" * 254, "ü" * 255, "𝄞" * 300):
        assert MfcArchive(text(words)).text() == words
    assert MfcArchive(b"\x03abc").text() == "abc"
    assert MfcArchive(b"\xff\x04\x01" + b"\xe9" * 260).text() == "é" * 260


def test_other_files_of_these_names_are_left_alone() -> None:
    for data in (b"no library of ours, but as long", bytes(100), b"\xff" * 60):
        for path in ("Library1.dat", "a.sd", "Searches.dat"):
            assert run("shareaza", item_of(data, f"vol1/{path}")) == []


def test_damage_never_breaks_it() -> None:
    for item in samples():
        data = item.read(item.size)
        for one in mutants(data, 150):
            never_fails("shareaza", item_of(one, item.entry.path))
