"""What a compiled set says about itself, and what a list says of its records besides their digests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS = ("name", "category", "scheme", "source", "source_sha256", "format", "tool", "imported", "integrity")
_TALLIES = ("digests", "uncompared")


class Label(NamedTuple):
    """What a list says of a record: its category as it stands there, and facts as sorted (name, value) pairs."""

    category: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> list[Any]:
        """Return ``[category, {fact: value}]``."""
        return [self.category, dict(self.facts)]

    @classmethod
    def from_json(cls, data: Any) -> Label:
        """Build the label from :meth:`to_json`'s form; raise ``ValueError`` or ``TypeError`` for what does not fit."""
        category, facts = data
        return cls(str(category), tuple(sorted((str(n), str(v)) for n, v in facts.items())))


class RecordFacts(NamedTuple):
    """What a set keeps of one known file: ``size`` in bytes (0: not told), how many blocks and frames it has in the set, its name."""

    size: int = 0
    blocks: int = 0
    frames: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """What a compiled set says about itself.

    ``imported`` is the operator's date or empty; nothing is computed from it. ``records`` counts different
    records, each by the strongest digest it has; ``digests`` different digests by kind. ``uncompared`` counts records that have
    nothing a file can be compared with, by the strongest kind they have (``photodna``, ``sha512``). ``hint``: the set is a filter
    that may be wrong, never a list. ``history`` says which lists made it what it is, the first first.
    """

    name: str
    meaning: Meaning
    category: str = ""
    scheme: str = ""
    source: str = ""
    source_sha256: str = ""
    format: str = ""
    tool: str = ""
    imported: str = ""
    records: int = 0
    digests: Mapping[str, int] = field(default_factory=dict)
    uncompared: Mapping[str, int] = field(default_factory=dict)
    conflicts: int = 0
    hint: bool = False
    notes: tuple[str, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()
    integrity: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            **values,
            "meaning": self.meaning.value,
            **{name: dict(values[name]) for name in _TALLIES},
            "notes": list(self.notes),
            "history": [dict(step) for step in self.history],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SetFacts:
        """Build the facts from a header; raise ``LookupError``, ``ValueError`` or ``TypeError`` for what does not fit."""
        texts: dict[str, Any] = {name: str(data[name]) for name in _TEXTS}
        tallies: dict[str, Any] = {name: {str(k): int(v) for k, v in data[name].items()} for name in _TALLIES}
        return cls(
            **texts,
            **tallies,
            meaning=Meaning(data["meaning"]),
            records=int(data["records"]),
            conflicts=int(data["conflicts"]),
            hint=bool(data["hint"]),
            notes=tuple(str(note) for note in data["notes"]),
            history=tuple(dict(step) for step in data["history"]),
        )

    def replace(self, **changes: Any) -> SetFacts:
        """Return a copy with other values in some fields."""
        return SetFacts(**({name: getattr(self, name) for name in self.__slots__} | changes))
