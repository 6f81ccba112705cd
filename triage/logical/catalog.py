"""Which evidence is a list of files rather than a medium, and what reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from triage.errors import EvidenceError, PasswordError
from triage.evidence.aff4 import Aff4Error
from triage.logical.ad1 import Ad1Tree
from triage.logical.aff4l import Aff4LogicalTree, looks_logical
from triage.logical.folder import FolderTree
from triage.logical.itunes import BackupTree, is_backup
from triage.logical.l01 import L01Tree
from triage.logical.tarfiles import TarTree
from triage.logical.zipfiles import ZipTree
from triage.model import Encryption, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.evidence.ewf import EwfMedium
    from triage.evidence.folder import FolderMedium
    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import Tree
    from triage.model import Evidence

_NAMES = {
    "zip": "ZIP archive",
    "tar": "TAR archive",
    "ab": "Android backup",
    "ad1": "AD1 image",
    "l01": "L01 image",
    "lx01": "Lx01 image",
    "folder": "folder",
}
_IPHONE, _REPORT, _AFF4 = "iPhone backup", "Cellebrite report (UFDR)", "AFF4 logical image"


def is_logical(kind: str) -> bool:
    """Whether evidence of this kind is a list of files."""
    return _form(kind) in _NAMES


def _form(kind: str) -> str:
    """Return the archive's form, of evidence in several files and of what is compressed as a whole, too."""
    return kind.removeprefix("split ").partition(".")[0]


def open_tree(kind: str, medium: Medium, beat: Callable[[], None], passwords: Sequence[str]) -> tuple[Tree, str]:
    """Return the files of logical evidence, and what it is called.

    Raises ``PasswordError`` when no password opens it, ``ValueError`` or ``OSError`` when its list cannot be read.
    """
    what = _form(kind)
    if what == "zip":
        if looks_logical(medium):
            try:
                return Aff4LogicalTree(medium, 0, medium.size, beat), _AFF4
            except Aff4Error as error:
                return ZipTree(medium, 0, medium.size, beat, note=f"it is no AFF4 image that can be used as one ({error})"), _NAMES[what]
        return ZipTree(medium, 0, medium.size, beat), _NAMES[what]
    if what == "ad1":
        return Ad1Tree(medium, 0, medium.size, beat), _NAMES[what]
    if what in ("l01", "lx01"):
        return L01Tree(cast("EwfMedium", medium), 0, medium.size, beat), _NAMES[what]
    if what in ("tar", "ab"):
        return TarTree(medium, 0, medium.size, beat), _NAMES[what]
    folder = cast("FolderMedium", medium)
    if is_backup(folder):
        return BackupTree(folder, 0, folder.size, beat, passwords), _IPHONE
    return FolderTree(folder, 0, folder.size, beat), _NAMES[what]


def volume_of(evidence: Evidence, medium: Medium, beat: Callable[[], None], passwords: Sequence[str]) -> tuple[Volume, dict[str, str]]:
    """Return the one volume of logical evidence, and what it says of the device it is of.

    Raises ``EvidenceError`` when its list of files cannot be read.
    """
    try:
        tree, name = open_tree(evidence.kind, medium, beat, passwords)
    except PasswordError as error:
        raise PasswordError(f"{evidence.paths[0]}: {error.message}", hint=error.hint) from error
    except (ValueError, OSError) as error:
        what = _NAMES[_form(evidence.kind)]
        raise EvidenceError(f"{evidence.paths[0]} is a {what} that cannot be listed: {error}", hint="get a whole copy") from error
    if isinstance(tree, ZipTree) and tree.is_report:
        name = _REPORT
    locked = (isinstance(tree, BackupTree) and tree.encrypted) or evidence.facts.get("encryption", "none") != "none"
    volume = Volume(
        evidence=evidence.id, number=1, offset=0, size=medium.size, scheme="none", type="files", file_system=name, block_size=1,
        encryption=Encryption.UNLOCKED if locked else Encryption.NONE, found_by="files",
    )  # fmt: skip
    return volume, tree.facts() if isinstance(tree, BackupTree | ZipTree) else {}


def is_archive(volume: Volume) -> bool:
    """Whether a volume is a list of files rather than a file system: what no file owns there is no free space."""
    return volume.file_system in _NAMES.values() or volume.file_system in (_IPHONE, _REPORT, _AFF4)
