"""Targets of what serves carving in filesystem/: free space by the file systems' own books, and ext journals with what was deleted."""

from __future__ import annotations

from patches import PatchedMedium, image, scripts
from targets import Target
from targets_evidence import VOLUMES

from triage.filesystem.allocation import free_ranges
from triage.filesystem.checks import VolumeReader
from triage.filesystem.extjournal import read_journal
from triage.filesystem.extlayout import read_descriptors, read_layout
from triage.filesystem.extundelete import Search, buried
from triage.filesystem.extundeletenames import JournalNames
from triage.filesystem.extundeleteorphans import deleted_inodes
from triage.filesystem.signatures import identify_volume
from triage.model import Volume

JOURNALS = ("ext4", "ext4-bare", "ext3")


def _reader(name: str, script: bytes, file_system: str, offset: int = 0) -> VolumeReader:
    medium = PatchedMedium(name, script)
    volume = Volume(evidence="fuzz", number=1, offset=offset, size=medium.size - offset, scheme="none", file_system=file_system)
    return VolumeReader(medium, volume, lambda: None)


def _free_in(name: str, file_system: str):
    def run(data: bytes) -> None:
        starts = (0, 512 * 63, 1 << 20, 128 * 512)
        offset = next((at for at in starts if (found := identify_volume(image(name)[at : at + 0x11000])) and found.readable), 0)
        reader = _reader(name, data, file_system, offset)
        found = free_ranges(reader, file_system)
        reached = -1
        for start, end in found.free if found is not None else ():
            assert reached < start < end <= reader.size
            reached = end

    return run


def _journal(data: bytes) -> None:
    """The first byte chooses the volume, the others change it."""
    name = f"../filesystem/samples/{JOURNALS[data[0] % len(JOURNALS) if data else 0]}.raw.gz"
    reader = _reader(name, data[1:], "ext4")
    layout = read_layout(reader.read)
    if layout is None:
        return
    groups = read_descriptors(reader.read, layout)
    journal = read_journal(reader, layout, groups)
    if journal is None:
        return
    assert len(journal) <= len(journal.places)
    search = Search(reader, layout, groups, journal)
    found = search.run()
    names = JournalNames(layout, groups, journal, found, search.tables()[0].tolist())
    for one in found:
        assert not one.runs or sum(length for _, length in one.runs) == one.size
        assert all(start is None or 0 < start <= reader.size for start, _ in one.runs)
        names.where(one, {}, "vol1")
    buried(found)
    assert all(0 < address <= layout.inodes for address in deleted_inodes(reader))


def _journals() -> list[bytes]:
    names = [f"../filesystem/samples/{name}.raw.gz" for name in JOURNALS]
    return [bytes([number]) + script for number, name in enumerate(names) for script in scripts(name)[:12]]


TARGETS = [
    *(
        Target(f"free-{short}", _free_in(name, file_system), lambda name=name: scripts(name), ("triage.filesystem.allocation",))
        for short, (name, file_system) in VOLUMES.items()
        if file_system != "ISO 9660"
    ),
    Target(
        "ext-journal",
        _journal,
        _journals,
        ("triage.filesystem.extjournal", "triage.filesystem.extundelete*"),
        tokens=(b"\xc0\x3b\x39\x98\0\0\0\1", b"\xc0\x3b\x39\x98\0\0\0\2", b"\xc0\x3b\x39\x98\0\0\0\4", b"\x0a\xf3"),
    ),
]
