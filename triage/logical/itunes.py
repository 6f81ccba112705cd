"""Backups of iPhones and iPads by iTunes, the Finder and tools that speak their protocol: files under numbers made files under their paths.

Since iOS 10 ``Manifest.db`` (SQLite) lists them, table ``Files``: ``fileID``, ``domain``, ``relativePath``, ``flags`` (1 file, 2 folder,
4 link), ``file`` (an ``MBFile`` of NSKeyedArchiver: size, times in seconds since 1970, mode, owner, and of encrypted ones the key). Before
that ``Manifest.mbdb`` did (:mod:`triage.logical.mbdb`). A file lies under ``fileID[:2]/fileID``, or ``fileID`` alone in the older form. In
an encrypted backup the database is encrypted as well, by the key ``ManifestKey`` of ``Manifest.plist``.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

from triage.artifacts.keyedarchive import KeyedArchive
from triage.artifacts.plist import Date, parse_plist
from triage.artifacts.sqlite import MAX_BYTES, open_database
from triage.artifacts.structure import StructureError
from triage.errors import PasswordError
from triage.escape import show
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.backupdomains import place_of
from triage.logical.folder import named, reader
from triage.logical.keybag import Keybag, KeybagError, cbc_reader, read_keybag
from triage.logical.listed import Listed
from triage.logical.mbdb import read_mbdb
from triage.logical.paths import Folders
from triage.model import Kind, Severity, TimeBasis, iso_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.evidence.folder import FolderFile, FolderMedium
    from triage.filesystem.trees.tree import ReadAt

LISTS = (b"Manifest.db", b"Manifest.mbdb")
_BESIDE = frozenset((*LISTS, b"Manifest.db-wal", b"Manifest.db-shm", b"Manifest.plist", b"Info.plist", b"Status.plist"))
_FACTS = {
    "Device Name": "device name",
    "Display Name": "shown as",
    "Product Name": "product",
    "Product Type": "model",
    "Product Version": "system version",
    "Build Version": "system build",
    "Serial Number": "serial number",
    "Unique Identifier": "identifier",
    "IMEI": "IMEI",
    "IMEI 2": "second IMEI",
    "MEID": "MEID",
    "ICCID": "ICCID",
    "Phone Number": "phone number",
    "Last Backup Date": "last backup",
    "iTunes Version": "written by iTunes",
}
_COLUMNS = ("fileID", "domain", "relativePath", "flags", "file")
_MOST_PLIST = 64 << 20


def is_backup(medium: FolderMedium) -> bool:
    """Whether a folder is a backup: it holds a list, and the property list that tells of it."""
    top = {one.path[0] for one in medium.files if len(one.path) == 1}
    return bool(top & {b"Manifest.plist", b"Info.plist"}) and any(name in top for name in LISTS)


class BackupTree:
    """The files of a backup under their paths on the phone, and the backup's own files.

    A name's address is the number of its bytes' file in the folder, from 1 on; its attribute tells which line of the list it is, since
    that has the key. Raises :class:`~triage.errors.PasswordError` when no password opens an encrypted backup, ``ValueError`` when the list
    cannot be read.
    """

    def __init__(
        self, medium: FolderMedium, offset: int, size: int, beat: Callable[[], None] = lambda: None, passwords: Sequence[str] = ()
    ) -> None:
        self.label = ""
        self.block_size = 1
        self.checked = False
        self._medium = medium
        self._beat = beat
        self._numbers = {one.path: number for number, one in enumerate(medium.files, 1)}
        self._faults: list[Fault] = []
        self._manifest_key: Any = None
        self._keys = self._unlock(passwords)
        self.encrypted = self._keys is not None
        self._list = self._read_list()
        if self._keys is None:
            for one in self._list:
                one.key = b""  # a tool may have decrypted the backup and left its list as it was

    # ---- the list ----------------------------------------------------------------------------------------------------------

    def _file(self, *path: bytes) -> FolderFile | None:
        number = self._numbers.get(path)
        return self._medium.files[number - 1] if number is not None else None

    def _bytes(self, name: bytes, limit: int) -> bytes:
        one = self._file(name)
        return reader(self._medium, one)(0, min(one.size, limit)) if one is not None else b""

    def facts(self) -> dict[str, str]:
        """Return what ``Info.plist`` says of the phone: name, model, system, numbers."""
        try:
            info: Any = parse_plist(self._bytes(b"Info.plist", _MOST_PLIST)).value
        except StructureError:
            return {}
        found = {}
        for key, name in _FACTS.items():
            value = info.get(key) if isinstance(info, dict) else None
            if isinstance(value, Date):
                value = iso_time(value.nanoseconds)
            if isinstance(value, str) and value.strip():
                found[name] = show(value.strip())[:200]
        return found

    def _unlock(self, passwords: Sequence[str]) -> Keybag | None:
        if self._file(b"Manifest.plist") is None:
            self._faults.append(Fault(Severity.WARNING, "the backup has no Manifest.plist: whether it is encrypted is not said"))
            return None
        try:
            manifest: Any = parse_plist(self._bytes(b"Manifest.plist", _MOST_PLIST)).value
        except StructureError as error:
            raise ValueError(f"its Manifest.plist cannot be read: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("IsEncrypted") is not True:
            return None
        self._manifest_key = manifest.get("ManifestKey")
        try:
            raw = manifest.get("BackupKeyBag")
            bag = read_keybag(raw if isinstance(raw, bytes) else b"")
            if not passwords:
                raise PasswordError("the backup is encrypted with a password", hint="give it by --password-file or --password")
            if not bag.unlock(passwords):
                raise PasswordError("no password that was given opens the backup", hint="check it, or give another one")
        except KeybagError as error:
            raise ValueError(str(error)) from error
        return bag

    def _read_list(self) -> list[Listed]:
        one = self._file(b"Manifest.db")
        if one is None:
            found, why = read_mbdb(self._bytes(b"Manifest.mbdb", MAX_BYTES))
            if why:
                self._faults.append(Fault(Severity.ERROR, f"the backup's list is damaged: {why}"))
            return found
        if one.size > MAX_BYTES:
            raise ValueError(f"its list is larger than {MAX_BYTES >> 20} MiB")
        data = self._bytes(b"Manifest.db", MAX_BYTES)
        log = self._bytes(b"Manifest.db-wal", MAX_BYTES) or None
        if self._keys is not None and not data.startswith(b"SQLite format 3\0"):
            if not isinstance(self._manifest_key, bytes):
                raise ValueError("the key of its list is missing")
            raw, size = data, len(data)
            data = cbc_reader(lambda at, length: raw[at : at + length], size, size, self._keys.file_key(self._manifest_key))(0, size)
            log = None
        try:
            with open_database(data, log) as database:
                rows = database.rows("Files", _COLUMNS)
                lines = [line for row in rows if row.live and (line := _line(row.values)) is not None]
                for note in database.notes.lines():
                    self._faults.append(Fault(Severity.ERROR, f"the backup's list was not read whole: {note}"))
        except StructureError as error:
            raise ValueError(f"its list cannot be read: {error}") from error
        return sorted(lines, key=lambda one: (one.domain, one.path, one.number))

    # ---- names -------------------------------------------------------------------------------------------------------------

    def names(self) -> Iterator[Named | Fault]:
        """Yield the files of the list under their paths, then those of the folder that the list does not name."""
        yield from self._faults
        folders = Folders()
        taken: set[int] = set()
        missing, short = 0, 0
        for line, one in enumerate(self._list, 1):
            self._beat()
            path = place_of(one.domain, one.path)
            if not path:
                continue
            yield from folders.above(path, 0)
            if one.directory and not folders.add(path):
                continue
            name = one.number.encode("ascii", "replace")
            number = self._numbers.get((name[:2], name)) or self._numbers.get((name,))
            if not one.directory and not one.link and number is None:
                missing += 1
            elif number is not None and not one.key and self._medium.files[number - 1].size < (one.size or 0):
                short += 1
            taken.add(number or 0)
            yield self._named(one, path, number, line)
        yield from self._others(taken)
        self.checked = not missing and not self._faults
        if short:
            yield Fault(Severity.WARNING, f"{short} files are shorter than the backup's list says")
        if missing:
            yield Fault(Severity.WARNING, f"{missing} files that the backup's list names are not in it")

    def _named(self, one: Listed, path: tuple[bytes, ...], number: int | None, line: int) -> Named:
        kind = Kind.DIRECTORY if one.directory else Kind.LINK if one.link else Kind.FILE
        held = self._medium.files[number - 1] if number is not None else None
        size = 0 if kind is not Kind.FILE else _size(one, held)
        times = {name: value * 10**9 if value else None for name, value in (("m", one.mtime), ("c", one.ctime), ("b", one.crtime))}
        return Named(
            path=path, kind=kind, address=number or 0, size=size, attribute=(line, 0) if one.key else None, mtime=times["m"],
            ctime=times["c"], crtime=times["b"], time_basis=TimeBasis.UTC if any(times.values()) else TimeBasis.UNKNOWN, mode=one.mode,
            uid=one.uid, gid=one.gid, link_target=one.target.encode() if one.link else None,
            runs=((held.offset, held.size),) if held is not None and not one.key and kind is Kind.FILE and held.size else (),
            readable=held is not None and kind is Kind.FILE,
        )  # fmt: skip

    def _others(self, taken: set[int]) -> Iterator[Named | Fault]:
        """Yield the backup's own files in a folder of their own, and what else lies there and stands in no list."""
        odd = 0
        for number, one in enumerate(self._medium.files, 1):
            if number in taken or stat.S_ISDIR(one.info.st_mode):
                continue
            own = one.path[0] in _BESIDE
            odd += not own
            yield named(one, number, ((b"$Backup" if own else b"$NotInList"), *one.path))
        if odd:
            yield Fault(Severity.WARNING, f"{odd} files of the backup's folder stand in no list: they are listed apart, in $NotInList")

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return a file's bytes by its number in the folder, decrypted with the key of its line in the list."""
        if not 0 < address <= len(self._medium.files):
            raise OSError("the file is not in the backup")
        held = self._medium.files[address - 1]
        plain = reader(self._medium, held)
        if attribute is None:
            return plain
        if self._keys is None or not 0 < attribute[0] <= len(self._list):
            raise OSError("its key is not there")
        one = self._list[attribute[0] - 1]
        return cbc_reader(plain, held.size, _size(one, held), self._keys.file_key(one.key))


def _size(one: Listed, held: FolderFile | None) -> int:
    """Return a file's size: as it lies there, of an encrypted one as the list says, less what is missing; of a missing one as listed."""
    if held is None:
        return one.size or 0
    return held.size if not one.key or one.size is None else min(one.size, held.size)


def _line(row: tuple[Any, ...]) -> Listed | None:
    number, domain, path, flags, blob = row
    if not isinstance(number, str) or not isinstance(domain, str) or not isinstance(path, str):
        return None
    found = Listed(number=number, domain=domain, path=path, directory=flags == 2, link=flags == 4)
    try:
        archive = KeyedArchive(blob) if isinstance(blob, bytes) else None
    except StructureError:
        archive = None
    if archive is None:
        return found

    def whole(name: str) -> int | None:
        value = archive.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else None

    found.size, found.mode, found.uid, found.gid = whole("Size"), whole("Mode"), whole("UserID"), whole("GroupID")
    found.mtime, found.ctime, found.crtime = whole("LastModified"), whole("LastStatusChange"), whole("Birth")
    found.target = archive.text("Target")
    key = archive.get("EncryptionKey", "NS.data") or archive.get("EncryptionKey")
    found.key = key if isinstance(key, bytes) else b""
    return found
