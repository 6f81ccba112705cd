"""Build a hash set out of an agency's own files: workers hash them, one record a file comes back; the files themselves are never kept."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.content.comparable import Comparable
from triage.engine.hashfile import usable
from triage.engine.jobs import Job
from triage.engine.listing import Listing
from triage.engine.local import LocalEngine
from triage.engine.plan import Plan
from triage.errors import EngineError, UsageError
from triage.escape import show
from triage.hashsets.records import HashRecord, block_row, pdq_row
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.engine.slot import Announcement
    from triage.model import Json

_BATCH_BYTES, _BATCH_FILES = 32 << 20, 50
_DEATHS = 2
_LONGEST_NAME = 200
_MAX_BLOCKS = 1 << 16
_HEX = re.compile(r"[0-9a-f]+")
_DIGESTS = {"md5": 32, "sha1": 40, "sha256": 64, "md5_512": 32, "md5_64k": 32}


@dataclass(slots=True)
class Built:
    """What a folder gave. ``records`` are to be read once; ``counts`` and ``uncompared`` are filled meanwhile.

    ``skipped``: files that are not in the set, and why; ``digest``: of names and contents, in their order.
    """

    records: Iterator[HashRecord] = field(default_factory=lambda: iter(()))
    skipped: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    uncompared: Counter[str] = field(default_factory=Counter)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    relative: bytes
    size: int


@dataclass(slots=True)
class _Batch(Job):
    number: int = 0
    files: list[_File] = field(default_factory=list)
    deaths: int = 0


class _BuildWork:
    """Hands out batches of files, and keeps what comes of each."""

    def __init__(self, root: Path, files: list[_File], flags: Json, tick: Callable[[int, int], None]) -> None:
        self._root = base64.b64encode(os.fsencode(root)).decode("ascii")
        self._flags = flags
        self._waiting = list(_batches(files))
        self._numbers = self._out = 0
        self._all, self._done = len(files), 0
        self._tick = tick
        # What comes of millions of files, blocks and all, is more than memory holds.
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives until close()
        self._places: dict[bytes, tuple[int, bytes]] = {}
        self.failed: dict[bytes, str] = {}

    def sha256(self, file: _File) -> bytes:
        """Return a file's digest."""
        return self._places[file.relative][1]

    def item(self, file: _File) -> Json:
        """Return what came of a file."""
        self._spool.seek(self._places[file.relative][0])
        return _checked(json.loads(self._spool.readline()))

    def close(self) -> None:
        """Give back the temporary file."""
        self._spool.close()

    def take(self, worker: int) -> Job | None:
        """Return the next batch."""
        if not self._waiting:
            return None
        batch = self._waiting.pop(0)
        self._numbers += 1
        self._out += 1
        batch.number = self._numbers
        names = [base64.b64encode(f.relative).decode("ascii") for f in batch.files]
        batch.commands = [{"do": "hash", "batch": batch.number, "root": self._root, "files": names, "flags": self._flags}]
        return batch

    def left(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._waiting or self._out)

    def data(self, job: Job, data: bytes) -> None:
        """No bytes are asked for."""
        raise ValueError("bytes that nobody asked for")

    def answer(self, job: Job, message: Json) -> bool:
        """Take a batch's hashes."""
        if not isinstance(job, _Batch):
            raise ValueError("an answer to nothing")  # noqa: TRY004 - it is the worker's mistake
        if message.get("error"):
            self._retry(job, 0, str(message.get("message", ""))[:200])
            return True
        if message.get("done") != "hash" or message["batch"] != job.number or len(message["items"]) != len(job.files):
            raise ValueError("an answer about another batch")
        for item in message["items"]:
            _checked(item)
        self._out -= 1
        for file, item in zip(job.files, message["items"], strict=True):
            self._keep(file, item)
        return True

    def lost(self, job: Job, slot: Announcement, how: str) -> None:
        """Do a batch again; do without a file that workers are lost over."""
        if isinstance(job, _Batch):
            self._retry(job, slot.position, f"a worker was lost over it: {how}")

    def _retry(self, batch: _Batch, position: int, how: str) -> None:
        self._out -= 1
        batch.deaths += 1
        if batch.deaths >= _DEATHS or len(batch.files) == 1:
            batch.deaths = 0
            guilty = batch.files.pop(position if position < len(batch.files) else 0)
            self._keep(guilty, {"error": how})
        if batch.files:
            self._waiting.append(batch)

    def _keep(self, file: _File, item: Json) -> None:
        if "error" in item:
            self.failed[file.relative] = str(item["error"])[:300]
        else:
            self._spool.seek(0, os.SEEK_END)
            self._places[file.relative] = (self._spool.tell(), bytes.fromhex(item["sha256"]))
            self._spool.write(json.dumps(item).encode("ascii") + b"\n")
        self._done += 1
        self._tick(self._done, self._all)


def build_records(
    root: Path,
    *,
    category: str = "",
    blocks: bool = True,
    pictures: bool = True,
    videos: bool = True,
    jobs: int = 0,
    limits: Limits | None = None,
    tick: Callable[[int, int], None] = lambda _done, _all: None,
) -> Built:
    """Hash all files under a folder, in killable and confined workers, and return a record each, in the order of their names.

    Links are not followed. Raises ``UsageError`` for what is no folder or holds no file, ``EngineError`` when workers cannot be kept alive.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder", hint="name the folder of the files that the set is to be built of")
    limits, built = limits or Limits(), Built()
    files = sorted(_files(root, built), key=lambda f: f.relative)
    if not files:
        raise UsageError(f"there is no file in {root} that a set can be built of", hint="name another folder")
    work = _BuildWork(root.resolve(), files, {"blocks": blocks, "pictures": pictures, "videos": videos}, tick)
    engine = LocalEngine(limits, {"memory": limits.memory}, jobs or limits.jobs or max(1, os.cpu_count() or 1))
    try:
        engine.spawn()
        engine.attach([], Listing(lambda *_: None))
        engine.run([], Plan(), jobs=work)
        if engine.stopped:
            raise EngineError(engine.stopped)
    finally:
        engine.close()
    built.skipped += [(_shown(file.relative), work.failed[file.relative]) for file in files if file.relative in work.failed]
    hashed = [file for file in files if file.relative not in work.failed]
    total = hashlib.sha256()
    for file in hashed:
        total.update(f"{len(file.relative)} {work.sha256(file).hex()} ".encode() + file.relative)
    built.digest = total.hexdigest()
    built.records = _records(work, hashed, category, built)
    return built


def _records(work: _BuildWork, files: list[_File], category: str, built: Built) -> Iterator[HashRecord]:
    try:
        for file in files:
            yield _record(work.item(file), _shown(file.relative), category, built)
    finally:
        work.close()


def _shown(relative: bytes) -> str:
    return show(os.fsdecode(relative))[:_LONGEST_NAME]


def _files(root: Path, built: Built) -> Iterator[_File]:
    """Yield the files under a folder; what is no regular file is noted."""

    def failed(error: OSError) -> None:
        raise UsageError(f"{error.filename!s} cannot be listed: {error.strerror or error}", hint="make it readable, or name another folder")

    for folder, folders, names in os.walk(root, onerror=failed):
        for name in names + [n for n in folders if (Path(folder) / n).is_symlink()]:
            path = Path(folder) / name
            relative, facts = os.fsencode(path.relative_to(root)), path.lstat()
            if not stat.S_ISREG(facts.st_mode):
                built.skipped.append((_shown(relative), "it is a link or no regular file"))
            elif facts.st_size == 0:
                built.skipped.append((_shown(relative), "it is empty"))
            else:
                yield _File(relative, facts.st_size)


def _batches(files: list[_File]) -> Iterator[_Batch]:
    batch, size = _Batch([]), 0
    for file in files:
        if batch.files and (len(batch.files) >= _BATCH_FILES or size + file.size > _BATCH_BYTES):
            yield batch
            batch, size = _Batch([]), 0
        batch.files.append(file)
        size += file.size
    if batch.files:
        yield batch


def _checked(item: Json) -> Json:
    """Return what a worker says of a file, as it is stored; raise ``ValueError`` or ``TypeError`` for what does not fit."""
    if "error" in item:
        if type(item["error"]) is not str:
            raise TypeError("not a reason")
        return item
    for name, length in _DIGESTS.items():
        digest = item[name]
        if digest is None and name in ("md5_512", "md5_64k"):
            continue
        if type(digest) is not str or len(digest) != length or not _HEX.fullmatch(digest):
            raise ValueError("not a digest")
    raw, numbers = base64.b64decode(item["blocks"], validate=True), item["numbers"]
    if len(raw) != 16 * len(numbers) or len(numbers) > _MAX_BLOCKS or any(type(n) is not int or not 0 <= n < 1 << 32 for n in numbers):
        raise ValueError("not the blocks of a file")
    if type(item["size"]) is not int or item["size"] < 0 or type(item["category"]) is not str:
        raise ValueError("not the size of a file")
    alike = Comparable.unpack(item["alike"]) if item["alike"] is not None else None
    return {**item, "blocks": raw, "alike": alike}


def _record(item: Json, name: str, category: str, built: Built) -> HashRecord:
    more: list[tuple[str, bytes]] = [(n, bytes.fromhex(item[n])) for n in ("md5_512", "md5_64k") if item[n] is not None]
    alike: Comparable | None = item["alike"]
    if alike is not None and alike.frames:
        more += [("frame", frame.pdq) for frame in alike.frames]
        built.counts["videos"] += 1
        built.counts["frames"] += len(alike.frames)
    elif alike is not None and usable(alike):
        more.append(("pdq", pdq_row(alike.pdq[:32], alike.phash[:8])))
        built.counts["pictures"] += 1
    elif alike is not None:
        built.uncompared[alike.reason or "too little in it to be compared by likeness"] += 1
    more += [("block", block_row(item["blocks"][16 * n : 16 * n + 16], number)) for n, number in enumerate(item["numbers"])]
    built.counts["blocks"] += len(item["numbers"])
    digests: dict[str, Any] = {n: bytes.fromhex(item[n]) for n in ("md5", "sha1", "sha256")}
    return HashRecord(**digests, category=category, more=tuple(more), size=item["size"], name=name)
