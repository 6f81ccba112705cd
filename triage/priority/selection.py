"""Whose content is read, and in which order: two questions that are asked about every entry of an image.

Both go by what a name walk knows: place, name, kind, state and size. A million entries may ask, so the
conditions are compiled into set look-ups and string searches once, and those that the extension rules out are
not asked at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.content.catalog import OWNERS
from triage.model import Kind
from triage.priority.globs import Globs, extension_of
from triage.priority.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from triage.model import Entry
    from triage.priority.records import Filter, Select, Tier

    # entry, its path in lower case
    Test = Callable[[Entry, str], bool]

NO_CONTENT = {
    Kind.DIRECTORY: "no content: directory",
    Kind.LINK: "no content: link",
    Kind.SPECIAL: "no content: special file",
}
"""Why entries of these kinds are not read, whatever the profile says."""

_NOT_KIND = "profile: kind not selected"
_NOT_STATE = "profile: state not selected"
_NOT_TYPE = "profile: extension not selected"
_NOT_PLACE = "profile: place not selected"
_EXCLUDED = "profile: place left out"
_NOT_ANY = "profile: fits none of the selections"


def wanted_extensions(rule: Filter) -> Callable[[str], bool] | None:
    """Return the test for an extension that a filter asks for, or ``None`` when any will do."""
    if not rule.extensions and not rule.categories:
        return None
    named = set(rule.extensions)
    wanted = set(rule.categories)
    known = {extension for extension, types in OWNERS.items() if wanted & {kind.category for kind in types}}
    if "unknown" not in wanted:
        return frozenset(named | known).__contains__
    others = frozenset(set(OWNERS) - named - known)
    return lambda extension: extension not in others


def _test_of(rule: Filter) -> Test:
    """Return the test for all of a filter but its extensions."""
    kinds, states = frozenset(rule.kinds), frozenset(rule.states)
    smallest, largest = rule.size.min, rule.size.max
    include = Globs(rule.paths.include).matches if rule.paths.include else None
    exclude = Globs(rule.paths.exclude).matches if rule.paths.exclude else None

    def test(entry: Entry, lowered: str) -> bool:
        if kinds and entry.kind not in kinds:
            return False
        if smallest is not None and entry.size < smallest:
            return False
        if largest is not None and entry.size > largest:
            return False
        if states and entry.state not in states:
            return False
        if include is not None and not include(lowered):
            return False
        return exclude is None or not exclude(lowered)

    return test


class FirstFit:
    """Filters in order; :meth:`index` names the first one that an entry fits."""

    __slots__ = ("_by_extension", "_others", "_size")

    def __init__(self, filters: Iterable[Filter]) -> None:
        rules = [(index, wanted_extensions(rule), _test_of(rule)) for index, rule in enumerate(filters)]
        self._size = len(rules)
        named = {extension for rule in filters for extension in rule.extensions}
        self._by_extension = {
            extension: tuple((index, test) for index, wants, test in rules if wants is None or wants(extension))
            for extension in sorted(named | set(OWNERS))
        }
        # stands for every extension that neither a filter nor the catalogue names
        self._others = tuple((index, test) for index, wants, test in rules if wants is None or wants("\0"))

    def index(self, entry: Entry, lowered: str, extension: str) -> int:
        """Return the first fitting filter's index; how many there are when none fits."""
        for index, test in self._by_extension.get(extension, self._others):
            if test(entry, lowered):
                return index
        return self._size


class Tiers:
    """The order of work."""

    __slots__ = ("_filters",)

    def __init__(self, tiers: tuple[Tier, ...]) -> None:
        self._filters = FirstFit(tiers)

    def of(self, entry: Entry) -> int:
        """Return the first tier that the entry fits; one past the last when it fits none."""
        return self._filters.index(entry, entry.path.lower(), extension_of(entry.name))


class Selector:
    """Which entries have their content read."""

    __slots__ = (
        "_any",
        "_any_size",
        "_exclude",
        "_include",
        "_kinds",
        "_largest",
        "_smallest",
        "_states",
        "_too_large",
        "_too_small",
        "_wants",
    )

    def __init__(self, select: Select) -> None:
        self._kinds = frozenset(select.kinds)
        self._states = frozenset(select.states)
        self._smallest = select.size.min or 0
        self._largest = select.size.max
        self._too_small = f"profile: smaller than {format_size(self._smallest)}"
        self._too_large = f"profile: larger than {format_size(self._largest or 0)}"
        self._include = Globs(select.paths.include).matches if select.paths.include else None
        self._exclude = Globs(select.paths.exclude).matches if select.paths.exclude else None
        self._wants = wanted_extensions(select)
        self._any = FirstFit(select.any) if select.any else None
        self._any_size = len(select.any)

    def reason(self, entry: Entry) -> str | None:
        """Return why the entry's content is not read, in one of few wordings; ``None`` when it is."""
        kind = entry.kind
        if kind in NO_CONTENT:
            return NO_CONTENT[kind]
        if self._kinds and kind not in self._kinds:
            return _NOT_KIND
        if self._states and entry.state not in self._states:
            return _NOT_STATE
        size = entry.size
        if size < self._smallest:
            return self._too_small
        if self._largest is not None and size > self._largest:
            return self._too_large
        extension = extension_of(entry.name)
        if self._wants is not None and not self._wants(extension):
            return _NOT_TYPE
        lowered = entry.path.lower()
        if self._include is not None and not self._include(lowered):
            return _NOT_PLACE
        if self._exclude is not None and self._exclude(lowered):
            return _EXCLUDED
        if self._any is not None and self._any.index(entry, lowered, extension) == self._any_size:
            return _NOT_ANY
        return None
