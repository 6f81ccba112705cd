"""The parts of a profile, as plain frozen records.

Their fields are the keys of the file (see ``docs/profiles.md``).
"""

# ruff: noqa: RUF009  (place() is dataclasses.field with our metadata)

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from triage.content.catalog import CATEGORIES
from triage.model import Kind, MatchTier, Meaning, Recoverability, State
from triage.priority import forms
from triage.priority.forms import Form, Json, place, record, several

NO_LIST = "none"
"""In ``known:`` and ``alike:``, what stands for an item that is on no list, and like nothing there."""
FIELDS = frozenset({"set", "category", "type", "extension", "folder", "finding", "likeness"})
"""What a rule's text may name in braces."""

_GLOBS = several(forms.glob())
_SIZE = forms.size()
_CATEGORIES = several(forms.choice(CATEGORIES, "category"))
_KINDS = several(forms.choice(Kind, "kind"))
_STATES = several(forms.choice(State, "state"))
_EXTENSIONS = several(forms.extension())
_WORDS = several(forms.word())


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Path patterns: one of ``include`` (when there are any) and none of ``exclude`` must fit."""

    include: tuple[str, ...] = place(_GLOBS, "places: one of these patterns must fit", default=())
    exclude: tuple[str, ...] = place(_GLOBS, "places left out: none of these patterns may fit", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRange:
    """A range of sizes in bytes, both ends included."""

    min: int | None = place(_SIZE, "smallest size", default=None)
    max: int | None = place(_SIZE, "largest size", default=None)

    def __post_init__(self) -> None:
        _ordered(self.min, self.max)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRange:
    """A range of numbers, both ends included."""

    min: float | None = place(forms.number(0, 10**9), "smallest value", default=None)
    max: float | None = place(forms.number(0, 10**9), "largest value", default=None)

    def __post_init__(self) -> None:
        _ordered(self.min, self.max)


def _ordered(least: float | None, most: float | None) -> None:
    if least is not None and most is not None and least > most:
        raise ValueError("min is larger than max")


_PATHS = record(Paths, where="paths", short=("include", _GLOBS))
_SIZES = record(SizeRange, where="size")
_NUMBERS = record(NumberRange, where="a range")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What can be asked of an entry before its content is read. Every given condition must hold.

    ``categories`` and ``extensions`` both ask the name's extension: one of the two suffices. The category
    ``unknown`` means an extension that no type wears, or none at all.
    """

    kinds: tuple[str, ...] = place(_KINDS, "kinds of entry", default=())
    states: tuple[str, ...] = place(_STATES, "states of entry", default=())
    paths: Paths = place(_PATHS, "places", default=Paths())
    categories: tuple[str, ...] = place(_CATEGORIES, "categories that the extension stands for", default=())
    extensions: tuple[str, ...] = place(_EXTENSIONS, "extensions", default=())
    size: SizeRange = place(_SIZES, "sizes", default=SizeRange())


_FILTERS = several(record(Filter, where="any"), alone=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Filter):
    """Which entries have their content read. With ``any``, one of those filters must hold as well."""

    any: tuple[Filter, ...] = place(_FILTERS, "one of these must hold too", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier(Filter):
    """A step in the order of work; the first one that an entry fits is its own."""

    name: str = place(forms.text("a name", longest=100), "what the progress line calls it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may cost.

    Durations are in seconds, sizes in bytes; ``jobs`` 0 is as many as the machine has cores.
    """

    stall_seconds: float = place(forms.duration(), "silence after which a worker is ended", default=10.0, key="stall")
    orphan_seconds: float = place(forms.duration(), "time for the orphan search of a volume", default=60.0, key="orphan_search")
    item_bytes: int = place(_SIZE, "larger items are skipped, and said to be", default=8 << 30)
    memory: int = place(_SIZE, "address space of one worker", default=4 << 30)
    orphans_per_volume: int = place(forms.whole(0, 10**9), "orphans listed in a volume", default=20_000)
    entries_per_volume: int = place(forms.whole(1, 10**9), "entries listed in a volume", default=20_000_000)
    restarts: int = place(forms.whole(0, 10**6), "workers replaced before the run gives up", default=50)
    jobs: int = place(forms.whole(1, 1024, words={"auto": 0}), "worker processes; auto: one a core", default=0)

    def __post_init__(self) -> None:
        if self.memory < 256 << 20:
            raise ValueError("memory is less than the 256 MiB that a worker needs")


CARVED = ("unallocated", "slack", "gaps", "containers", "none")
"""What can be carved from. ``gaps``: also volumes that cannot be read. ``containers``: page files, thumbnail stores, databases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carve:
    """Where files are looked for by their content, and which."""

    sources: tuple[str, ...] = place(
        several(forms.choice(CARVED, "place to carve from")), "where files are looked for by their content", default=CARVED[:-1], key="from"
    )
    types: tuple[str, ...] = place(several(forms.word()), "formats that are carved; all when none is named", default=())

    def __post_init__(self) -> None:
        if "none" in self.sources and len(self.sources) > 1:
            raise ValueError("none excludes the other places")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """What is compared by likeness, and from when on it is alike: bits of 256 that differ (PDQ), bits of 64 (pHash)."""

    pictures: bool = place(forms.flag(), "pictures are decoded and compared by PDQ hash", default=True)
    videos: bool = place(forms.flag(), "frames of videos are decoded and compared by PDQ hash", default=True)
    match: int = place(forms.whole(0, 63), "bits that differ at most in the tier match", default=31)
    likely: int = place(forms.whole(0, 90), "bits that differ at most in the tier likely", default=60)
    weak: int = place(forms.whole(0, 90), "bits that differ at most in the tier weak, which the pHash must support", default=70)
    phash: int = place(forms.whole(0, 32), "bits of pHash that differ at most in the tier weak", default=10)
    quality: int = place(forms.whole(0, 100), "least quality of a hash that is compared", default=50)

    def __post_init__(self) -> None:
        if not self.match <= self.likely <= self.weak:
            raise ValueError("the bits of match, likely and weak must not decrease")


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow:
    """What the lab calls a category of its lists, and what being in it means. The first row that fits decides."""

    set: str = place(forms.text(longest=100), "sets whose name fits; * and ? as in file names", default="*")
    scheme: str = place(forms.text(longest=200), "sets whose scheme fits (VICS 2.0 US)", default="*")
    category: str = place(forms.text("a category as the list has it", longest=200), "the category as the list has it")
    label: str = place(forms.text(longest=200), "what it is called in reports", default="")
    meaning: str | None = place(forms.choice(Meaning, "meaning"), "what being in it means; else what the set means", default=None)


PROGRAM_KINDS = (
    "peer-to-peer", "anonymity", "vpn", "encryption", "vault", "wiping", "cloud", "messenger", "virtual machine", "remote control", "other",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that is of interest when it was there: told by where its files lie."""

    name: str = place(forms.text(longest=100), "what it is called")
    kind: str = place(forms.choice(PROGRAM_KINDS, "kind"), "what it is for", default="other")
    paths: tuple[str, ...] = place(_GLOBS, "where its files lie; none switches it off", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class HashsetUse:
    """A hash list to match with: the name of an imported one, or a file, relative to the profile's folder."""

    name: str = place(forms.text("a name or file", longest=1000), "an imported list's name, or a file")
    meaning: str | None = place(forms.choice(Meaning, "meaning"), "for a file: what being on it means", default=None)
    category: str = place(forms.text(longest=200), "for a file: its category", default="")

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("the name is empty")

    @property
    def is_file(self) -> bool:
        """Whether the name is a file's: it has a folder or an ending."""
        path = PureWindowsPath(self.name)  # takes both / and \ for separators
        return len(path.parts) > 1 or bool(path.suffix)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A rule's conditions; every given one must hold. Times are nanoseconds since 1970."""

    known: tuple[str, ...] = place(
        several(forms.choice((*Meaning, NO_LIST), "meaning")),
        "what its hash list means; none: on no list",
        default=(),
    )
    states: tuple[str, ...] = place(_STATES, "states of entry", default=())
    kinds: tuple[str, ...] = place(_KINDS, "kinds of entry", default=())
    categories: tuple[str, ...] = place(_CATEGORIES, "categories of the content", default=())
    types: tuple[str, ...] = place(_WORDS, "types of the content", default=())
    paths: Paths = place(_PATHS, "places", default=Paths())
    extensions: tuple[str, ...] = place(_EXTENSIONS, "extensions of the name", default=())
    extension_mismatch: bool | None = place(forms.flag(), "name and content disagree", default=None)
    findings: tuple[str, ...] = place(_WORDS, "a finding of one of these kinds", default=())
    recoverability: tuple[str, ...] = place(
        several(forms.choice(Recoverability, "recoverability")),
        "how much of a deleted item is left",
        default=(),
    )
    size: SizeRange = place(_SIZES, "sizes", default=SizeRange())
    entropy: NumberRange = place(_NUMBERS, "entropy in bits a byte, 0 to 8", default=NumberRange())
    copies: NumberRange = place(_NUMBERS, "entries with the same content", default=NumberRange())
    alike: tuple[str, ...] = place(
        several(forms.choice((MatchTier.MATCH, MatchTier.LIKELY, MatchTier.WEAK, NO_LIST), "tier")),
        "like something on a notable list, in one of these tiers; none: like nothing there",
        default=(),
    )
    alike_notable: bool | None = place(forms.flag(), "looks like a picture of this case that is on a notable list", default=None)
    near_notable: bool | None = place(forms.flag(), "a file of the same folder is on a notable list", default=None)
    after: int | None = place(forms.moment(), "changed at this time or later (mtime)", default=None)
    before: int | None = place(forms.moment(), "changed before this time (mtime)", default=None)

    def tiers(self) -> tuple[str, ...]:
        """Return the tiers of likeness of which an item must have one; none when it may be like nothing."""
        return () if NO_LIST in self.alike else self.alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """So many points, for a reason that is written out. A rule of 0 points is switched off."""

    name: str = place(forms.name(), "the rule's name, which reasons carry")
    points: int = place(forms.whole(-1000, 1000), "points, may be negative; 0 switches the rule off")
    text: str = place(forms.text(longest=300), "the reason in words; {set} {category} {type} {extension} {folder} {finding} {likeness}")
    when: When = place(record(When, where="when"), "conditions; all must hold", default=When())

    def __post_init__(self) -> None:
        named = template_fields(self.text)
        if "set" in named and not self.when.tiers() and (not self.when.known or NO_LIST in self.when.known):
            raise ValueError("{set} needs a 'known:' condition that names a list's meaning, or an 'alike:' condition")
        if "likeness" in named and not self.when.tiers():
            raise ValueError("{likeness} needs an 'alike:' condition")
        if "finding" in named and not self.when.findings:
            raise ValueError("{finding} needs a 'findings:' condition")


def template_fields(text: str) -> set[str]:
    """Return the fields that a reason's text names.

    Raises ``ValueError`` for anything in braces but a known field.
    """
    named: set[str] = set()
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"the text's braces do not pair: {error}") from None
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if name not in FIELDS or spec or conversion:
            raise ValueError(f"the text names {{{name}}}; it may name {', '.join(f'{{{f}}}' for f in sorted(FIELDS))}")
        named.add(name)
    return named


def _read_plugins(value: Any) -> dict[str, dict[str, Any]]:
    """Read ``plugin: {option: value}``; what the options mean is the plugin's to say."""
    if value.is_absent():
        return {}
    if not isinstance(value.data, dict):
        raise value.error("plugins: a mapping (plugin: {option: value}) is wanted here", at_key=True)
    plugins: dict[str, dict[str, Any]] = {}
    for name, options in value.data.items():
        if not isinstance(options.data, dict) and not options.is_absent():
            raise options.error(f"plugin '{name}': a mapping (option: value) is wanted here; {{}} for none", at_key=True)
        plugins[name] = options.plain() or {}
        if not isinstance(plugins[name].get("enabled", True), bool):
            raise options.data["enabled"].error("enabled: is neither true nor false")
    return plugins


PLUGINS = Form(
    _read_plugins,
    {
        "type": "object",
        "additionalProperties": {"type": ["object", "null"], "properties": {"enabled": {"type": "boolean"}}},
    },
    lambda plugins: {name: dict(options) for name, options in plugins.items()},
)


def rules_form() -> Form:
    """Return the form of a list of rules, no two of one name."""
    listed = several(record(Rule, where="rule"), alone=False)

    def read(value: Any) -> tuple[Rule, ...]:
        rules: tuple[Rule, ...] = listed.read(value)
        seen: set[str] = set()
        for index, rule in enumerate(rules):
            if rule.name in seen:
                raise value.data[index].error(f"two rules are called '{rule.name}'")
            seen.add(rule.name)
        return rules

    return Form(read, listed.schema, listed.write)


__all__ = [
    "FIELDS",
    "NO_LIST",
    "PLUGINS",
    "CategoryRow",
    "Compare",
    "Filter",
    "HashsetUse",
    "Json",
    "Limits",
    "NumberRange",
    "Paths",
    "Program",
    "Rule",
    "Select",
    "SizeRange",
    "Tier",
    "When",
    "rules_form",
    "template_fields",
]
