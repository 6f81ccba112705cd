"""What torrent programs note beside the torrents: made files of each, a line that a real qBittorrent wrote, damage."""

from __future__ import annotations

import json
import pickle
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from real_samples import PLUGINS, findings, item_of, mutants, never_fails, problems, run

from triage.artifacts.pickled import Instance, read_pickle
from triage.artifacts.qtsettings import numbers_of, unescape, values_of
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

HASH = "ab" * 20
REAL_TOTALS = (  # of qBittorrent 4.4; what stands in it was counted by hand: 0xff86dd98 and 0x182ec129
    r"@Variant(\0\0\0\x1c\0\0\0\x2\0\0\0\x12\0\x41\0l\0l\0t\0i\0m\0\x65\0\x44\0L\0\0\0\x5\0\0\0\0\xff\x86\xdd\x98"
    r"\0\0\0\x12\0\x41\0l\0l\0t\0i\0m\0\x65\0U\0L\0\0\0\x5\0\0\0\0\x18.\xc1))"
)


def bencode(value: Any) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str | bytes):
        raw = value.encode() if isinstance(value, str) else value
        return b"%d:%s" % (len(raw), raw)
    if isinstance(value, list):
        return b"l" + b"".join(bencode(one) for one in value) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(one) for key, one in value.items()) + b"e"


RESUME = {
    "file-format": "libtorrent resume file", "info-hash": bytes.fromhex(HASH), "name": "Films", "save_path": "/old",
    "added_time": 1_700_000_000, "completed_time": 1_700_000_100, "last_upload": 203_000, "last_download": 1_700_000_050,
    "total_downloaded": 10, "total_uploaded": 20,
    "trackers": [["http://t.example/a"], ["udp://u.example:1"]], "mapped_files": ["Films/a.avi"], "paused": 1,
    "qBt-savePath": "/home/kim/films", "qBt-category": "films", "qBt-tags": ["one", "two"],
}  # fmt: skip
TRANSMISSION = {
    "activity-date": 1_700_000_200, "added-date": 1_700_000_000, "destination": "/home/kim/Downloads", "done-date": 1_700_000_100,
    "downloaded": 10, "uploaded": 20, "name": "Films", "paused": 0, "labels": ["one"], "peers2": b"\0\1",
}  # fmt: skip


def vuze() -> bytes:
    one = {"torrent_hash": bytes.fromhex(HASH), "torrent": "C:\\t\\x.torrent", "save_dir": "C:\\films", "save_file": "Films",
           "uploaded": 20, "downloaded": 10, "completed": 1000, "creationTime": 1_700_000_000_000}  # fmt: skip
    return bencode({"downloads": [one]})


def deluge_state(protocol: int) -> bytes:
    module = types.ModuleType("deluge.core.torrentmanager")

    class TorrentManagerState:
        pass

    class TorrentState:
        pass

    for kind in (TorrentManagerState, TorrentState):
        kind.__module__, kind.__qualname__ = module.__name__, kind.__name__
        setattr(module, kind.__name__, kind)
    one, root = TorrentState(), TorrentManagerState()
    one.__dict__.update(
        torrent_id=HASH, filename="x.torrent", save_path="/home/kim/grüße", trackers=[{"tier": 0, "url": "http://t.example/a"}],
        time_added=1.7e9, total_uploaded=20, magnet="magnet:?xt=urn:btih:x&dn=A%20film", is_finished=True,
        owner="localclient", move_completed=True, move_completed_path="/done",
    )  # fmt: skip
    root.__dict__["torrents"] = [one]
    names = ("deluge", "deluge.core", module.__name__)
    sys.modules.update(dict.fromkeys(names, module))
    try:
        return pickle.dumps(root, protocol)
    finally:
        for name in names:
            del sys.modules[name]


OLD_STATE = (  # as Deluge 1.3 wrote it: objects of Python 2, protocol 0
    b"(ideluge.core.torrentmanager\nTorrentManagerState\np1\n(dp2\nS'torrents'\np3\n(lp4\n(ideluge.core.torrentmanager\nTorrentState\np5\n"
    b"(dp6\nS'torrent_id'\np7\nS'"
    + HASH.encode()
    + b"'\np8\nsS'filename'\np9\nS'gr\\xc3\\xbcn.torrent'\np10\nsS'total_uploaded'\np11\nL20L\n"
    b"sS'is_finished'\np12\nI01\nsS'magnet'\nNsS'save_path'\nS'/home/kim'\nsS'time_added'\nF1700000000.0\nsbasb."
)


def told(data: bytes, path: str) -> list[Finding]:
    said = run("torrent_clients", item_of(data, f"vol1/home/kim/{path}"))
    assert problems(said) == []
    return findings(said)


def samples() -> list[Item]:
    return [
        item_of(bencode(RESUME), f"vol1/home/kim/.local/share/qBittorrent/BT_backup/{HASH}.fastresume"),
        item_of(bencode(TRANSMISSION), "vol1/home/kim/.config/transmission/resume/Films.0123456789abcdef.resume"),
        item_of(vuze(), "vol1/home/kim/.azureus/downloads.config"),
        item_of(OLD_STATE, "vol1/home/kim/.config/deluge/state/torrents.state"),
        item_of(f"[Stats]\nAllStats={REAL_TOTALS}\n".encode(), "vol1/home/kim/.config/qBittorrent/qBittorrent-data.conf"),
    ]


def test_what_qbittorrent_loaded_is_told_with_times_and_folders() -> None:
    (one,) = told(bencode(RESUME), f".local/share/qBittorrent/BT_backup/{HASH}.fastresume")
    assert (one.kind, one.data["name"], one.data["path"], one.data["user"]) == ("loading-file", "Films", "/home/kim/films", "kim")
    assert (one.data["time"], one.data["completed_time"]) == ("2023-11-14T22:13:20Z", "2023-11-14T22:15:00Z")
    assert one.data["last_active"] == "2023-11-14T22:14:10Z"
    assert (one.data["bytes_loaded"], one.data["bytes_uploaded"]) == (10, 20)
    assert (one.data["category"], one.data["tags"], one.data["files"]) == ("films", ["one", "two"], ["Films/a.avi"])
    assert (one.data["trackers"], one.data["digests"]) == (["http://t.example/a", "udp://u.example:1"], [{"btih": HASH}])
    assert (one.data["program"], one.data["paused"]) == ("qBittorrent", True)


def test_the_hash_is_that_of_the_file_name_when_there_is_no_other() -> None:
    for path in (f"BT_backup/{HASH.upper()}.fastresume", f"transmission/resume/{HASH}.resume"):
        bare = {key: value for key, value in RESUME.items() if key != "info-hash"} if "BT" in path else TRANSMISSION
        assert told(bencode(bare), path)[0].data["digests"] == [{"btih": HASH}]


def test_a_torrent_that_stands_in_it_is_matched_once_only() -> None:
    data = bencode(RESUME | {"info": {"name": "Films", "length": 1, "piece length": 1, "pieces": bytes(20)}})
    path = f"vol1/BT_backup/{HASH}.fastresume"
    (mine,) = findings(run("torrent_clients", item_of(data, path)))
    (other,) = findings(run("bittorrent", item_of(data, path)))
    assert (mine.kind, "digests" in mine.data, other.kind, "digests" in other.data) == ("loading-file", False, "torrent", True)
    assert findings(run("bittorrent", item_of(bencode(RESUME), path))) == []


def test_what_transmission_loaded_is_told_in_old_and_new_spelling() -> None:
    for table in (TRANSMISSION, {key.replace("-", "_"): value for key, value in TRANSMISSION.items()}):
        (one,) = told(bencode(table), ".config/transmission/resume/Films.0123456789abcdef.resume")
        assert (one.data["program"], one.data["name"], one.data["path"]) == ("Transmission", "Films", "/home/kim/Downloads")
        assert (one.data["completed_time"], one.data["last_active"]) == ("2023-11-14T22:15:00Z", "2023-11-14T22:16:40Z")
        assert (one.data["labels"], one.data["paused"], one.data["bytes_uploaded"]) == (["one"], False, 20)


def test_totals_of_each_program_are_told() -> None:
    totals = {"downloaded-bytes": 10, "files-added": 3, "seconds-active": 7, "session-count": 5, "uploaded-bytes": 20}
    for table in (totals, {key.replace("-", "_"): value for key, value in totals.items()}):
        (one,) = told(json.dumps(table).encode(), ".config/transmission-daemon/stats.json")
        assert (one.kind, one.data["bytes_loaded"], one.data["bytes_uploaded"], one.data["files"]) == ("transfer-total", 10, 20, 3)
    (two,) = told(f"[Stats]\nAllStats={REAL_TOTALS}\n".encode(), ".config/qBittorrent/qBittorrent-data.conf")
    assert (two.data["bytes_loaded"], two.data["bytes_uploaded"]) == (0xFF86DD98, 0x182EC129)


def test_settings_say_folders_and_ports_and_no_passwords() -> None:
    ini = (
        '[AddNewTorrentDialog]\nSavePathHistory=/home/kim/a, "/home/kim/b, c"\n[BitTorrent]\nSession\\DefaultSavePath=D:\\\\films\n'
        'Session\\Port=6881\n[Preferences]\nWebUI\\Username=kim\nWebUI\\Password_PBKDF2="@ByteArray(x)"\nGeneral\\Locale=de\n'
        "[Search]\nSearchHistory=one, two words\n"
    )
    settings, *terms = told(ini.encode(), "AppData/Roaming/qBittorrent/qBittorrent.ini")
    assert settings.data["settings"] == {
        "AddNewTorrentDialog/SavePathHistory": ["/home/kim/a", "/home/kim/b, c"], "BitTorrent/Session/DefaultSavePath": "D:\\films",
        "BitTorrent/Session/Port": "6881", "Preferences/WebUI/Username": "kim", "Search/SearchHistory": ["one", "two words"],
    }  # fmt: skip
    assert [f.data["term"] for f in terms] == ["one", "two words"]
    (deluge,) = told(
        b'{"file": 1, "format": 1}{"download_location": "/d", "proxies": {"peer": {"port": 1, "password": "x"}}}', "deluge/core.conf"
    )
    assert deluge.data["settings"] == {"download_location": "/d", "proxies/peer/port": "1"}
    (transmission,) = told(b'{"download-dir": "/d", "incomplete-dir": "/i", "rpc-password": "x"}', ".config/transmission/settings.json")
    assert transmission.data["settings"] == {"download-dir": "/d", "incomplete-dir": "/i"}
    table = {"add_dialog_hist": ["C:\\a", "D:\\b"], "dir_active_download": "C:\\films", "webui.password": "x", "bind_port": 5}
    (utorrent,) = told(bencode(table), "AppData/Roaming/uTorrent/settings.dat")
    assert utorrent.data["settings"] == {"add_dialog_hist": ["C:\\a", "D:\\b"], "active_download/dir": "C:\\films", "bind_port": "5"}


def test_words_that_were_searched_for_are_told() -> None:
    assert [(f.kind, f.data["term"]) for f in told(b"one\ntwo words\n", "qBittorrent/SearchUI/History.txt")] == [
        ("search-term", "one"),
        ("search-term", "two words"),
    ]


def test_what_vuze_loaded_is_told() -> None:
    (one,) = told(vuze(), ".azureus/downloads.config")
    assert (one.data["name"], one.data["path"], one.data["digests"]) == ("Films", "C:\\films", [{"btih": HASH}])
    assert (one.data["time"], one.data["done_per_mille"]) == ("2023-11-14T22:13:20Z", 1000)
    active = bencode({"announce": "http://t.example/a", "info": {"name": "Films", "files": [{"path": ["a", "b.avi"], "length": 1}]}})
    (two,) = told(active, f".azureus/active/{HASH.upper()}.dat")
    assert (two.data["files"], two.data["digests"]) == (["a/b.avi"], [{"btih": HASH}])


@pytest.mark.parametrize("protocol", range(6))
def test_what_deluge_loaded_is_told_without_making_one_object(protocol: int) -> None:
    (one,) = told(deluge_state(protocol), ".config/deluge/state/torrents.state")
    assert (one.data["name"], one.data["path"], one.data["btih"]) == ("x.torrent", "/home/kim/grüße", HASH)
    assert (one.data["owner"], one.data["finished"], one.data["moved_to"]) == ("localclient", True, "/done")
    assert (one.data["time"], one.data["bytes_uploaded"], one.data["trackers"]) == ("2023-11-14T22:13:20Z", 20, ["http://t.example/a"])


def test_the_state_of_old_deluge_is_read() -> None:
    (one,) = told(OLD_STATE, ".config/deluge/state/torrents.state.bak")
    assert (one.data["torrent"], one.data["btih"], one.data["finished"]) == ("grün.torrent", HASH, True)
    assert (one.data["path"], one.data["time"], one.data["bytes_uploaded"]) == ("/home/kim", "2023-11-14T22:13:20Z", 20)


def test_what_deluge_can_resume_is_told() -> None:
    data = bencode({HASH: bencode(RESUME), "cd" * 20: b"broken"})
    said = run("torrent_clients", item_of(data, "vol1/.config/deluge/state/torrents.fastresume"))
    assert [f.data["btih"] for f in findings(said)] == [HASH]
    assert "1 torrents" in problems(said)[0].message


def test_what_bitcomet_loaded_is_told() -> None:
    xml = f'<BitComet><Torrents><Torrent InfoHashHex="{HASH}" SaveLocation="D:\\films\\Films" State="stopped"/></Torrents></BitComet>'
    (one,) = told(xml.encode(), "AppData/Roaming/BitComet/Downloads.xml")
    assert (one.data["name"], one.data["path"], one.data["digests"]) == ("Films", "D:\\films\\Films", [{"btih": HASH}])


def test_a_pickle_calls_nothing() -> None:
    harm = b"cos\nsystem\n(S'touch harm'\ntR."
    made = read_pickle(harm)
    assert isinstance(made, Instance)
    assert (made.name, made.given) == ("os.system", (b"touch harm",))
    for data in (b"", b"\x80\x02", b"(", b"0.", b"h\x00.", b"S'", b"\xff.", b"]" * 10, b"}a", b"(lp0\ng1\n."):
        with pytest.raises(StructureError):
            read_pickle(data)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_those_that_were_put_in(protocol: int) -> None:
    value = {
        "a": [1, -1, 1 << 70, 1.5, None, True, False, "grüße\n\\", "𝄞"],
        "b": ({"c": []}, (), (1, 2, 3, 4)),
        "d": "x" * 300,
        "e": 1 << 20,
    }
    assert read_pickle(pickle.dumps(value, protocol)) == value


def test_values_of_qt_are_divided_and_unescaped() -> None:
    assert unescape(r"a\x41\0b\n\\") == "aA\0b\n\\"
    assert values_of(r'one, "two, three", "a \"b\""') == ["one", "two, three", 'a "b"']
    assert (values_of(""), values_of("@Invalid()")) == ([], [])
    assert numbers_of(REAL_TOTALS) == {"AlltimeDL": 0xFF86DD98, "AlltimeUL": 0x182EC129}
    for text in ("12", r"@Variant(\0\0\0\x9\0\0\0\0)", r"@Variant(\0\0\0\x1c\0\0\0\x5)", "@Variant("):
        with pytest.raises(StructureError):
            numbers_of(text)


def test_other_programs_files_of_these_names_are_left_alone() -> None:
    for path, data in (
        ("x.resume", b"My CV: I know how to resume."), ("x.fastresume", b"d3:abc3:defe"), ("uTorrent/settings.dat", b"nothing"),
        ("transmission/settings.json", b"{}"), ("qBittorrent/qBittorrent.conf", b"[x]\ny=1\n"), (".azureus/active/x.dat", b"\0\1\2"),
        ("qBittorrent/SearchUI/History.txt", b"\0\1"), ("BitComet/Downloads.xml", b"<a/>"),
    ):  # fmt: skip
        assert told(data, path) == [], path


def test_every_path_that_it_wants_has_a_reader() -> None:
    for glob in PLUGINS["torrent_clients"].accepts.paths:
        path = "vol1/" + glob.replace("*", "x")
        for one in PLUGINS["torrent_clients"].load().analyze(item_of(b"\0\x02", path)):
            assert one.message


def test_damage_never_breaks_it() -> None:
    for item in samples():
        data = item.read(item.size)
        for one in mutants(data, 80):
            never_fails("torrent_clients", item_of(one, item.entry.path))
    for one in mutants(deluge_state(2), 200):
        never_fails("torrent_clients", item_of(one, "vol1/deluge/state/torrents.state"))
