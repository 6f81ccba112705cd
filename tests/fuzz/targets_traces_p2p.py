"""Targets of what programs for exchanging files keep: Shareaza, Ares, eMule's state, torrent programs, DC++, LimeWire, links."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

from triage.artifacts import ares, emulestate
from triage.artifacts.dcplusplus import read_index, read_listing, read_queue, read_settings
from triage.artifacts.inifile import read_ini
from triage.artifacts.javastrings import files_of
from triage.artifacts.p2p import LENGTHS, hex_of
from triage.artifacts.p2plinks import find_links, has_links
from triage.artifacts.pickled import read_pickle
from triage.artifacts.qtsettings import numbers_of, values_of
from triage.artifacts.shareaza import read_library
from triage.artifacts.shareazadown import read_download
from triage.artifacts.shareazasearch import read_searches
from triage.artifacts.structure import StructureError
from triage.artifacts.torrentstate import of_deluge_state
from triage.artifacts.xmlfile import parse_xml
from triage.plugin import Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
import test_plugin_ares as made_ares
import test_plugin_dcplusplus as made_dc
import test_plugin_emule_state as made_emule
import test_plugin_limewire as made_limewire
import test_plugin_p2p_links as made_links
import test_plugin_shareaza as made_shareaza
import test_plugin_torrent_clients as made_torrents
from real_samples import item_of

MODULES = (made_ares, made_dc, made_emule, made_limewire, made_links, made_shareaza, made_torrents)
NAMES = ("ares", "dcplusplus", "emule_state", "limewire", "p2p_links", "shareaza", "torrent_clients")


def _shareaza(data: bytes) -> None:
    for read in (read_library, read_download, read_searches):
        with contextlib.suppress(StructureError):
            read(data)


def _ares(data: bytes) -> None:
    for read in (ares.read_files, ares.read_torrents):
        with contextlib.suppress(StructureError):
            read(data)
    with contextlib.suppress(StructureError):
        ares.read_part(data[-ares.TAIL :])


def _emule(data: bytes) -> None:
    for read in (
        emulestate.user_hash, emulestate.kad_identity, emulestate.read_clients, emulestate.read_friends, emulestate.read_cancelled,
        emulestate.read_servers, emulestate.read_stored,
    ):  # fmt: skip
        with contextlib.suppress(StructureError):
            read(data)
    with contextlib.suppress(StructureError):
        assert emulestate.count_nodes(data, len(data)) > 0


def _pickle(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        read_pickle(data)
    with contextlib.suppress(StructureError):
        of_deluge_state(data)


def _texts(data: bytes) -> None:
    for values in read_ini(data).values():
        for value in values.values():
            values_of(value)
            with contextlib.suppress(StructureError):
                numbers_of(value)
    has_links(data)
    text = data.decode("utf-8", "replace")
    for link in find_links(text):
        for kind, digest in link.digests.items():
            assert hex_of(kind, digest) == digest
    for kind in LENGTHS:
        hex_of(kind, text)
    for one in files_of(data):
        assert one.path or one.digests


def _dc(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        root = parse_xml(data).root
        read_queue(root)
        read_index(root)
        read_settings(root)
        for folder in read_listing(root):
            assert len(folder.files) <= 100


def _plugins(data: bytes) -> None:
    plugins = find_plugins().plugins
    for name, module in zip(NAMES, MODULES, strict=True):
        for path in [item.entry.path for item in module.samples()][:3]:
            for result in run_plugin(plugins[name].load(), plugins[name].key(), item_of(data, path)):
                assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _samples(module: object) -> list[bytes]:
    return [item.read(1 << 20) for item in module.samples()]  # type: ignore[attr-defined]


TARGETS = [
    Target("shareaza", _shareaza, lambda: [*_samples(made_shareaza), made_shareaza.download(43, made_shareaza.TORRENT)],
           ("triage.artifacts.mfc", "triage.artifacts.shareaza*"), tokens=(b"\xff\xfe\xff", b"\xff\xff", b"SDL", b"\x1d\0\0\0")),
    Target("ares", _ares, lambda: _samples(made_ares), ("triage.artifacts.ares",), tokens=(b"__ARESDB1.04L_", b"___ARESTRA__3")),
    Target("emule-state", _emule, lambda: _samples(made_emule), ("triage.artifacts.emulestate",),
           tokens=(b"\x0e", b"\x0f\x01", b"\x12", b"\x82")),
    Target("pickles", _pickle, lambda: [made_torrents.OLD_STATE, made_torrents.deluge_state(2), made_torrents.deluge_state(4)],
           ("triage.artifacts.pickled", "triage.artifacts.torrentstate"),
           tokens=(b"(", b")R", b"}q\x01", b"h\x01", b"b.", b"ios\nx\n", b"2", b"e")),
    Target("p2p-texts", _texts, lambda: [*_samples(made_links), *_samples(made_limewire), *_samples(made_torrents)],
           ("triage.artifacts.p2p", "triage.artifacts.p2plinks", "triage.artifacts.inifile", "triage.artifacts.qtsettings",
            "triage.artifacts.javastrings"),
           tokens=(b"magnet:?xt=urn:btih:", b"ed2k://|file|", b"%7C", b"&amp;", b"\\x", b"@Variant(", b"urn:sha1:", b"t\0\x10")),
    Target("dc-lists", _dc, lambda: [text.encode() for text in (made_dc.QUEUE, made_dc.INDEX, made_dc.LISTING, made_dc.SETTINGS)],
           ("triage.artifacts.dcplusplus",), tokens=(b"<Directory>", b"<File ", b"</", b"TTH=")),
    Target("p2p-plugins", _plugins, lambda: [data for module in MODULES for data in _samples(module)[:2]],
           tuple(f"triage.plugins.{name}" for name in NAMES)),
]  # fmt: skip
