"""Locked volumes opened with the operator's passwords: each becomes a view of the medium, and what lies in that is volumes of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import PasswordError
from triage.evidence.layers import LayeredMedium
from triage.evidence.luks import open_luks
from triage.evidence.medium import PartMedium
from triage.filesystem.image import MediumImage
from triage.filesystem.volumes import list_volumes
from triage.model import INSIDE, Encryption, Problem, Severity, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from triage.evidence.medium import Medium

LOCKED = "locked"
"""The word by which what is said of a locked volume is known, and taken back once it is unlocked."""
_FACT = " unlocked"
_PLACE = re.compile(r"at byte (\d{1,19}), (\d{1,19}) bytes$")
_NAME = re.compile(r"\bvol(\d{1,4})\b")
_READ = ("LUKS",)


class Unlocked(NamedTuple):
    """The medium with its views, all volumes, what is to be said, and the facts by which another process makes the same views."""

    medium: Medium
    volumes: list[Volume]
    problems: list[Problem]
    facts: dict[str, str]


def unlock(medium: Medium, volumes: list[Volume], problems: list[Problem], passwords: Sequence[str], beat: Callable[[], None]) -> Unlocked:
    """Open the locked volumes that passwords open. What is found in one is numbered after it: the second in ``vol3`` is ``vol3.2``."""
    layered = LayeredMedium(medium)
    found, said = list(volumes), list(problems)
    facts: dict[str, str] = {}
    for place, volume in enumerate(volumes):
        if volume.encryption is not Encryption.LOCKED or volume.file_system not in _READ or not passwords or volume.number is None:
            continue
        try:
            view = open_luks(PartMedium(medium, volume.offset, volume.size), passwords, beat)
            at = layered.add(volume.number, view) if view is not None else 0
        except (ValueError, OSError) as error:
            said.append(_problem(volume, f"{volume.name} ({volume.file_system}) cannot be unlocked: {error}"))
            continue
        if view is None:
            said.append(_problem(volume, f"{volume.name} ({volume.file_system}): no password that was given opens it"))
            continue
        inner, wrong = list_volumes(MediumImage(view), view, volume.evidence, beat)
        scheme = f"{volume.file_system} in {volume.name}"
        found += [_inside(volume, one, at, scheme) for one in inner]
        said = [p for p in said if p.volume != volume.number or LOCKED not in p.message]
        said += [p.replace(volume=_number(volume, p.volume), message=f"{scheme}: {_renamed(volume, p.message)}") for p in wrong]
        found[place] = volume.replace(encryption=Encryption.UNLOCKED)
        facts[unlocked_fact(volume)] = f"{volume.file_system} at byte {volume.offset}, {volume.size} bytes"
    return Unlocked(layered if facts else medium, found, said, facts)


def _inside(outer: Volume, one: Volume, at: int, scheme: str) -> Volume:
    state = one.encryption if one.encryption is Encryption.LOCKED else Encryption.UNLOCKED
    return one.replace(number=_number(outer, one.number), offset=at + one.offset, scheme=scheme, encryption=state)


def _number(outer: Volume, number: int | None) -> int | None:
    return (outer.number or 0) * INSIDE + number if number is not None else None


def _renamed(outer: Volume, message: str) -> str:
    return _NAME.sub(lambda match: f"{outer.name}.{match[1]}", message)


def unlocked_fact(volume: Volume) -> str:
    """Return the name of the fact that says of evidence that a volume of it was unlocked."""
    return f"{volume.name}{_FACT}"


def unlocked_in(facts: Mapping[str, str]) -> list[str]:
    """Return the names of the volumes that were unlocked, by the facts of the evidence."""
    return sorted(key.removesuffix(_FACT) for key in facts if key.endswith(_FACT))


def unlock_again(medium: Medium, facts: Mapping[str, str], passwords: Sequence[str], beat: Callable[[], None]) -> Medium:
    """Return the medium with the views that an earlier process made, by their facts; raise ``PasswordError`` when a password is missing."""
    names = unlocked_in(facts)
    if not names:
        return medium
    layered = LayeredMedium(medium)
    for name in names:
        match = _PLACE.search(facts[f"{name}{_FACT}"])
        view = open_luks(PartMedium(medium, int(match[1]), int(match[2])), passwords, beat) if match else None
        if view is None:
            raise PasswordError(f"{name} had been unlocked, and is not now", hint="give its password again")
        layered.add(int(name.removeprefix("vol")), view)
    return layered


def _problem(volume: Volume, message: str) -> Problem:
    return Problem(severity=Severity.ERROR, stage="volumes", evidence=volume.evidence, volume=volume.number, message=message)
