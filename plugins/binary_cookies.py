"""Cookies of Safari and every app of iOS and macOS (``.binarycookies``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.binarycookies import read_cookies
from triage.artifacts.browsing import fact, show
from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 64 << 20


class BinaryCookies:
    """A finding ``cookie`` a cookie: of which host, when it was made and when it ends."""

    name = "binary_cookies"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("*.binarycookies",), min_size=8)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield each cookie."""
        if item.size > _LARGEST:
            yield item.problem(f"of a file of cookies of {item.size:,} bytes only the first {_LARGEST:,} were read")
        notes = Notes()
        named = item.entry.name.lower().removesuffix(".binarycookies")
        mine = {"application": "" if named == "cookies" else item.entry.name[: len(named)], **whose(item.entry.path)}
        mine = {name: value for name, value in mine.items() if value}
        try:
            for one in read_cookies(item.read(_LARGEST), notes):
                host, name = one.host[:500], one.name[:1000]
                said = fact(
                    "cookie",
                    f"a cookie of {show(host[:200])}: {show(name[:100])}",
                    one.created,
                    host=host,
                    name=name,
                    value=one.value[:1000],
                    path=one.path[:1000],
                    comment=one.comment[:1000],
                    created_time=one.created,
                    expires_time=one.expires,
                    secure=one.secure or None,
                    http_only=one.hidden or None,
                )
                yield item.finding(said.kind, said.title, {**mine, **said.data}, [(one.start, one.size)])
        except StructureError as error:
            yield item.problem(f"a file of cookies that cannot be read: {error}")
        for line in notes.lines():
            yield item.problem(line)


PLUGIN = BinaryCookies
