"""Match what was hashed against compiled sets: exact digests, the strongest first."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from triage.errors import HashsetError, OutputError, UsageError
from triage.hashsets.intake import compile_list
from triage.hashsets.library import check_name
from triage.hashsets.records import ALGORITHMS, EMPTY_FILE, LENGTHS
from triage.hashsets.source import Source
from triage.hashsets.store import Hashset
from triage.model import Match, Meaning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from triage.hashsets.facts import SetFacts
    from triage.hashsets.library import HashsetLibrary
    from triage.model import Content

_STRONGEST_FIRST = tuple(reversed(ALGORITHMS))
_EMPTY_HEX = {name: digest.hex() for name, digest in EMPTY_FILE.items()}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class Matcher:
    """Looks contents up in any number of sets. Closing it closes the sets."""

    def __init__(self, hashsets: Sequence[Hashset], facts: Sequence[SetFacts] = ()) -> None:
        """``facts`` replace the sets' own, one for one: another meaning, or a name that is not taken."""
        self._sets = list(zip(hashsets, facts or [h.facts for h in hashsets], strict=True))
        self._known: dict[tuple[int, str, int], Match] = {}

    @property
    def sets(self) -> list[dict[str, Any]]:
        """The facts of each set, as the case and its report keep them."""
        wanted = ("name", "meaning", "source", "source_sha256", "records", "category", "integrity")
        return [{name: facts.to_json()[name] for name in wanted} for _, facts in self._sets]

    def match(self, contents: Sequence[Content]) -> list[tuple[Match, ...]]:
        """Return each content's matches, at most one a set and in the sets' order.

        ``how`` is the strongest digest that hit. The empty file's digests match nothing. Raises
        ``HashsetError`` for a set that turns out to be damaged.
        """
        asked = {name: _packed(contents, name) for name in _STRONGEST_FIRST}
        found: dict[int, list[Match]] = {}
        for number, (hashset, _) in enumerate(self._sets):
            done: set[int] = set()
            for name in hashset.algorithms:
                positions, digests = asked[name]
                if not positions:
                    continue
                categories = hashset.lookup(name, digests)
                for hit in np.flatnonzero(categories >= 0):
                    position = positions[hit]
                    if position not in done:
                        done.add(position)
                        found.setdefault(position, []).append(self._match(number, name, int(categories[hit])))
        return [tuple(found.get(position, ())) for position in range(len(contents))]

    def close(self) -> None:
        """Close the sets."""
        for hashset, _ in self._sets:
            hashset.close()
        self._sets = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _match(self, number: int, how: str, category: int) -> Match:
        """Return one record for all that hit the same set in the same way."""
        key = (number, how, category)
        if key not in self._known:
            hashset, facts = self._sets[number]
            self._known[key] = Match(set=facts.name, meaning=facts.meaning, category=hashset.category(category), how=how)
        return self._known[key]


def open_matcher(uses: Sequence[str], library: HashsetLibrary, scratch: Path) -> Matcher:
    """Open the sets that a run uses: each a name in the library or a list file.

    ``:notable``, ``:known`` or ``:ignorable`` may follow. A file that exists comes before a name. Without a
    meaning a set keeps its own, and a list is ``notable``. Lists are compiled into ``scratch`` (made when
    needed) and found there again by their content. Raises ``UsageError``, ``HashsetError`` or
    ``OutputError``.
    """
    opened: list[Hashset] = []
    facts: list[SetFacts] = []
    seen: set[tuple[str, str]] = set()
    try:
        for use in uses:
            text, meaning = split_use(use)
            path = Path(text)
            hashset = _compiled(path, meaning or Meaning.NOTABLE, scratch) if path.is_file() else _named(text, library)
            opened.append(hashset)
            own = hashset.facts
            fitted = own.replace(meaning=meaning or own.meaning)
            if (own.integrity, fitted.meaning) in seen:
                opened.pop().close()
                continue
            seen.add((own.integrity, fitted.meaning))
            if any(f.name == fitted.name for f in facts):
                fitted = fitted.replace(name=f"{fitted.name}-{_short(own.integrity, fitted.meaning)}")
            facts.append(fitted)
    except BaseException:
        for hashset in opened:
            hashset.close()
        raise
    return Matcher(opened, facts)


def split_use(use: str) -> tuple[str, Meaning | None]:
    """Split ``NAME-OR-FILE[:meaning]``; a colon before anything but a meaning is part of the name."""
    text, colon, last = use.rpartition(":")
    if colon and text and last in tuple(Meaning):
        return text, Meaning(last)
    return use, None


def _named(name: str, library: HashsetLibrary) -> Hashset:
    try:
        check_name(name)
    except UsageError as error:
        raise HashsetError(f"there is no hash list {name}", hint="name a file that exists, or a set of the library") from error
    return library.open(name)


def _compiled(path: Path, meaning: Meaning, scratch: Path) -> Hashset:
    """Return the compiled form of a list file.

    Compile it unless ``scratch`` has it from an earlier start of the run.
    """
    sha256 = Source(path).sha256()
    name = _NOT_IN_A_NAME.sub("_", path.name)[:64] or "list"
    key = hashlib.sha256(f"{sha256} {meaning} {path.name}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
    target = scratch / f"{key}.hset"
    if target.exists():
        try:
            hashset = Hashset(target)
            if hashset.facts.source_sha256 == sha256 and hashset.facts.meaning == meaning:
                return hashset
            hashset.close()
        except HashsetError:
            pass  # damaged: made anew below
    part = target.with_suffix(".part")
    try:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            part.touch(mode=0o600)  # what an agency looks for is nobody else's to read
            compile_list(path, part, name, meaning)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"the list {path} cannot be compiled in {scratch}: {error.strerror or error}",
            hint="free some room",
        ) from error
    return Hashset(target)


def _short(*texts: str) -> str:
    return hashlib.sha256(" ".join(texts).encode()).hexdigest()[:8]


def _packed(contents: Sequence[Content], name: str) -> tuple[list[int], bytes]:
    """Return which contents have a digest that can be looked up, and these digests end to end."""
    length, empty = 2 * LENGTHS[name], _EMPTY_HEX[name]
    positions: list[int] = []
    digests: list[str] = []
    for position, content in enumerate(contents):
        digest: str | None = getattr(content, name)
        if digest is not None and len(digest) == length and digest != empty:
            positions.append(position)
            digests.append(digest)
    return positions, bytes.fromhex("".join(digests))
