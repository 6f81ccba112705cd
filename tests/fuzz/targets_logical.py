"""Targets of logical evidence: archives, phones' backups, and what is compressed or encrypted as a whole."""

from __future__ import annotations

import contextlib
import gzip
import sys
import tempfile
from pathlib import Path

from targets import Target

from triage.artifacts.structure import StructureError
from triage.artifacts.ufdr import read_report
from triage.errors import EvidenceError
from triage.evidence.ad1 import Ad1Medium, find_ad1
from triage.evidence.aff4 import Aff4Error
from triage.evidence.androidbackup import open_backup
from triage.evidence.ewf import EwfMedium, read_index
from triage.evidence.ewf2 import Ewf2Medium
from triage.evidence.ewf_index import UnsupportedVariantError
from triage.evidence.folder import FolderMedium
from triage.evidence.luks import LuksError, open_luks
from triage.evidence.packed import open_packed
from triage.filesystem.trees.tree import Named, Tree, TreeWalker
from triage.logical.ad1 import Ad1Error, Ad1Tree
from triage.logical.aff4l import Aff4LogicalTree
from triage.logical.itunes import BackupTree
from triage.logical.keybag import KeybagError, read_keybag
from triage.logical.l01 import L01Error, L01Tree
from triage.logical.mbdb import read_mbdb
from triage.logical.tarfiles import TarTree
from triage.logical.zipfiles import NoListError, ZipTree
from triage.model import Entry, Volume

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("logical", "filesystem")]
from backup_maker import keybag, make_backup, make_old_backup
from l01_maker import File, write_l01, write_lx01
from luks_maker import PASSWORD, luks1, luks2
from test_logical_ad1 import body as ad1_body
from test_logical_aff4l import image as aff4_image
from test_logical_archives import Bytes, tarred, zipped
from test_logical_ufdr import report as ufdr_report
from test_logical_zip_follow import streamed, without_list

AB = b"ANDROID BACKUP\n5\n1\nnone\n"


def _l01(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.L01"
        path.write_bytes(data)
        index = read_index([path])
        if not index.logical:
            return
        medium = EwfMedium([path], index)
        try:
            _tree(L01Tree(medium, 0, medium.size), medium.size)
        finally:
            medium.close()


def _lx01(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.Lx01"
        path.write_bytes(data)
        medium = Ewf2Medium([path])
        try:
            _tree(L01Tree(medium, 0, medium.size), medium.size)
        finally:
            medium.close()


def _lx01_made() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        below = [File("a.txt", b"hello" * 200), File("s·t", b"x", values={"opr": str(0x4002000), "ls": "50"})]
        return [write_lx01(Path(folder), [File("C", folder=True, below=below)]).read_bytes()]


def _l01_made() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        below = [File("a.txt", b"hello" * 200), File("s·t", b"x", values={"opr": str(0x4002000), "ls": "50"})]
        return [write_l01(Path(folder) / "a.L01", [File("C", folder=True, below=below)]).read_bytes()]


def _tree(tree: Tree, size: int) -> None:
    volume = Volume(evidence="e", number=1, offset=0, size=size, scheme="none", block_size=1)
    walker = TreeWalker(tree, volume, lambda *_: None, max_entries=10_000, max_orphans=1000)
    for one in walker.walk():
        if isinstance(one, Entry):
            assert Entry.unpack(one.pack()) == one
    for one in tree.names():
        if isinstance(one, Named) and one.readable:
            with contextlib.suppress(OSError):
                assert len(tree.open(one.address, one.sequence, one.attribute)(0, min(one.size, 1 << 18))) <= 1 << 18


def _zip(data: bytes) -> None:
    with contextlib.suppress(NoListError):
        _tree(ZipTree(Bytes(data), 0, len(data)), len(data))


def _tar(data: bytes) -> None:
    _tree(TarTree(Bytes(data), 0, len(data)), len(data))


def _packed(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(data)
        with contextlib.suppress(EvidenceError):
            medium, _, _ = open_backup([path], ["x"], None, lambda: None)
            medium.close()
        with contextlib.suppress(EvidenceError):
            packed, _ = open_packed("gzip", [path], None, lambda: None)
            packed.close()


def _backup(data: bytes) -> None:
    with contextlib.suppress(KeybagError):
        read_keybag(data)
    read_mbdb(data)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("Manifest.db", "Manifest.plist") if not data.startswith(b"mbdb") else ("Manifest.mbdb",):
            (Path(folder) / name).write_bytes(data)
        (Path(folder) / "Info.plist").write_bytes(b"")
        medium = FolderMedium(Path(folder))
        with contextlib.suppress(ValueError, EvidenceError, OSError):
            _tree(BackupTree(medium, 0, medium.size, passwords=["x"]), medium.size)
        medium.close()


def _luks(data: bytes) -> None:
    with contextlib.suppress(LuksError):
        found = open_luks(Bytes(data), [PASSWORD])
        if found is not None:
            found.read_at(0, 4096)


def _seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        new, old = make_backup(Path(folder) / "new"), make_old_backup(Path(folder) / "old")
        return [keybag(), (new / "Manifest.plist").read_bytes(), (old / "Manifest.mbdb").read_bytes(), (new / "Manifest.db").read_bytes()]


def _aff4l(data: bytes) -> None:
    with contextlib.suppress(Aff4Error):
        _tree(Aff4LogicalTree(Bytes(data), 0, len(data)), len(data))


def _ad1(data: bytes) -> None:
    with contextlib.suppress(Ad1Error):
        _tree(Ad1Tree(Bytes(data), 0, len(data)), len(data))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EvidenceError):
        path = Path(folder) / "a.ad1"
        path.write_bytes(data)
        Ad1Medium(find_ad1(path)).close()


TARGETS = [
    Target("ad1", _ad1, lambda: [ad1_body()], ("triage.logical.ad1", "triage.evidence.ad1"), tokens=(b"ADLOGICALIMAGE\0",)),
    Target("aff4-logical", _aff4l, lambda: [aff4_image({"a": b"x" * 99}, streams={"b": b"y" * 9000}), aff4_image({"a": b"x"}, digest="0")],
           ("triage.logical.aff4l", "triage.evidence.aff4turtle"), tokens=(b"aff4:", b"a aff4:FileImage ;", b"PK\1\2")),
    Target("luks", _luks, lambda: [luks1(bytes(4096)), luks2(bytes(4096))], ("triage.evidence.luks",), tokens=(b"LUKS\xba\xbe", b"aes")),
    Target("zip-evidence", _zip, lambda: [zipped(), zipped(0), zipped()[:-60], without_list(streamed(8))],
           ("triage.logical.zipfiles", "triage.logical.zipheaders", "triage.logical.zipfollow", "triage.logical.zipbytes",
            "triage.logical.ziptimes", "triage.logical.paths", "triage.filesystem.trees.tree"),
           tokens=(b"PK\3\4", b"PK\7\x08", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\xff" * 4)),
    Target("l01", _l01, _l01_made, ("triage.logical.l01", "triage.evidence.ltree"),
           (EvidenceError, L01Error, OSError, UnsupportedVariantError), ("entry".encode("utf-16-le"), b"\t\0", b"\n\0")),
    Target("lx01", _lx01, _lx01_made, ("triage.logical.l01", "triage.evidence.ewf2*"), (EvidenceError, L01Error, OSError),
           ("entry".encode("utf-16-le"), b"\t\0", b"\n\0")),
    Target("ufdr", lambda data: bool(read_report([data[:900], data[900:]])), lambda: [ufdr_report().encode()], ("triage.artifacts.ufdr",),
           (StructureError,), (b"<file ", b"path=", b"Local Path", b"]]>")),
    Target("tar-evidence", _tar, lambda: [tarred()], ("triage.logical.tarfiles", "triage.evidence.tarheaders", "triage.evidence.tarsparse"),
           tokens=(b"ustar", b"GNU.sparse.map=")),
    Target("packed-evidence", _packed, lambda: [gzip.compress(bytes(5000)), AB + b"x\x9c" + bytes(100)],
           ("triage.evidence.packed", "triage.evidence.inflated", "triage.evidence.androidbackup"), tokens=(b"\x1f\x8b\x08", b"AES-256")),
    Target("phone-backup", _backup, _seeds, ("triage.logical.itunes", "triage.logical.keybag", "triage.logical.mbdb"),
           tokens=(b"mbdb", b"UUID", b"SALT", b"WPKY")),
]  # fmt: skip
