"""Objects that Apple's NSKeyedArchiver kept in a property list, looked up along a path of keys.

Nothing is unfolded: an object may be referred to from many places, also from itself, and only what is asked for is followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.plist import Date, Uid, parse_plist
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.plist import Value

_MOST = 10_000


class KeyedArchive:
    """An archive. Raises :class:`StructureError` for what is none."""

    def __init__(self, data: bytes) -> None:
        value = parse_plist(data).value
        objects = value.get("$objects") if isinstance(value, dict) else None
        top = value.get("$top") if isinstance(value, dict) else None
        if not isinstance(objects, list) or not isinstance(top, dict) or not top:
            raise StructureError("a property list that is no keyed archive")
        self._objects = objects
        self.root: Value = self._of(top.get("root", next(iter(top.values()))))

    def get(self, *keys: str, of: Value = None) -> Value:
        """Return what stands along the keys from an object (else from the root) on; ``None`` if nothing does.

        Dictionaries are looked into by their own keys, objects by the names of their fields.
        """
        value = self.root if of is None else of
        for key in keys:
            if not isinstance(value, dict):
                return None
            found = value.get(key)
            if found is None and "NS.keys" in value:
                found = next((second for first, second in self.pairs(value) if first == key), None)
            value = self._of(found)
        return None if value == "$null" else value

    def text(self, *keys: str, of: Value = None) -> str:
        """Return the text that stands along the keys, "" if none does."""
        value = self.get(*keys, of=of)
        if isinstance(value, dict):  # a mutable string, or an address
            value = self.get("NS.string", of=value) or self.get("NS.relative", of=value)
        return value if isinstance(value, str) else str(value) if isinstance(value, int) and not isinstance(value, bool) else ""

    def time(self, *keys: str, of: Value = None) -> int | None:
        """Return the time that stands along the keys, in nanoseconds since 1970 (NSDate: seconds since 2001, or a date as such)."""
        from triage.artifacts import times  # noqa: PLC0415 - only this

        value = self.get(*keys, of=of)
        return value.nanoseconds if isinstance(value, Date) else times.cocoa(self.get("NS.time", of=value)) if value is not None else None

    def items(self, of: Value) -> Iterator[Value]:
        """Yield what an array or a set holds, the first 10,000."""
        held = self._of(of.get("NS.objects")) if isinstance(of, dict) else None
        for one in held[:_MOST] if isinstance(held, list) else ():
            yield self._of(one)

    def pairs(self, of: Value) -> Iterator[tuple[str, Value]]:
        """Yield what a dictionary holds, keys that are text only, the first 10,000."""
        keys = self._of(of.get("NS.keys")) if isinstance(of, dict) else None
        held = self._of(of.get("NS.objects")) if isinstance(of, dict) else None
        if isinstance(keys, list) and isinstance(held, list):
            for key, one in list(zip(keys, held, strict=False))[:_MOST]:
                name = self._of(key)
                if isinstance(name, str):
                    yield name, self._of(one)

    def _of(self, value: Value) -> Value:
        """Follow a reference; a reference to a reference is none."""
        if not isinstance(value, Uid):
            return value
        found = self._objects[value.number] if 0 <= value.number < len(self._objects) else None
        return None if isinstance(found, Uid) or found == "$null" else found
