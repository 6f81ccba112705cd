"""What keys of the registry say, one small function a place: of users, of the machine, of programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.registryfacts.machine import MACHINE
from triage.artifacts.registryfacts.programs import PROGRAMS
from triage.artifacts.registryfacts.user import USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.hive import Hive
    from triage.artifacts.registryfacts.common import Fact

PLACES = (*USER, *MACHINE, *PROGRAMS)
"""Where a place begins, and what reads it. Which hive it is shows by what is there: no place of one is in another."""


def read_facts(hive: Hive) -> Iterator[Fact]:
    """Yield what the known places of a hive say, place by place. ``{control}`` in a place is the control set in use."""
    select = hive.root.find("Select")
    number = select.table().get("current") if select is not None else None
    control = f"ControlSet{min((number.number or 1) if number is not None else 1, 999):03}"
    for path, read in PLACES:
        key = hive.root.find(path.replace("{control}", control))
        if key is not None:
            yield from read(key)
