"""What an Android device is, its users, accounts, programs and when they were used, networks, paired devices, by its system's files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts import androidtexts, androidxml, usagestats
from triage.artifacts.abx import MAGIC, read_xml
from triage.artifacts.browsing import fact
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.browsing import Fact
    from triage.plugin import Beside

_LARGEST = 64 << 20
_LARGEST_INTERVAL = 16 << 20
_LOCKS = ("gesture.key", "password.key", "gatekeeper.gesture.key", "gatekeeper.password.key", "gatekeeper.pattern.key")
_MAPPINGS = ("usagestats/mappings", "usagestats/*/mappings")
_INTERVALS = tuple(f"usagestats/{user}{interval}/*" for interval in usagestats.INTERVALS for user in ("", "*/"))
_ALL_USERS = "usagestats/globalcomponentusage"


class AndroidSystem:
    """Findings ``system``, ``installed-program``, ``account``, ``network``, ``device``, ``program-run``, ``activity``, ``device-state``.

    Use by numbers (Android 11 on) is said of the file with the names, ``mappings``, since only with it is it known whose use it was.
    """

    name = "android_system"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=(
            *(path for path, _ in androidxml.READERS),
            *(path for path, _ in androidtexts.READERS),
            androidtexts.PROPERTY,
            *(f"system/{name}" for name in _LOCKS),
            *_MAPPINGS,
            _ALL_USERS,
            *_INTERVALS,
        ),
        beside=tuple(f"{interval}/*" for interval in usagestats.INTERVALS),
        max_size=_LARGEST,
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says."""
        mine = whose(item.entry.path)
        for one in self._read(item):
            if isinstance(one, str):
                yield item.problem(f"a file of Android's system was not read whole: {one}")
            else:
                yield item.finding(one.kind, one.title, {**mine, **one.data})

    def _read(self, item: Item) -> Iterator[Fact | str]:
        """Yield facts, and what could not be read."""
        path, name = item.entry.path, item.entry.name.lower()
        try:
            if name in _LOCKS:
                how = "a pattern" if "gesture" in name or "pattern" in name else "a password or number"
                yield fact("system", f"a screen lock was set: {how}", None, lock=how)
            elif Accepts(paths=_MAPPINGS).fits_path(path):
                yield from _numbered(item)
            elif Accepts(paths=(_ALL_USERS,)).fits_path(path):
                yield from usagestats.of_all_users(item.read_at(0, item.size))
            elif Accepts(paths=_INTERVALS).fits_path(path):
                yield from _interval(item)
            elif Accepts(paths=(androidtexts.PROPERTY,)).fits_path(path):
                yield from androidtexts.one_property(item.entry.name, item.head(200))
            else:
                yield from _known(item)
        except StructureError as error:
            yield str(error)


def _known(item: Item) -> Iterator[Fact | str]:
    """Read a file by its path."""
    path = item.entry.path
    for pattern, read in androidtexts.READERS:
        if Accepts(paths=(pattern,)).fits_path(path):
            yield from read(item.read_at(0, item.size))
            return
    for pattern, read_tree in androidxml.READERS:
        if Accepts(paths=(pattern,)).fits_path(path):
            document = read_xml(item.read_at(0, item.size))
            yield from read_tree(document.root)
            yield from document.notes
            return


def _interval(item: Item) -> Iterator[Fact | str]:
    begin = usagestats.begun(item.entry.name)
    data = item.read_at(0, item.size)
    if begin is None or not data:
        return
    interval = item.entry.path.lower().rsplit("/", 2)[-2]
    if data.startswith((b"<", MAGIC)) or data.lstrip().startswith(b"<?xml"):
        document = read_xml(data)
        yield from usagestats.of_xml(document.root, begin, interval)
        yield from document.notes
    elif not usagestats.is_numbered(data):
        yield from usagestats.of_message(data, begin, interval)


def _numbered(item: Item) -> Iterator[Fact | str]:
    names = usagestats.names_of(item.read_at(0, item.size))
    for one in item.beside:
        interval, _, name = one.name.rpartition("/")
        begin = usagestats.begun(name)
        if begin is None:
            continue
        if one.size > _LARGEST_INTERVAL:
            yield f"statistics of use of more than {_LARGEST_INTERVAL >> 20} MiB"
            continue
        yield from _beside(one, begin, interval, names)


def _beside(one: Beside, begin: int, interval: str, names: usagestats.Names) -> Iterator[Fact | str]:
    data = one.read(_LARGEST_INTERVAL)
    if not usagestats.is_numbered(data):
        return  # an older form, which is told of by itself
    try:
        yield from usagestats.of_message(data, begin, re.sub(r".*/", "", interval), names)
    except StructureError as error:
        yield f"statistics of use beside it: {error}"


PLUGIN = AndroidSystem
