"""What a plugin needs, with ``model`` and ``artifacts``: the item, what it accepts, its options."""

from __future__ import annotations

import difflib
import io
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from typing import Any, BinaryIO, ClassVar, Protocol, runtime_checkable

from triage.artifacts.child import Beside, Child, child_of
from triage.artifacts.recipe import follow
from triage.content.catalog import FileType
from triage.content.fileview import FileView
from triage.content.stream import analyze_content
from triage.model import (
    MAX_CHILDREN,
    MAX_FINDING,
    MAX_FINDINGS,
    MAX_PROBLEMS,
    MAX_SAID,
    MAX_TITLE,
    Content,
    Entry,
    Finding,
    Json,
    Kind,
    Problem,
    Severity,
    TimeBasis,
)

__all__ = [
    "Accepts",
    "Beside",
    "Child",
    "Content",
    "Entry",
    "FileType",
    "Finding",
    "Item",
    "Json",
    "Kind",
    "NoOptions",
    "OptionsError",
    "Plugin",
    "Problem",
    "Severity",
    "TimeBasis",
    "build_options",
    "options_to_json",
    "run_plugin",
    "sample_item",
]

ReadAt = Callable[[int, int], bytes]
_NAME = re.compile(r"\{name((?:[-.][a-z]+)?)\}")


class Placed(Protocol):
    """As much of an entry as deciding on it needs."""

    @property
    def path(self) -> str:
        """Its path for display."""

    @property
    def kind(self) -> Kind:
        """What it is."""

    @property
    def size(self) -> int:
        """Its size in bytes."""


@dataclass(frozen=True)
class Accepts:
    """Which items a plugin wants. Every condition set must hold; ``types`` and ``categories`` are one.

    ``types`` are short names (``jpeg``), ``categories`` as in :data:`triage.content.catalog.CATEGORIES`; an
    item of no known type has the type "" and the category ``unknown``. ``paths`` are globs on the display
    path, case-insensitive, matched from any ``/`` to the end: ``*`` and ``?`` stay within a component, ``**``
    does not. Sizes are in bytes.

    ``beside``: globs, from the item's folder on, of other files that the plugin reads with it (``data_?``, ``fsCachedData/*``);
    ``{name}`` stands for the item's name (``{name}-wal``), ``{name-wal}`` for it without that end. Needs ``paths``: which items have
    neighbours is told by their path.
    """

    types: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    min_size: int = 1
    max_size: int | None = None
    beside: tuple[str, ...] = ()
    _endings: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())
    _globs: tuple[_Glob, ...] = field(init=False, repr=False, compare=False, default=())
    _types: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())
    _categories: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())
    _kinds: frozenset[Kind] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        # What a path must end in is asked first: it is one look for all but a few paths.
        object.__setattr__(self, "_endings", tuple(re.split(r"[*?]", path.lower())[-1].lstrip("/") for path in self.paths))
        object.__setattr__(self, "_globs", tuple(_Glob(path) for path in self.paths))
        object.__setattr__(self, "_types", frozenset(self.types))
        object.__setattr__(self, "_categories", frozenset(self.categories))
        object.__setattr__(self, "_kinds", frozenset(self.kinds))
        if self.beside and not self.paths:
            raise ValueError("a plugin that reads what lies beside an item says by paths which items those are")

    def fits_path(self, path: str) -> bool:
        """Whether an item's path is one that the plugin wants, or it wants any."""
        if not self.paths:
            return True
        lowered = path.lower()
        if not lowered.endswith(self._endings):
            return False
        rooted = f"/{lowered}"
        return any(glob.literal in rooted and glob.matches(lowered) for glob in self._globs)

    def reads_beside(self, name: str) -> Callable[[str], bool]:
        """Return what says of a path, from the folder of an item of this name on, whether the plugin reads it with the item."""
        filled = [(_NAME.sub(lambda m: name.removesuffix(m[1]), pattern), "{name" in pattern) for pattern in self.beside]
        exact = {pattern.lower() for pattern, named in filled if named}
        globs = [(_Glob(pattern), pattern.count("/")) for pattern, named in filled if not named]

        def fits(path: str) -> bool:
            lowered = path.lower()
            return lowered in exact or any(path.count("/") == depth and glob.matches(lowered) for glob, depth in globs)

        return fits

    def matches(self, entry: Placed, kind: FileType | None) -> bool:
        """Whether the plugin wants this item."""
        if (self._types or self._categories) and not (
            (kind.name if kind else "") in self._types or (kind.category if kind else "unknown") in self._categories
        ):
            return False
        if entry.size < self.min_size or (self.max_size is not None and entry.size > self.max_size):
            return False
        if self._kinds and entry.kind not in self._kinds:
            return False
        return self.fits_path(entry.path)


class _Glob:
    """One glob, matched in one pass over a path.

    Names in evidence are hostile, and ``*a*a*a*b`` as a regular expression tries every division of ``aaaa…``. Here the set of places
    in the glob that may have been reached is carried along, as the bits of a number.
    """

    __slots__ = ("_default", "_end", "_on", "_slash_stays", "_stars", "_stays", "literal")

    def __init__(self, pattern: str) -> None:
        fragments = re.split(r"[*?]+", "/" + pattern.lstrip("/").lower())
        self.literal = max(fragments, key=len)
        """Text that stands in every path that fits, with a slash before it: looked for first, since that takes next to no time."""
        pieces = re.findall(r"\*{2,}|.", pattern.lstrip("/").lower(), re.DOTALL)
        self._end = 1 << len(pieces)
        self._stars = self._stays = self._slash_stays = self._default = 0
        self._on: dict[str, int] = {}
        for number, piece in enumerate(pieces):
            bit = 1 << number
            if piece.startswith("*"):
                self._stars |= bit
                self._stays |= bit
                self._slash_stays |= bit if len(piece) > 1 else 0
            elif piece == "?":
                self._default |= bit
            else:
                self._on[piece] = self._on.get(piece, 0) | bit

    def matches(self, lowered: str) -> bool:
        """Whether the glob fits from the path's start or from behind any ``/``, to its end."""
        stars, on, default = self._stars, self._on, self._default
        at = 1
        at |= (at & stars) << 1
        for letter in lowered:
            if letter == "/":
                at = ((at & on.get("/", 0)) << 1) | (at & self._slash_stays) | 1
            else:
                at = ((at & (on.get(letter, 0) | default)) << 1) | (at & self._stays)
            at |= (at & stars) << 1
        return bool(at & self._end)


class Item:
    """One item that plugins look at. Its bytes are read only; nothing of it outlives the call of ``analyze``.

    Reading may raise ``OSError`` where the medium is damaged: :func:`run_plugin` turns that into a Problem.
    """

    __slots__ = ("_data", "_entry", "_head", "_read_at", "beside", "content", "plugin", "room", "size", "type")

    def __init__(
        self,
        entry: Entry | Callable[[], Entry],
        content: Content,
        type: FileType | None,  # noqa: A002 - the word of the API
        *,
        head: bytes = b"",
        data: bytes | None = None,
        read_at: ReadAt,
        size: int | None = None,
        plugin: str = "",
        beside: Sequence[Beside] = (),
        room: int = MAX_CHILDREN,
    ) -> None:
        self._entry = entry  # or what makes it: most plugins look at bytes and say nothing
        self.content = content
        self.type = type
        self.size = self.entry.size if size is None else size
        self.plugin = plugin
        self.beside = beside
        """What lies beside the item and fits the plugin's globs, in the order of names."""
        self.room = room
        """Children that the item may have at most."""
        self._head = head if data is None else data
        self._data = data
        self._read_at = read_at

    @property
    def entry(self) -> Entry:
        """The entry whose bytes these are."""
        if not isinstance(self._entry, Entry):
            self._entry = self._entry()
        return self._entry

    def head(self, n: int) -> bytes:
        """Return the first ``n`` bytes, fewer when the item is shorter or its medium damaged."""
        return self.read_at(0, n)

    def read(self, limit: int) -> bytes:
        """Return the whole item, at most ``limit`` bytes of it."""
        return self.read_at(0, limit)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the item's end; from memory if they are there."""
        end = min(offset + length, self.size)
        if offset < 0 or end <= offset:
            return b""
        if self._data is not None or end <= len(self._head):
            return self._head[offset:end]
        return self._read_at(offset, end - offset)[: end - offset]

    def open(self) -> BinaryIO:
        """Return a seekable, read-only file of the item's bytes. Close it when done."""
        if self._data is not None:
            return io.BytesIO(self._data)
        return io.BufferedReader(FileView(self._read_at, self.size), 64 << 10)

    def finding(
        self,
        kind: str,
        title: str,
        data: Json | None = None,
        ranges: Iterable[tuple[int, int]] = (),
    ) -> Finding:
        """Return a finding. ``ranges`` are ``(offset, length)`` in the item's bytes; a long title is cut."""
        return Finding(
            entry=self.entry.id,
            plugin=self.plugin,
            kind=kind,
            title=title[:MAX_TITLE],
            data=data or {},
            ranges=tuple(ranges),
        )

    def problem(self, message: str, severity: Severity = Severity.WARNING, detail: str = "") -> Problem:
        """Return a problem with this item: what could not be read, or was cut, and why."""
        entry = self.entry
        return Problem(
            severity=severity,
            stage="plugin",
            message=message[:MAX_TITLE],
            evidence=entry.evidence,
            volume=entry.volume,
            entry=entry.id,
            path=entry.path,
            plugin=self.plugin,
            detail=detail[:2000],
        )


    def child(self, name: str | bytes, steps: Iterable[Iterable[Any]], size: int, **facts: Any) -> Child:
        """Return a file inside this one: a cached picture, a member of an archive, an attachment.

        ``name`` as the item calls it, folders before it with ``/``; ``steps``: how its bytes are had
        (:mod:`triage.artifacts.recipe`); ``size`` of what comes out. ``facts`` are fields of :class:`Child`.
        """
        return child_of(name, steps, size, **facts)

    def measure(self, steps: Iterable[Iterable[Any]], beside: Beside | None = None) -> tuple[int, str]:
        """Follow a child's steps; return the size of what comes out, and why it is not all, "" if it is."""
        read_at = self.read_at if beside is None else beside.read_at
        _, size, why = follow(read_at, tuple(tuple(step) for step in steps))
        return size, why


def sample_item(data: bytes, path: str = "vol1/sample", kind: Kind = Kind.FILE) -> Item:
    """Return an item that is ``data``, analysed as a run would: for tests and for trying a plugin out."""

    def read_at(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    name = path.rpartition("/")[2]
    entry = Entry(id="sample", evidence="sample", volume=1, path=path, name=name, kind=kind, size=len(data))
    result = analyze_content("sample", read_at, len(data))
    return Item(entry, result.content, result.type, head=result.head, data=result.data, read_at=read_at)


@runtime_checkable
class Plugin(Protocol):
    """An analyzer: one file, one class, named by ``PLUGIN = TheClass`` in its file.

    ``name`` is the file's name; a new ``version`` makes every item be analysed again. A class with options
    has a frozen dataclass ``Options`` inside. Instances are reused for many items: they hold no state of one.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    accepts: ClassVar[Accepts]

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield what is to be said about the item and the files inside it, the same for the same bytes on every run."""
        ...


@dataclass(frozen=True)
class NoOptions:
    """Options of a plugin that has none."""


class OptionsError(ValueError):
    """An option that the plugin does not have, or a value that does not fit. ``option`` names it."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


def build_options(cls: type, given: Mapping[str, Any]) -> Any:
    """Build a plugin's options dataclass from a profile's mapping; lists become tuples.

    Raises :class:`OptionsError` for unknown names (with the nearest known one), wrong types and values that
    the class itself refuses with ``ValueError``.
    """
    if not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass")
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in fields(cls) if f.init}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known)) or 'none'}"
            raise OptionsError(str(name), f"unknown option {name!r}{hint}")
        values[name] = _fit(name, value, hints[name])
    for name, one in known.items():
        if name not in values and one.default is MISSING and one.default_factory is MISSING:
            raise OptionsError(name, f"option {name!r} must be given")
    try:
        return cls(**values)
    except ValueError as error:
        raise OptionsError("", str(error)) from error


def _fit(name: str, value: Any, hint: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for one in arguments:
            try:
                return _fit(name, value, one)
            except OptionsError:
                continue
    elif origin is tuple and isinstance(value, list | tuple):
        return tuple(_fit(name, one, arguments[0]) for one in value)
    elif hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    wanted = hint.__name__ if isinstance(hint, type) and not arguments else str(hint)
    raise OptionsError(name, f"option {name!r} must be {wanted}, not {type(value).__name__}")


def options_to_json(options: Any) -> Json:
    """Return options as JSON values, defaults included: what a work key is made of."""
    plain: Json = json.loads(json.dumps(asdict(options)))
    return plain


def run_plugin(plugin: Plugin, key: str, item: Item) -> list[Finding | Problem | Child]:
    """Run one plugin over one item and return what it says.

    Whatever the plugin raises becomes a Problem: hostile bytes that break an analyzer are a fact about the
    item, and the run goes on. ``MemoryError`` passes through, for the worker to deal with. Findings whose
    data is no JSON or too large become Problems; how many findings and children are taken is bounded, and how large they are together.
    """
    item.plugin = key
    results: list[Finding | Problem | Child] = []
    said = children = left = problems = 0
    try:
        for result in plugin.analyze(item):
            if isinstance(result, Child) and children >= item.room:
                left += 1
                if left >= MAX_CHILDREN:
                    break
                continue
            checked, weight = _checked(result, item)
            said += weight
            children += isinstance(checked, Child)
            problems += isinstance(checked, Problem)
            if len(results) - children - problems >= MAX_FINDINGS or said > MAX_SAID or problems > MAX_PROBLEMS:
                results.append(item.problem(f"more than {len(results):,} findings, problems and files inside: the rest is left out"))
                break
            results.append(checked)
    except MemoryError:
        raise
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"
        results.append(item.problem("the plugin failed on this item", Severity.ERROR, detail))
    if left:
        more = f"{left:,} or more" if left >= MAX_CHILDREN else f"{left:,}"
        results.append(item.problem(f"{more} files inside were left out: an item may have {item.room:,} here"))
    return results


def _checked(result: object, item: Item) -> tuple[Finding | Problem | Child, int]:
    """Return a result, or the problem with it, and about how many bytes it is."""
    if isinstance(result, Problem):
        return result, len(result.message) + len(result.detail)
    if not isinstance(result, Finding | Child):
        return item.problem(f"the plugin yielded a {type(result).__name__}", Severity.ERROR), 0
    said = [(result.kind, result.data)] if isinstance(result, Finding) else [(f.kind, f.data) for f in result.findings]
    weight = 400
    for kind, data in said:
        try:
            length = len(json.dumps(data, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            return item.problem(f"a finding's data is not JSON: {kind}", Severity.ERROR, str(error)), 0
        if length > MAX_FINDING:
            return item.problem(f"a finding is larger than {MAX_FINDING} bytes and was left out: {kind}"), 0
        weight += length
    return result, weight
