"""Torrents and what uTorrent was loading: real ones, made ones, and damage."""

from __future__ import annotations

import hashlib

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

FILES = b"ld6:lengthi10e4:pathl1:a5:b.mp4eed6:lengthi20e4:pathl5:c.srteee"
INFO = b"d5:files" + FILES + b"4:name5:Films12:piece lengthi16384e6:pieces20:" + bytes(20) + b"e"
TORRENT = b"d8:announce18:http://t.example/a13:creation datei1700000000e4:info" + INFO + b"e"


def test_a_torrent_has_its_hash_files_and_trackers() -> None:
    (found,) = findings(run("bittorrent", item_of(TORRENT, "vol1/home/kim/x.torrent")))
    assert found.data["btih"] == hashlib.sha1(INFO).hexdigest()
    assert found.data["digests"] == [{"btih": found.data["btih"]}]
    assert (found.data["name"], found.data["size"], found.data["file_count"]) == ("Films", 30, 2)
    assert [f["path"] for f in found.data["files"]] == ["a/b.mp4", "c.srt"]
    assert (found.data["trackers"], found.data["user"], found.data["time"]) == (["http://t.example/a"], "kim", "2023-11-14T22:13:20Z")


def test_a_torrent_that_breaks_off_is_said() -> None:
    said = run("bittorrent", item_of(TORRENT[:-30], "vol1/x.torrent"))
    assert (findings(said), len(problems(said))) == ([], 1)


def test_a_bomb_of_levels_is_refused() -> None:
    said = run("bittorrent", item_of(b"d1:a" + b"l" * 100_000, "vol1/x.torrent"))
    assert (findings(said), len(problems(said))) == ([], 1)


def test_damage_never_breaks_it() -> None:
    for data in mutants(TORRENT, 300):
        never_fails("bittorrent", item_of(data, "vol1/x.torrent"))


class TestRealSamples:
    pytestmark = needs_samples

    def test_real_torrents_are_read(self) -> None:
        (one,) = findings(run("bittorrent", item_of((ARTIFACTS / "iped" / "test_torrentSimple.torrent").read_bytes(), "vol1/a.torrent")))
        assert (one.data["name"], one.data["size"]) == ("NovaROFull_19112020.exe", 3259111196)
        (many,) = findings(run("bittorrent", item_of((ARTIFACTS / "iped" / "test_torrentMultiple.torrent").read_bytes(), "vol1/b.torrent")))
        sizes = {f["path"]: f["size"] for f in many.data["files"]}
        assert (sizes["Big Buck Bunny.mp4"], sizes["Big Buck Bunny.en.srt"]) == (276134947, 140)
        assert many.data["btih"] == "dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c"

    def test_what_utorrent_was_loading_is_read(self) -> None:
        said = findings(run("bittorrent", item_of((ARTIFACTS / "iped" / "test_resume.dat").read_bytes(), "vol1/uTorrent/resume.dat")))
        assert {f.data["torrent"] for f in said} == {
            "Sintel.torrent", "Tears of Steel.torrent", "NovaROFull_19112020.exe.torrent", "Cosmos Laundromat.torrent",
            "Big Buck Bunny.torrent",
        }  # fmt: skip
        assert all(len(f.data["btih"]) == 40 for f in said)
