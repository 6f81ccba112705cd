"""A file inside another as the one who found it describes it, and the files beside an item that a plugin reads with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts.recipe import Recipe, check_recipe
from triage.escape import show_name
from triage.model import MAX_TITLE, Json, Kind, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from triage.artifacts.structure import ReadAt

_LONGEST_NAME, _LONGEST_PATH = 240, 2000


class Beside(NamedTuple):
    """A file that lies beside an item. ``name``: from the item's folder on; ``number``: its place among those that were given."""

    name: str
    size: int
    read_at: ReadAt
    number: int = 0

    def read(self, limit: int) -> bytes:
        """Return its bytes, at most ``limit`` of them."""
        return self.read_at(0, min(limit, self.size))


class Said(NamedTuple):
    """What is said of a child: the kind, title and data of a finding."""

    kind: str
    title: str
    data: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A file inside an item: it becomes an entry of its own, and its content is read, matched and looked into like any other.

    ``name``: as it is shown, with the folders before it; ``raw`` the bytes of its last part when that does not say exactly what they are.
    ``kind``: ``derived`` or ``cached`` (kept by a program of what it had shown). ``beside``: the number of the file beside the item in
    which its bytes are, ``None`` for the item itself. Times are nanoseconds since 1970. ``deleted``: its record there is not in use.
    """

    name: str
    raw: bytes | None = None
    kind: Kind = Kind.DERIVED
    size: int
    steps: Recipe
    beside: int | None = None
    mtime: int | None = None
    atime: int | None = None
    ctime: int | None = None
    crtime: int | None = None
    time_basis: TimeBasis = TimeBasis.UNKNOWN
    deleted: bool = False
    findings: tuple[Said, ...] = field(default=())


def child_of(name: str | bytes, steps: Iterable[Iterable[Any]], size: int, **facts: Any) -> Child:
    """Return a child of these steps. Its name is made fit to be shown; ``..`` and empty parts of it mean nothing and are kept as text."""
    raw = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name
    parts = [part for part in raw.replace(b"\\", b"/").split(b"/") if part]
    shown = [show_name(part) for part in parts] or [("unnamed", True)]
    text = "/".join(part[:_LONGEST_NAME] for part, _ in shown)
    if len(text) > _LONGEST_PATH:
        text = shown[-1][0][:_LONGEST_NAME]
    last = shown[-1]
    exact = last[1] and len(last[0]) <= _LONGEST_NAME
    findings = tuple(Said(kind, title[:MAX_TITLE], data) for kind, title, data in facts.pop("findings", ()))
    recipe = check_recipe([list(step) for step in steps])
    return Child(name=text, raw=None if exact else (parts or [raw])[-1][:1000], size=size, steps=recipe, findings=findings, **facts)


def to_json(child: Child, plugin: str) -> Json:
    """Return a child as it crosses to the parent."""
    return {
        "plugin": plugin,
        "name": child.name,
        "raw": child.raw.hex() if child.raw is not None else None,
        "kind": child.kind.value,
        "size": child.size,
        "steps": [list(step) for step in child.steps],
        "beside": child.beside,
        "times": [child.mtime, child.atime, child.ctime, child.crtime],
        "time_basis": child.time_basis.value,
        "deleted": child.deleted,
        "findings": [list(said) for said in child.findings],
    }
