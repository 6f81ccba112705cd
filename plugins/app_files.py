"""Accounts, messages, calls, contacts and posts in files of apps that are no databases: BeReal, Burner, Discord, and any app's settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import appjson, appsettings
from triage.artifacts.jsonfile import parse_json
from triage.artifacts.plist import parse_plist
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.artifacts.xmlfile import parse_xml
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.browsing import Fact

_LARGEST = 32 << 20
_PACKAGE = re.compile(r"/([^/]{1,200})/shared_prefs/[^/]+$", re.IGNORECASE)
# Program, where its answers lie (what Cache.db and other caches hold comes as files inside them), and what reads them.
_ANSWERS: tuple[tuple[str, tuple[str, ...], Callable[[Any], Iterator[Fact]]], ...] = (
    ("Burner", ("com.adhoclabs.burner/fscacheddata/*", "com.adhoclabs.burner/cache.db/*"), appjson.burner),
    ("Discord", ("com.hammerandchisel.discord/fscacheddata/*", "com.hammerandchisel.discord/cache.db/*"), appjson.discord),
    ("Discord", tuple(f"discord{kind}/cache/**/*{name}.json" for kind in ("", "ptb", "canary")
                      for name in ("messages", "relationships", "@me", "search")), appjson.discord),
)  # fmt: skip
_PREFERENCES: dict[str, tuple[str, Callable[[appsettings.Settings], Iterator[Fact]]]] = {
    "com.whatsapp": ("WhatsApp", appsettings.whatsapp),
    "com.whatsapp.w4b": ("WhatsApp Business", appsettings.whatsapp),
    "org.telegram.messenger": ("Telegram", appsettings.telegram),
    "org.telegram.messenger.web": ("Telegram", appsettings.telegram),
    "org.thunderdog.challegram": ("Telegram X", appsettings.any_app),
    "org.telegram.plus": ("Plus Messenger", appsettings.telegram),
}
_LISTS: tuple[tuple[str, str, Callable[[dict[str, Any]], Iterator[Fact]]], ...] = (
    ("group.bereal.plist", "BeReal", appsettings.bereal_group),
    ("group.net.whatsapp.whatsapp.shared.plist", "WhatsApp", appsettings.whatsapp_ios),
    ("net.whatsapp.whatsapp.plist", "WhatsApp", appsettings.whatsapp_ios),
)
_BEREAL = "disk-bereal-"


class AppFiles:
    """Findings ``account``, ``message``, ``call``, ``contact`` and ``post``, each with the program that says so."""

    name = "app_files"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            f"{_BEREAL}*/*",
            *(path for _, paths, _ in _ANSWERS for path in paths),
            "*/shared_prefs/*.xml",
            "*/Containers/**/Library/Preferences/*.plist",
            *(name for name, _, _ in _LISTS),
        ),
        max_size=_LARGEST,
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says."""
        path = f"/{item.entry.path}".lower()
        data = item.read_at(0, item.size)
        try:
            if path.endswith(".xml"):
                found = _preferences(path, data)
            elif path.endswith(".plist"):
                found = _plist(path, data)
            else:
                found = _answer(path, data)
        except StructureError as error:
            yield item.problem(f"a file of an app cannot be read: {error}")
            return
        program, facts, notes = found
        mine = whose(item.entry.path)
        for kind, title, said in facts:
            yield item.finding(kind, f"{program}: {title}", {**mine, "application": program, **said})
        for line in notes:
            yield item.problem(f"a file of an app was not read whole: {line}")


_Found = tuple[str, "Iterator[Fact]", tuple[str, ...]]


def _preferences(path: str, data: bytes) -> _Found:
    document = parse_xml(data)
    settings = appsettings.preferences(document.root)
    package = _PACKAGE.search(path)
    program, read = _PREFERENCES.get(package[1] if package else "", ("", appsettings.any_app))
    return program or (package[1] if package else ""), read(settings or {}), document.notes if settings is not None else ()


def _plist(path: str, data: bytes) -> _Found:
    found = parse_plist(data)
    values = found.value if isinstance(found.value, dict) else {}
    name = path.rpartition("/")[2]
    for known, program, read in _LISTS:
        if name == known:
            return program, read(values), found.notes
    plain: appsettings.Settings = {key: value for key, value in values.items() if isinstance(value, str | int | float)}
    return name.removesuffix(".plist"), appsettings.any_app(plain), found.notes


def _answer(path: str, data: bytes) -> _Found:
    """Return what is said of an answer; pictures and what else is no JSON say nothing."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return "", iter(()), ()
    document = parse_json(data)
    folder = path.rsplit("/", 2)[-2]
    if folder.startswith(_BEREAL):
        return "BeReal", appjson.bereal(folder, document.value), document.notes
    program, read = next(((name, read) for name, _, read in _ANSWERS if name.lower() in path), ("Discord", appjson.discord))
    return program, read(document.value), document.notes


PLUGIN = AppFiles
