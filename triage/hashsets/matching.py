"""Match what was hashed against compiled sets: exact digests, the strongest first."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from triage.errors import HashsetError, OutputError, UsageError
from triage.hashsets.bloomhint import BloomHint
from triage.hashsets.categories import Categories
from triage.hashsets.intake import compile_list
from triage.hashsets.library import check_name
from triage.hashsets.likematch import TURNS, Thresholds, pictures_like
from triage.hashsets.photodna import vectors_like
from triage.hashsets.records import ALGORITHMS, EMPTY_FILE, KEYS, LENGTHS, PARTIAL, TRACED, URLS
from triage.hashsets.source import Source
from triage.hashsets.store import Hashset
from triage.hashsets.urls import forms, key_of, spellings
from triage.hashsets.videolike import videos_like
from triage.model import Match, MatchTier, Meaning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from triage.content.comparable import Comparable
    from triage.hashsets.facts import SetFacts
    from triage.hashsets.library import HashsetLibrary
    from triage.hashsets.likematch import Like
    from triage.hashsets.photodna import Comparer
    from triage.hashsets.videolike import LikeVideo
    from triage.model import Content

_STRONGEST_FIRST = tuple(reversed(ALGORITHMS))
_EMPTY_HEX = {name: EMPTY_FILE[name].hex() for name in ALGORITHMS}
_FACTS = ("name", "meaning", "source", "source_sha256", "records", "category", "scheme", "integrity", "uncompared", "hint", "digests")
_NAMED = (*_STRONGEST_FIRST, *TRACED)
_REMEMBERED = 100_000
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class Matcher:
    """Looks contents up in any number of sets. Closing it closes the sets."""

    def __init__(
        self,
        hashsets: Sequence[Hashset],
        facts: Sequence[SetFacts] = (),
        *,
        categories: Categories | None = None,
        thresholds: Thresholds | None = None,
        comparer: Comparer | None = None,
    ) -> None:
        """``facts`` replace the sets' own, one for one: another meaning, or a name that is not taken."""
        self._sets = list(zip(hashsets, facts or [h.facts for h in hashsets], strict=True))
        self._known: dict[tuple[int, str, int], Match] = {}
        self._categories = categories or Categories()
        self.thresholds = thresholds or Thresholds()
        self._comparer = comparer
        self._hints = [BloomHint(blob) if (blob := h.blob("hashlookup")) is not None else None for h in hashsets]

    @property
    def sets(self) -> list[dict[str, Any]]:
        """The facts of each set, as the case and its report keep them, with the table of categories and the thresholds."""
        table = {"categories": self._categories.to_json(), "thresholds": list(self.thresholds)}
        return [{name: facts.to_json()[name] for name in _FACTS} | table for _, facts in self._sets]

    @property
    def lists(self) -> list[tuple[str, str, str]]:
        """Path, meaning and name of each set, for workers to open."""
        return [(str(hashset.path.resolve()), facts.meaning.value, facts.name) for hashset, facts in self._sets]

    @property
    def facts(self) -> list[SetFacts]:
        """What the sets say of themselves, with the meanings and names that they have in this run."""
        return [facts for _, facts in self._sets]

    @property
    def hashsets(self) -> list[Hashset]:
        """The sets."""
        return [hashset for hashset, _ in self._sets]

    def match(self, contents: Sequence[Content], comparables: Sequence[Comparable | None] = ()) -> list[tuple[Match, ...]]:
        """Return each content's matches, at most one a set and in the sets' order.

        ``how`` is the strongest digest that hit; else its first 64 KiB, else what it is like: ``comparables`` are what the contents are
        compared by, one for one. The empty file's digests match nothing. Raises ``HashsetError`` for a set that turns out to be damaged.
        """
        asked = {name: _packed(contents, name) for name in _STRONGEST_FIRST}
        alike = {at: one for at, one in enumerate(comparables) if one is not None and (one.pdq or one.frames or one.photodna)}
        found: dict[int, list[Match]] = {}
        for number, (hashset, facts) in enumerate(self._sets):
            done: set[int] = set()
            for name in hashset.algorithms:
                self._exact(number, name, asked[name], done, found)
            self._hint(number, contents, done, found)
            if facts.meaning is Meaning.IGNORABLE:
                continue  # a part of a harmless file, or something like it, is not harmless for that
            if hashset.count("md5_64k"):
                self._heads(number, contents, done, found)
            left = {at: one for at, one in alike.items() if at not in done}
            for at, like in pictures_like(hashset, left, self.thresholds).items():
                found.setdefault(at, []).append(self._like(number, like))
            for at, near in vectors_like(self._comparer, hashset, left).items():
                match = self._match(number, "photodna", int(hashset.codes("photodna", np.array([near.row]))[0]))
                found.setdefault(at, []).append(match.replace(distance=near.distance, tier=MatchTier.MATCH))
            for at, video in videos_like(hashset, left, self.thresholds).items():
                found.setdefault(at, []).append(self._video(number, video))
        return [tuple(found.get(position, ())) for position in range(len(contents))]

    def match_named(self, files: Sequence[Mapping[str, str]]) -> list[tuple[Match, ...]]:
        """Return the matches of files that are only named, each by some digests in hexadecimal, keyed by kind; at most one a set.

        Kinds are those of ``LENGTHS`` and ``TRACED`` (:mod:`triage.hashsets.records`). What is no digest is passed over.
        """
        found: list[list[Match]] = [[] for _ in files]
        for number, (hashset, _) in enumerate(self._sets):
            for file, hits in zip(files, found, strict=True):
                for kind in _NAMED:
                    raw = _raw(file.get(kind), kind)
                    if raw is None or not hashset.count(kind):
                        continue
                    code = int(hashset.lookup(kind, raw)[0])
                    if code >= 0:
                        hits.append(self._match(number, kind, code))
                        break
        return [tuple(hits) for hits in found]

    def match_urls(self, urls: Sequence[str]) -> list[tuple[Match, ...]]:
        """Return the matches of addresses, at most one a set: the most particular form that a list has, else one of its digests."""
        found: list[list[Match]] = [[] for _ in urls]
        for number, (hashset, _) in enumerate(self._sets):
            if not any(hashset.count(kind) for kind in URLS):
                continue
            for url, hits in zip(urls, found, strict=True):
                hit = _address(hashset, url)
                if hit is not None:
                    kind, code, form = hit
                    match = self._match(number, kind, code)
                    hits.append(match.replace(detail={**match.detail, "entry": form}))
        return [tuple(hits) for hits in found]

    def _exact(self, number: int, name: str, asked: tuple[list[int], bytes], done: set[int], found: dict[int, list[Match]]) -> None:
        positions, digests = asked
        if not positions:
            return
        codes = self._sets[number][0].lookup(name, digests)
        for hit in np.flatnonzero(codes >= 0):
            position = positions[hit]
            if position not in done:
                done.add(position)
                found.setdefault(position, []).append(self._match(number, name, int(codes[hit])))

    def _heads(self, number: int, contents: Sequence[Content], done: set[int], found: dict[int, list[Match]]) -> None:
        """Find files whose first 64 KiB are a known file's. The first 512 bytes alone say too little: a program's files share them."""
        hashset = self._sets[number][0]
        positions = [at for at, content in enumerate(contents) if content.md5_64k and at not in done]
        rows = hashset.find("md5_64k", bytes.fromhex("".join(contents[at].md5_64k or "" for at in positions)))
        for hit in np.flatnonzero(rows >= 0):
            row = rows[hit : hit + 1]
            size = hashset.about(int(hashset.records("md5_64k", row)[0])).size
            detail = {"first_bytes": PARTIAL["md5_64k"], **({"known_size": size} if size else {})}
            code = int(hashset.codes("md5_64k", row)[0])
            done.add(positions[hit])
            match = self._match(number, "partial", code)
            found.setdefault(positions[hit], []).append(match.replace(tier=MatchTier.LIKELY, detail={**match.detail, **detail}))

    def _hint(self, number: int, contents: Sequence[Content], done: set[int], found: dict[int, list[Match]]) -> None:
        hint = self._hints[number]
        positions = [at for at, content in enumerate(contents) if content.sha1 and at not in done] if hint is not None else []
        if hint is None or not positions:
            return
        for at, there in zip(positions, hint.has([contents[at].sha1 or "" for at in positions]), strict=True):
            if there:
                facts = self._sets[number][1]
                maybe = Match(set=facts.name, meaning=facts.meaning, category=facts.category, how="hint", tier=MatchTier.WEAK)
                found.setdefault(at, []).append(maybe)

    def _like(self, number: int, like: Like) -> Match:
        hashset = self._sets[number][0]
        match = self._match(number, "pdq", int(hashset.codes("pdq", np.array([like.row]))[0]))
        detail = {**match.detail, **({"turned": like.turn} if like.turn != TURNS[0] else {})}
        return match.replace(distance=like.distance, tier=like.tier, detail=detail)

    def _video(self, number: int, video: LikeVideo) -> Match:
        hashset = self._sets[number][0]
        match = self._match(number, "frames", int(hashset.codes("frame", np.array([video.row]))[0]))
        detail = {**match.detail, "frames": video.matched, "of_known": video.of_known, "of_file": video.of_case}
        return match.replace(distance=video.distance, tier=video.tier, detail=detail)

    def close(self) -> None:
        """Close the sets."""
        self._hints = []
        for hashset, _ in self._sets:
            hashset.close()
        self._sets = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _match(self, number: int, how: str, code: int) -> Match:
        """Return one record for all that hit the same set in the same way."""
        key = (number, how, code)
        if key not in self._known:
            hashset, facts = self._sets[number]
            label = hashset.label(code)
            name, meaning = self._categories.of(facts, label.category)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = Match(
                set=facts.name, meaning=meaning, category=label.category, how=how, label=name, detail=dict(label.facts)
            )
        return self._known[key]


def open_matcher(
    uses: Sequence[str],
    library: HashsetLibrary,
    scratch: Path,
    *,
    categories: Categories | None = None,
    thresholds: Thresholds | None = None,
    comparer: Comparer | None = None,
) -> Matcher:
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
            _check_hint(own, meaning)
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
    return Matcher(opened, facts, categories=categories, thresholds=thresholds, comparer=comparer)


def _check_hint(facts: SetFacts, meaning: Meaning | None) -> None:
    if facts.hint and meaning not in (None, Meaning.KNOWN):
        raise UsageError(f"{facts.name} is a filter that may be wrong: nothing can be {meaning} because of it", hint="use it as known")


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


def _raw(digest: object, kind: str) -> bytes | None:
    """Return a digest's bytes out of hexadecimal text, ``None`` for what is none or is the empty file's."""
    try:
        raw = bytes.fromhex(digest) if isinstance(digest, str) else b""
    except ValueError:
        return None
    return raw if len(raw) == KEYS[kind] and raw != EMPTY_FILE.get(kind) else None


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


def _address(hashset: Hashset, url: str) -> tuple[str, int, str] | None:
    """Return the kind, the label's number and the form under which a set has an address."""
    if hashset.count("url") and (asked := forms(url)):
        codes = hashset.lookup("url", b"".join(key_of(form) for form in asked))
        hit = np.flatnonzero(codes >= 0)
        if len(hit):
            return "url", int(codes[hit[0]]), asked[int(hit[0])]
    for kind, algorithm in (("url_sha256", "sha256"), ("url_sha1", "sha1"), ("url_md5", "md5")):
        if hashset.count(kind):
            spelled = spellings(url)
            codes = hashset.lookup(kind, b"".join(hashlib.new(algorithm, one, usedforsecurity=False).digest() for one in spelled))
            hit = np.flatnonzero(codes >= 0)
            if len(hit):
                return kind, int(codes[hit[0]]), spelled[int(hit[0])].decode("utf-8", "replace")
    return None
