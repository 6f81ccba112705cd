"""A case that lives in memory: what the report reads of a real one, in the shape that interface.md gives the rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Row = dict[str, Any]


def digest(text: str, length: int = 64) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def file_row(n: int, **changes: Any) -> Row:
    path = changes.pop("path", f"vol2/Users/anna/Pictures/holiday/IMG_{n:06d}.jpg")
    key = f"{n}"
    state = ("allocated", "deleted", "allocated", "orphan", "carved")[n % 5]
    row: Row = {
        "id": digest(key, 32),
        "evidence": "ev-1",
        "exhibit": "AB/1",
        "volume": 2,
        "path": path,
        "name": path.rpartition("/")[2],
        "name_raw": None,
        "kind": "file",
        "state": state,
        "recoverability": ("unknown", "intact", "unknown", "partly overwritten", "overwritten")[n % 5],
        "size": 48_213 + n * 977,
        "mtime": "2023-07-04T18:22:31.123456700Z",
        "atime": "2024-01-02T03:04:05Z",
        "ctime": None,
        "crtime": "2023-07-04T18:22:30Z",
        "time_basis": ("utc", "local", "unknown")[n % 3],
        "meta_addr": 4000 + n,
        "runs": [[1_048_576 + 4096 * n, 4096], [None, 4096]],
        "mime": "image/jpeg",
        "type": "jpeg",
        "category": "picture",
        "extension_mismatch": n % 7 == 0,
        "entropy": 7.91,
        "md5": digest(key, 32),
        "sha1": digest(key, 40),
        "sha256": digest(key),
        "known": "notable" if n % 4 == 0 else None,
        "matches": [{"set": "Op Harbour 2024", "meaning": "notable", "category": "1", "how": "sha256", "distance": 0}]
        if n % 4 == 0
        else [],
        "score": 180 - n,
        "reasons": [
            {"rule": "notable-hash", "points": 100, "text": "on a list of notable files"},
            {"rule": "user-pictures", "points": 45, "text": "picture in a user's folder"},
            {"rule": "small", "points": -5, "text": "smaller than 64 KiB"},
        ][: 1 + n % 3],
        "parent": None,
        "problems": 0,
        "outcome": "done",
        "outcome_reason": "",
    }
    row.update(changes)
    return row


def finding_row(n: int, **changes: Any) -> Row:
    row: Row = {
        "id": f"f{n:07d}",
        "entry": digest(str(n), 32),
        "path": f"vol2/Users/anna/Pictures/holiday/IMG_{n:06d}.jpg",
        "plugin": "exif@1.0#default",
        "kind": "camera",
        "title": f"Taken with a Canon EOS 80D, serial {100000 + n}",
        "data": {"make": "Canon", "model": "EOS 80D", "taken": "2023:07:04 18:22:30", "gps": [59.9139, 10.7522], "flash": False},
        "ranges": [[12, 240]],
    }
    row.update(changes)
    return row


def problem_row(n: int, **changes: Any) -> Row:
    row: Row = {
        "severity": ("warning", "info", "error")[n % 3],
        "stage": ("filesystem", "content", "evidence")[n % 3],
        "evidence": "ev-1",
        "volume": 2,
        "entry": digest(str(n), 32),
        "path": f"vol2/Windows/Temp/{n}.tmp",
        "plugin": "",
        "message": ("only part of the content could be read", "not a picture after all", "a chunk fails its checksum")[n % 3],
        "detail": f"at offset {n * 4096}",
        "count": 1 + n % 2,
    }
    row.update(changes)
    return row


class FakeCase:
    """Lists are made anew on each call, by functions, so that a long one costs no memory."""

    def __init__(
        self,
        *,
        files: Callable[[], Iterable[Row]] = lambda: (file_row(n) for n in range(30)),
        findings: Callable[[], Iterable[Row]] = lambda: (finding_row(n) for n in range(12)),
        problems: Callable[[], Iterable[Row]] = lambda: (problem_row(n) for n in range(9)),
        **parts: Any,
    ) -> None:
        self._files, self._findings, self._problems = files, findings, problems
        self.parts: dict[str, Any] = {**plain_parts(), **parts}

    def files(self, *, where: str | None = None, sort: str | None = None, limit: int | None = None) -> Iterator[Row]:
        return islice(self._files(), limit)

    def queue(self, limit: int | None = None, unknown_only: bool = False) -> Iterator[Row]:
        ranked = ({"rank": rank, "copies": 1 + rank % 3, **row} for rank, row in enumerate(self._files(), 1))
        return islice(ranked, limit)

    def findings(self, limit: int | None = None) -> Iterator[Row]:
        return islice(self._findings(), limit)

    def problems(self) -> Iterator[Row]:
        return iter(self._problems())

    def evidence(self) -> list[Row]:
        return list(self.parts["evidence"])

    def volumes(self) -> list[Row]:
        return list(self.parts["volumes"])

    def hashsets(self) -> list[Row]:
        return list(self.parts["hashsets"])

    def coverage(self) -> Row:
        return dict(self.parts["coverage"])

    def counts(self) -> Row:
        kinds = Counter(row["kind"] for row in self._findings())
        return {"queue": sum(1 for _ in self._files()), "findings": dict(kinds), **self.parts["counts"]}

    def run_facts(self) -> Row:
        return dict(self.parts["run_facts"])

    def run_times(self) -> Row:
        return dict(self.parts["run_times"])


def plain_parts() -> dict[str, Any]:
    return {
        "evidence": [
            {
                "id": "ev-1",
                "paths": ["/srv/exhibits/AB-1/laptop.E01", "/srv/exhibits/AB-1/laptop.E02"],
                "kind": "ewf",
                "size": 256_060_514_304,
                "sector_size": 512,
                "exhibit": "AB/1",
                "facts": {"examiner_name": "R. Sato", "case_number": "2024-0117", "acquiry_date": "2024-02-11T09:30:00"},
                "stored_digests": {"md5": "9e107d9d372bb6826bd81d3542a419d6", "sha1": "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"},
                "fingerprint": digest("evidence"),
                "fingerprint_state": "unchanged",
                "verification": "verified",
            }
        ],
        "volumes": [
            {
                "evidence": "ev-1",
                "number": 1,
                "name": "vol1",
                "offset": 1_048_576,
                "size": 104_857_600,
                "scheme": "gpt",
                "type": "EFI System",
                "label": "SYSTEM",
                "file_system": "fat32",
                "block_size": 512,
                "encryption": "none",
                "found_by": "table",
                "state": "listed",
                "entries": 214,
            },
            {
                "evidence": "ev-1",
                "number": 2,
                "name": "vol2",
                "offset": 105_906_176,
                "size": 254_000_000_000,
                "scheme": "gpt",
                "type": "Basic data",
                "label": "Windows",
                "file_system": "ntfs",
                "block_size": 4096,
                "encryption": "none",
                "found_by": "table",
                "state": "listed",
                "entries": 412_034,
            },
            {
                "evidence": "ev-1",
                "number": None,
                "name": "gap@17408",
                "offset": 17_408,
                "size": 1_031_168,
                "scheme": "gpt",
                "type": "",
                "label": "",
                "file_system": "",
                "block_size": 0,
                "encryption": "none",
                "found_by": "table",
                "state": "gap",
                "entries": 0,
            },
        ],
        "hashsets": [
            {
                "name": "Op Harbour 2024",
                "meaning": "notable",
                "source": "harbour.json",
                "source_sha256": digest("harbour"),
                "records": 1_204_331,
                "category": "1",
                "hits": 8,
            },
            {
                "name": "NSRL modern",
                "meaning": "known",
                "source": "RDS_2024.03.1_modern.db",
                "source_sha256": digest("nsrl"),
                "records": 58_112_004,
                "category": "",
                "hits": 301_877,
            },
        ],
        "coverage": {
            "seen": {"entries": 30},
            "complete": True,
            "locked_volumes": [],
            "unreadable_volumes": [],
            "items": {"seen": 30, "analysed": 27, "partial": 1, "skipped": 2, "failed": 0, "timeout": 0, "crashed": 0, "not_reached": 0},
            "skipped_why": {"larger than the profile's limit of 2 GiB": 2},
            "bytes": {"medium": 256_060_514_304, "volumes": 254_104_857_600, "gaps": 1_031_168, "content_read": 148_113_902_114},
            "not_done": ["Space that no file owns was not searched.", "Archives were not opened."],
        },
        "counts": {
            "entries": 30,
            "by_state": {"allocated": 18, "deleted": 6, "orphan": 3, "carved": 3},
            "by_kind": {"file": 30},
            "by_type": {"jpeg": 30},
            "by_category": {"picture": 30},
            "by_recoverability": {"intact": 4, "overwritten": 8},
            "by_known": {"notable": 8, "known": 12},
            "matches_by_set": {"Op Harbour 2024": 8},
        },
        "run_facts": {
            "profile": "quick",
            "profile_sha256": digest("quick"),
            "examiner": "M. Okafor",
            "case_number": "2024-0117",
            "exhibits": ["AB/1"],
            "finished": True,
            "versions": {"triage": "0.1.0", "python": "3.13.1", "pytsk3": "20260715", "libmagic": "5.45"},
            "plugins": [{"name": "exif", "version": "1.0", "origin": "built in", "sha256": digest("exif")}],
        },
        "run_times": {"started": "2024-03-01T22:10:04Z", "ended": "2024-03-01T23:48:51Z"},
    }
