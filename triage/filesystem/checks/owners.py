"""Who has which clusters on FAT and exFAT, by our own walk of the directories; which of its names the listing has."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.escape import show_name
from triage.filesystem.checks.clusters import Chain, Claims, Stop
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from triage.filesystem.checks import Fault
    from triage.filesystem.checks.faults import Faults
    from triage.filesystem.listed import Listed

ORPHANS = b"$OrphanFiles"
"""Where the walk lists what no name leads to."""


class Owners:
    """Names with the clusters they have. A name is a tuple of the names from below the root."""

    def __init__(self, volume_name: str) -> None:
        self.claims = Claims()
        self._volume = volume_name
        self._names = bytearray()  # one behind the other: a list of a million names would be large
        self._ends = array("Q")

    def shown(self, path: tuple[bytes, ...]) -> str:
        """Return a path as the listing shows it."""
        return "/".join([self._volume, *(show_name(name)[0] for name in path)])

    def own(self, shown: str, chain: Chain) -> None:
        """Take down whose clusters a chain's are, by the path as it is shown."""
        if chain.runs:
            self._names += shown.encode("utf-8", "replace")
            self._ends.append(len(self._names))
            self.claims.add(len(self._ends) - 1, chain.runs)

    def path_of(self, owner: int) -> str:
        """Return an owner's path as it is shown."""
        start = self._ends[owner - 1] if owner else 0
        return bytes(self._names[start : self._ends[owner]]).decode()

    def shared(self, faults: Faults) -> Iterator[Fault]:
        """Tell of clusters that two names have."""
        for one, other, cluster in self.claims.shared():
            if one == other:
                continue  # its chain runs into itself, which was told
            first, second = sorted((self.path_of(one), self.path_of(other)))
            message = f"shares clusters from {cluster} on with {second}: the content of one of the two is not its own"
            yield from faults.tell(Severity.ERROR, "names that share clusters with others", message, first)


class Seen:
    """Which metadata addresses the walk listed."""

    def __init__(self, listed: Listed) -> None:
        self._addresses = np.unique(np.array(listed.addresses, np.uint64))

    def missing(self, addresses: Sequence[int]) -> list[bool]:
        """Return for each address whether it was not listed."""
        if not addresses or not len(self._addresses):
            return [True] * len(addresses)
        wanted: NDArray[Any] = np.array(addresses, np.uint64)
        at = np.searchsorted(self._addresses, wanted).clip(0, len(self._addresses) - 1)
        gone: list[bool] = (self._addresses[at] != wanted).tolist()
        return gone


def check_end(chain: Chain, path: str, faults: Faults, *, directory: bool) -> Iterator[Fault]:
    """Tell of a chain that does not end as chains end."""
    if chain.stop is Stop.GIVEN_UP:
        message = "the chains have more pieces than are followed: files and directories from here on were not checked in full"
        yield from faults.tell(Severity.ERROR, "chains with too many pieces", message, path)
    elif chain.stop is not Stop.END and chain.runs:
        what = "names may be missing" if directory else "its content may be cut or mixed with another's"
        message = f"behind cluster {chain.last} the chain comes to {chain.stop.value}: {what}"
        severity = Severity.ERROR if directory else Severity.WARNING
        yield from faults.tell(severity, "chains without an end", message, path)
