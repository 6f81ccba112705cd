"""Which files make up one acquired medium, found by their content and checked before anything is read."""

from __future__ import annotations

import re
import stat
from itertools import count, islice
from typing import TYPE_CHECKING

from triage.errors import EvidenceError
from triage.evidence import ewf, ewf2_sections
from triage.evidence.ad1 import find_ad1
from triage.evidence.aff4 import find_aff4, holds_disk
from triage.evidence.ewf_index import DESCRIPTOR
from triage.evidence.ewf_scan import looks_like_segment, read_descriptor
from triage.evidence.ewf_walk import holds_chunks
from triage.evidence.sniff import AD1, AFF4, BUNDLE, EWF, EWF2, FOLDER, HEAD, L01, LX01, RAW, TAIL, ZIP, Container, sniff
from triage.evidence.sparseimage import is_bundle
from triage.evidence.virtual import KINDS, files_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_EWF_EXTENSION = re.compile(r"\.[a-z](?:\d\d|[a-z]{2})$", re.IGNORECASE)
_E01_EXTENSION = re.compile(r"\.e(?:\d\d|[a-z]{2})$", re.IGNORECASE)
_RAW_PART = re.compile(r"^(?P<stem>.*)\.(?P<number>\d{3,})$")


def check_file(path: Path) -> Container:
    """Return what container a file is; raise ``EvidenceError`` when it is none that can be opened."""
    try:
        if path.is_dir():
            if not any(path.iterdir()):
                raise EvidenceError(f"{path} is an empty folder", hint="give an image file, or the folder of an extraction or backup")
            return BUNDLE if is_bundle(path) else FOLDER
        if not path.exists():
            raise EvidenceError(f"{path} does not exist", hint="check the path")
        kind = path.stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISBLK(kind)):  # opening a pipe would wait for whoever writes into it
            raise EvidenceError(f"{path} is a pipe, socket or character device, not a file or disk", hint="give the image file")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD)
            if path.is_file():
                file.seek(max(0, size - TAIL))
                tail = file.read(TAIL)
            else:  # a block device has no size to stat
                tail, size = b"", 1
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror or error}", hint="check its permissions") from error
    if not size or not head:
        raise EvidenceError(f"{path} is empty (0 bytes)", hint="copy or acquire it again")
    container = sniff(head, tail, size)
    if container.kind in ("raw", "text") and _E01_EXTENSION.search(path.name) and path.is_file() and _is_damaged_segment(path):
        container = EWF
    if container is ZIP and b"aff4" in head[:512] + tail and holds_disk(path):
        container = AFF4
    if not container.readable:
        raise EvidenceError(f"{path} is a {container.title}, which is not read as evidence", hint=container.hint or None)
    return container


def _is_damaged_segment(path: Path) -> bool:
    """Whether a file with an E01's name and other first bytes is one all the same: by what it holds, or by its siblings."""
    if looks_like_segment(path) or holds_chunks(path):
        return True
    number = number_by_name(path) or 0
    for other in (number + 1, number - 1):
        sibling = path.with_name(path.name[:-3] + segment_extension(path.name[-3], other)) if other > 0 else path
        try:
            if sibling != path and ewf.segment_number(sibling) == other:
                return True
        except (EvidenceError, OSError):
            pass
    return False


def find_segments(path: Path) -> tuple[Container, list[Path]]:
    """Return the container and every file of the set that ``path`` belongs to, in order.

    Raises ``EvidenceError`` when a segment is missing, twice there, or of another kind.
    """
    container = check_file(_first_part(path))
    if container in (EWF, L01):
        return container, _ewf_segments(path)
    if container in (EWF2, LX01):
        return container, _second_ewf(path)
    if container in (FOLDER, BUNDLE):
        return container, [path]
    if container is AD1:
        return container, find_ad1(path)
    if container is AFF4:
        return container, find_aff4(path)
    if container.kind in KINDS:
        return container, files_of(container.kind, path)
    return container, _raw_parts(path)


def _first_part(path: Path) -> Path:
    """Return the first of the raw parts that ``path`` belongs to, if it is there: a later part may begin with anything."""
    match = _RAW_PART.match(path.name)
    if match and path.is_file():
        for number in range(min(2, int(match["number"]))):
            first = path.with_name(f"{match['stem']}.{number:0{len(match['number'])}d}")
            if first.is_file():
                return first
    return path


def _second_ewf(path: Path) -> list[Path]:
    """Collect a set of the second version by the number and the set's identifier in the files' headers (libewf, "EWF 2", file header)."""
    mine = _set_and_number(path)
    found: dict[int, Path] = {}
    for sibling in sorted(path.parent.iterdir()) if mine is not None else ():
        other = _set_and_number(sibling) if sibling.is_file() else None
        if other is None or mine is None or other[0] != mine[0]:
            continue
        named = sibling.stem.lower() == path.stem.lower()
        if not named and (not any(other[0][1:]) or other[1] in found):
            continue  # its writer gave it no identifier; or a copy of the set lies beside it
        if sibling == path or other[1] not in found or found[other[1]].stem.lower() != path.stem.lower():
            found[other[1]] = sibling
    found.pop(0, None)  # there is none of that number: its reader says so
    lacking = max(found, default=0) - len(found)
    if lacking:  # what a damaged header says may be any number
        missing = list(islice((n for n in count(1) if n not in found), min(lacking, 5)))
        shown = ", ".join(map(str, missing)) + (f" and {lacking - 5} more" if lacking > 5 else "")
        raise EvidenceError(f"segment {shown} of {path.name}'s set is missing", hint="put it beside the others")
    return [found[n] for n in sorted(found)] or [path]


def _set_and_number(path: Path) -> tuple[bytes, int] | None:
    try:
        with path.open("rb") as file:
            head = ewf2_sections.read_head(file.read(ewf2_sections.HEAD))
    except OSError:
        return None
    return (bytes([head.logical]) + head.set_id, head.number) if head is not None else None


def _ewf_segments(path: Path) -> list[Path]:
    """Collect the set by the segment numbers in the files' own headers; names only say where to look."""
    if not _EWF_EXTENSION.search(path.name):
        if ewf.segment_number(path) != 1:
            raise EvidenceError(f"{path.name} is not the first segment of its set", hint="give the first one")
        return [path]
    stem = path.name[:-4].lower()
    found: dict[int, Path] = {}
    for sibling in sorted(path.parent.iterdir()):
        if sibling.name[:-4].lower() != stem or not _EWF_EXTENSION.search(sibling.name) or not sibling.is_file():
            continue
        if sibling != path and sibling.name[-3].lower() not in _same_series(path.name[-3].lower()):
            continue
        try:
            number: int | None = ewf.segment_number(sibling) or number_by_name(sibling)  # there is no segment 0: damaged
        except EvidenceError:
            # photo.iso beside photo.E01; or a segment whose first bytes are ruined: its name says which it is.
            number = number_by_name(sibling) if sibling == path or _is_ruined(sibling) else None
        if number is None:
            continue
        if number in found and not found[number].samefile(sibling):
            raise EvidenceError(f"{found[number].name} and {sibling.name} are both segment {number}", hint="keep one of them")
        found[number] = sibling
    names = {p.name.lower(): p for p in path.parent.iterdir()}
    missing = []
    for n in range(1, max(found) + 1):
        if n in found:
            continue
        there = names.get((path.name[:-3] + segment_extension(path.name[-3], n)).lower())
        if there is None or not there.is_file():
            missing.append(n)
            continue
        if not there.stat().st_size:
            raise EvidenceError(f"{there.name} is empty (0 bytes)", hint="copy it again")
        # It is there and says that it is none, or another: damaged, not missing. What else it says does not count.
        found = {k: p for k, p in found.items() if p != there}
        found[n] = there
    missing = [n for n in missing if n <= max(found)]
    while not missing and (following := names.get((path.name[:-3] + segment_extension(path.name[-3], max(found) + 1)).lower())):
        if following in found.values() or not following.is_file() or not _goes_on(found[max(found)]):
            break
        found[max(found) + 1] = following
    if missing:
        shown = [f"{path.name[:-3]}{segment_extension(path.name[-3], n)}" for n in missing[:5]]
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise EvidenceError(f"segment {', '.join(shown)}{more} of {path.name}'s set is missing", hint="put it beside the others")
    return [found[n] for n in sorted(found) if n]


def _goes_on(path: Path) -> bool:
    """Whether a segment ends by saying that another follows."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - DESCRIPTOR))
        last = read_descriptor(file.read(DESCRIPTOR), max(0, size - DESCRIPTOR), size)
    return last is not None and last.kind == "next"


def _is_ruined(path: Path) -> bool:
    """Whether a file named like a segment is one, though its first bytes are not."""
    return bool(_E01_EXTENSION.search(path.name)) and looks_like_segment(path)


def _same_series(letter: str) -> str:
    """E01 … E99, EAA … EZZ, FAA … ZZZ: one series; S01 (SMART) and L01 (logical) start others."""
    return "".join(chr(c) for c in range(ord(letter), ord("z") + 1)) if letter != "e" else "efghijklmnopqrstuvwxyz"


def segment_extension(letter: str, number: int) -> str:
    """Return a segment's extension: ``E01`` … ``E99``, ``EAA`` … ``EZZ``, ``FAA`` … (specification, section 2)."""
    if number < 100:
        return f"{letter}{number:02d}"
    first, rest = divmod(number - 100, 26 * 26)
    base = ord("A") if letter.isupper() else ord("a")
    return f"{chr(ord(letter) + first)}{chr(base + rest // 26)}{chr(base + rest % 26)}"


def number_by_name(path: Path) -> int | None:
    """Return the number that a segment's extension stands for, ``None`` when it stands for none. ``S…`` is a series of its own."""
    extension = path.suffix[1:].lower()
    if len(extension) != 3 or not extension[0].isalpha() or not extension.isascii():
        return None
    if extension[1:].isdigit():
        return int(extension[1:]) or None
    if not extension[1:].isalpha():
        return None
    first = ord(extension[0] if extension[0] < "e" or extension[0] == "s" else "e")
    return 100 + (ord(extension[0]) - first) * 676 + (ord(extension[1]) - 97) * 26 + ord(extension[2]) - 97


def _raw_parts(path: Path) -> list[Path]:
    """Collect ``.000``/``.001`` … parts; a gap in the numbers is an error, a missing end shows in the volumes."""
    match = _RAW_PART.match(path.name)
    if not match:
        return [path]
    parts: dict[int, Path] = {}
    width = len(match["number"])
    for sibling in path.parent.iterdir():
        other = _RAW_PART.match(sibling.name)
        if other and other["stem"] == match["stem"] and len(other["number"]) == width and sibling.is_file():
            parts[int(other["number"])] = sibling
    if len(parts) == 1:
        if int(match["number"]) > 1:
            raise EvidenceError(
                f"{path.name} is a part of a split image and the parts before it are missing",
                hint=f"put {match['stem']}.{1:0{width}d} beside it",
            )
        return [path]
    first = 0 if 0 in parts else 1
    missing = [n for n in range(first, max(parts) + 1) if n not in parts]
    if missing:
        names = ", ".join(f"{match['stem']}.{n:0{width}d}" for n in missing[:5])
        raise EvidenceError(f"part {names} of the split image {path.name} is missing", hint="put it beside the others")
    for number in sorted(parts):
        if parts[number].stat().st_size == 0:
            raise EvidenceError(f"{parts[number].name} is empty (0 bytes)", hint="copy or acquire it again")
    return [parts[n] for n in sorted(parts)]


def group(paths: Iterable[Path]) -> list[Path]:
    """Return one path a medium: segments that a shell pattern named beside their first one are folded into it."""
    kept: list[Path] = []
    owned: set[Path] = set()
    for path in paths:
        if path.resolve() in owned:
            continue
        container, segments = find_segments(path)
        owned.update(s.resolve() for s in segments)
        kept.append(path if container is RAW and len(segments) == 1 else segments[0])
    return kept
