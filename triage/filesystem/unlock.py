"""Locked volumes opened with the operator's passwords: each becomes a view of the medium, and what lies in that is volumes of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.layers import LayeredMedium
from triage.evidence.luks import LuksError, open_luks
from triage.evidence.medium import PartMedium
from triage.filesystem.image import MediumImage
from triage.filesystem.volumes import list_volumes
from triage.model import Encryption, Problem, Severity, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from triage.evidence.medium import Medium

_FACT = "unlocked at byte "
_READ = ("LUKS",)


class Unlocked(NamedTuple):
    """The medium with its views, all volumes, what is to be said, and the facts by which another process makes the same views."""

    medium: Medium
    volumes: list[Volume]
    problems: list[Problem]
    facts: dict[str, str]


def unlock(
    medium: Medium, volumes: list[Volume], problems: list[Problem], passwords: Sequence[str], beat: Callable[[], None]
) -> Unlocked:
    """Open the locked volumes that passwords open; numbers of what is found in them follow those of the medium's own volumes."""
    layered = LayeredMedium(medium)
    found, said, facts = list(volumes), list(problems), {}
    number = max((v.number or 0 for v in volumes), default=0)
    for place, volume in enumerate(volumes):
        if volume.encryption is not Encryption.LOCKED or volume.file_system not in _READ or not passwords:
            continue
        try:
            view = open_luks(PartMedium(medium, volume.offset, volume.size), passwords, beat)
        except (LuksError, OSError) as error:
            said.append(_problem(volume, f"{volume.name} ({volume.file_system}) cannot be unlocked: {error}"))
            continue
        if view is None:
            said.append(_problem(volume, f"{volume.name} ({volume.file_system}): no password that was given opens it"))
            continue
        at = layered.add(view)
        inner, wrong = list_volumes(MediumImage(view), view, volume.evidence, beat)
        scheme = f"{volume.file_system} in {volume.name}"
        renumbered: dict[int, int] = {}
        for one in inner:
            if one.number is not None:
                number += 1
                renumbered[one.number] = number
            found.append(
                one.replace(
                    number=renumbered[one.number] if one.number is not None else None,
                    offset=at + one.offset,
                    scheme=scheme,
                    encryption=one.encryption if one.encryption is Encryption.LOCKED else Encryption.UNLOCKED,
                )
            )
        said = [p for p in said if p.volume != volume.number or "locked" not in p.message]
        said += [
            p.replace(volume=renumbered.get(p.volume, p.volume) if p.volume is not None else None, message=f"{scheme}: {p.message}")
            for p in wrong
        ]
        found[place] = volume.replace(encryption=Encryption.UNLOCKED)
        facts[f"{_FACT}{volume.offset}"] = f"{volume.file_system}, {volume.size} bytes"
    return Unlocked(layered if facts else medium, found, said, facts)


def relock(medium: Medium, facts: Mapping[str, str], passwords: Sequence[str], beat: Callable[[], None]) -> Medium:
    """Return the medium with the views that an earlier process made, by their facts; raise ``OSError`` when a password is missing."""
    wanted = [(int(key.removeprefix(_FACT)), value) for key, value in facts.items() if key.startswith(_FACT)]
    if not wanted:
        return medium
    layered = LayeredMedium(medium)
    for offset, value in sorted(wanted):
        size = int(value.rpartition(", ")[2].removesuffix(" bytes"))
        view = open_luks(PartMedium(medium, offset, size), passwords, beat)
        if view is None:
            raise OSError("a volume that was unlocked needs its password again")
        layered.add(view)
    return layered


def _problem(volume: Volume, message: str) -> Problem:
    return Problem(severity=Severity.ERROR, stage="filesystem", evidence=volume.evidence, volume=volume.number, message=message)
