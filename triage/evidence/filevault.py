"""FileVault 2: logical volumes of a CoreStorage physical volume, opened by libfvde with a password or a recovery key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.evidence.yal import ERRORS, MediumFile, YalMedium, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.evidence.medium import Medium

_RECOVERY = re.compile(r"[A-Za-z0-9]{4}(?:-[A-Za-z0-9]{4}){5}")
_MOST_VOLUMES = 64


class FilevaultError(ValueError):
    """A volume that libfvde does not open."""


def open_filevault(volume: Medium, passwords: Sequence[str], beat: Callable[[], None] = lambda: None) -> list[tuple[str, Medium | None]]:
    """Return the logical volumes by name; ``None`` stands for one that stays locked. Raises :class:`FilevaultError` or ``OSError``."""
    found: list[tuple[str, Medium | None]] = []
    for number in range(_many(volume)):
        name, medium = _logical(volume, number, None)
        for password in () if medium is not None else passwords:
            beat()
            name, medium = _logical(volume, number, password)
            if medium is not None:
                break
        found.append((name, medium))
    return found


def _many(volume: Medium) -> int:
    group, _ = _group(volume)
    return min(int(group.get_number_of_logical_volumes()), _MOST_VOLUMES)


def _group(volume: Medium) -> tuple[Any, tuple[Any, ...]]:
    try:
        import pyfvde  # noqa: PLC0415 - rarely needed, and its absence must not stop what is not encrypted
    except ImportError as error:
        raise FilevaultError("libfvde is not installed (pip install libfvde-python)") from error
    handle, file = pyfvde.volume(), MediumFile(volume)
    try:
        handle.open_file_object(file)
        group = handle.get_volume_group()
    except ERRORS as error:
        raise FilevaultError(reason(error)) from error
    if group is None:
        raise FilevaultError("it names no logical volumes")
    return group, (handle, file)


def _logical(volume: Medium, number: int, password: str | None) -> tuple[str, YalMedium | None]:
    """Return a logical volume's name, and its bytes if the password opens it. Each attempt is made on a volume opened anew."""
    group, held = _group(volume)
    try:
        one = group.get_logical_volume(number)
        name = str(one.name or "")
        if password is not None:
            if _RECOVERY.fullmatch(password.strip()):
                one.set_recovery_password(password.strip())
            else:
                one.set_password(password)
            one.unlock()
        if one.is_locked():
            return name, None
        return name, YalMedium(one, int(one.size), volume, (*held, group))
    except ERRORS as error:
        if password is not None:
            return "", None  # a password of a form that it does not take is a wrong one
        raise FilevaultError(reason(error)) from error
