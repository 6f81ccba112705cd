"""Real samples as items, with what lies beside them, and mutants of them: what the tests of many plugins share."""

from __future__ import annotations

import os
import random
import tarfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from triage.plugin import Beside, Child, Finding, Item, Problem, run_plugin, sample_item
from triage.registry import find_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVIDENCE = Path(os.environ.get("TRIAGE_EVIDENCE") or Path(__file__).resolve().parents[3] / "shared" / "evidence")
ARTIFACTS, TRUTH = EVIDENCE / "artifacts", EVIDENCE / "truth"
PLUGINS = find_plugins().plugins

needs_samples = [pytest.mark.evidence, pytest.mark.skipif(not ARTIFACTS.is_dir(), reason="the shared evidence is not here")]


@cache
def _plaso() -> dict[str, bytes]:
    with tarfile.open(Path(__file__).parent / "plaso_samples.tar.xz") as archive:
        return {one.name: held.read() for one in archive if (held := archive.extractfile(one)) is not None}


def plaso_sample(name: str) -> bytes:
    """Return a file of plaso's ``test_data`` (Apache-2.0), which the shared evidence has not."""
    return _plaso()[name]


def item_of(data: bytes, path: str, beside: dict[str, bytes] | None = None) -> Item:
    """Return an item of these bytes, with files beside it."""
    item = sample_item(data, path)
    item.beside = beside_of(beside or {})
    return item


def beside_of(contents: dict[str, bytes]) -> Sequence[Beside]:
    def reader(data: bytes):
        return lambda offset, length: data[offset : offset + length]

    return [Beside(name, len(data), reader(data), number) for number, (name, data) in enumerate(sorted(contents.items()))]


def run(name: str, item: Item, options: dict[str, object] | None = None) -> list[Finding | Problem | Child]:
    """Return what a built-in plugin says of an item; whether it wants the item is checked, too."""
    info = PLUGINS[name]
    assert info.accepts.matches(item.entry, item.type), f"{name} does not want {item.entry.path} ({item.type})"
    return run_plugin(info.load(options), info.key(options), item)


def findings(said: list[Finding | Problem | Child], kind: str | None = None) -> list[Finding]:
    return [one for one in said if isinstance(one, Finding) and kind in (None, one.kind)]


def children(said: list[Finding | Problem | Child]) -> list[Child]:
    return [one for one in said if isinstance(one, Child)]


def problems(said: list[Finding | Problem | Child]) -> list[Problem]:
    return [one for one in said if isinstance(one, Problem)]


def bytes_of(item: Item, child: Child, *, steps: int | None = None) -> bytes:
    """Return a child's bytes, by its recipe or the first steps of it."""
    from triage.artifacts.recipe import follow

    read_at = item.read_at if child.beside is None else item.beside[child.beside].read_at
    inner, size, _ = follow(read_at, child.steps[:steps])
    return inner(0, size)


def mutants(data: bytes, count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield damaged forms: bytes and numbers changed, cut off, cut out, doubled, filled with zeros."""
    rng = random.Random(seed)
    for _ in range(count):
        new = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            if not new:
                break
            at, length = rng.randrange(len(new)), min(rng.choice((1, 2, 4, 8, 64, 512)), len(new))
            how = rng.randrange(7)
            if how == 0:
                new[at] = rng.randrange(256)
            elif how == 1:
                new[at : at + length] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0xFFFFFFFF)).to_bytes(8, rng.choice(("little", "big")))[:length]
            elif how == 2:
                del new[at:]
            elif how == 3:
                del new[at : at + length]
            elif how == 4:
                new[at:at] = new[at : at + length]
            elif how == 5:
                new[at : at + length] = bytes(length)
            else:
                new[at : at + length] = rng.randbytes(length)
        yield bytes(new)


def never_fails(name: str, item: Item) -> None:
    """Run a plugin over damaged bytes: it says something or nothing, and never breaks."""
    info = PLUGINS[name]
    for one in run_plugin(info.load(), info.key(), item):
        if isinstance(one, Problem):
            assert one.message != "the plugin failed on this item", one.detail
        if isinstance(one, Child):
            assert one.size <= 1 << 40
