"""NTFS: what was listed, held against the boot sectors, every MFT record, $MFTMirr, the bitmaps and the names in the records.

A file's name stands twice, in its folder's index, which TSK lists, and in its own MFT record; a cluster's owner twice, in the owner's
runlist and in $Bitmap; whether a record is in use in its flags and in the MFT's bitmap. Where both places are sound they agree, also
on volumes that were not unmounted cleanly but for what was being changed at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.escape import show_name
from triage.filesystem.checks import Fault, Missed, ntfsmft
from triage.filesystem.checks.columns import KEPT
from triage.filesystem.checks.ntfsclusters import cluster_faults
from triage.filesystem.checks.ntfsindex import index_faults
from triage.filesystem.checks.ntfsmft import Boot, Mft, Record
from triage.filesystem.checks.ntfstable import (
    DAMAGED,
    EMPTY,
    HAS_DATA,
    HAS_LIST,
    HAS_NAME,
    HAS_NAMES_INDEX,
    HAS_STANDARD,
    UNUSED,
    USED,
    Table,
)
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.columns import Column
    from triage.filesystem.listed import Listed

ROOT = 5
MAX_LISTS = 100_000
"""Attribute lists that are looked into one by one."""
_DIRTY = 1
_COPIED = 4
_WRONG_USED = {
    "chain": "end before their last attribute: names, streams or content of these files may be missing",
    "end": "have another length than they say: attributes of these files may be missing",
    "attribute": "hold an attribute that does not fit: content or streams of these files may be missing",
    "runs": "hold runs that do not decode, lead out of the volume or have another length than they say: content may be wrong",
    "sizes": "hold sizes that contradict each other: content may be cut or padded",
    "name": "hold a name that does not fit",
    "number": "tell another record's number: one record's bytes lie where another's belong",
    "size": "tell another record size than the boot sector",
}


def check(reader: VolumeReader, listed: Listed) -> Iterator[Fault | Missed]:
    """Yield what differs and what was missed."""
    boot, faults = _boot(reader)
    yield from faults
    if boot is None:
        return
    mft, faults = _mft(reader, boot)
    yield from faults
    if mft is None:
        return
    table = Table(boot.record, boot.cluster, mft.clusters)
    for piece in ntfsmft.read_runs(reader, mft.runs, boot.cluster, mft.size // boot.record * boot.record):
        table.feed(piece)
    yield from _state_of_volume(mft)
    yield from _records(mft, table)
    yield from _parts(mft, table)
    yield from _names(mft, table, listed)
    yield from index_faults(mft, table)
    yield from cluster_faults(mft, table, listed)


# ---- boot sector and the first records --------------------------------------------------------------------------------------


def _boot(reader: VolumeReader) -> tuple[Boot | None, list[Fault]]:
    """Return the geometry, and how the boot sector and its copy behind the last sector differ."""
    faults = []
    first = reader.read(0, 512)
    boot = ntfsmft.read_boot(first)
    copy = reader.read(boot.backup if boot is not None else max(0, reader.size // 512 * 512 - 512), 512)
    kept = ntfsmft.read_boot(copy)
    if boot is None:
        faults.append(Fault(Severity.ERROR, "the boot sector is damaged" + ("; its copy was used for the checks" if kept else "")))
        if kept is None:
            faults.append(Fault(Severity.ERROR, "neither boot sector can be used: whether names are missing was not checked"))
        boot = kept
    elif len(copy) == 512 and kept is None and ntfsmft.read_boot(reader.read(reader.size // 512 * 512 - 512, 512)) is None:
        faults.append(Fault(Severity.WARNING, "the boot sector's copy at the volume's end is damaged or not where the boot sector says"))
    elif len(copy) == 512 and kept != boot:  # also when the copy lies at the volume's end and the boot sector says elsewhere
        faults.append(Fault(Severity.ERROR, "the boot sector and its copy at the volume's end differ: names may be missing"))
    elif kept is not None and first[72:80] != copy[72:80]:
        faults.append(Fault(Severity.WARNING, "the boot sector and its copy give different serial numbers"))
    if boot is not None and boot.size > reader.size:
        message = f"the file system has {boot.size} bytes, the volume only {reader.size}: what lies behind is missing"
        faults.append(Fault(Severity.ERROR, message))
    return boot, faults


def open_mft(reader: VolumeReader) -> Mft | None:
    """Return the MFT, by whichever of the boot sectors and of its own record's copies can be used; ``None`` when none can."""
    boot, _ = _boot(reader)
    return None if boot is None else _mft(reader, boot)[0]


def _mft(reader: VolumeReader, boot: Boot) -> tuple[Mft | None, list[Fault]]:
    """Find the MFT by its own first record, else by that record's copy in $MFTMirr; compare the records that are kept twice."""
    faults: list[Fault] = []
    clusters = min(boot.clusters, -(-reader.size // boot.cluster))
    pairs = []
    for number in range(_COPIED):
        both = (reader.read(at + number * boot.record, boot.record) for at in (boot.mft, boot.mirror))
        pairs.append([ntfsmft.parse_record(data, number, clusters) if len(data) == boot.record else None for data in both])
    first = next((r for r in pairs[0] if r is not None and r.find(ntfsmft.DATA) is not None), None)
    differ = [str(number) for number, (own, copy) in enumerate(pairs) if _essence(own) != _essence(copy)]
    if differ:
        message = f"MFT records {', '.join(differ)} differ from their copies in $MFTMirr: one of the two is damaged, names may be missing"
        faults.append(Fault(Severity.ERROR if "0" in differ else Severity.WARNING, message))
    if first is None:
        faults.append(Fault(Severity.ERROR, "the MFT's own record and its copy are damaged: whether names are missing was not checked"))
        return None, faults
    mft = Mft(reader, boot, first)
    own = first.find(ntfsmft.DATA)
    if own is not None and mft.size < own.initialised:
        message = f"the MFT should have {own.initialised} bytes; only {mft.size} of them could be located: names may be missing"
        faults.append(Fault(Severity.ERROR, message))
    return mft, faults


def _essence(record: Record | None) -> object:
    """Return what a record and its copy must agree in: times and the flags of $Volume may be newer in one."""
    if record is None:
        return None
    left_out = (ntfsmft.STANDARD, ntfsmft.VOLUME_INFORMATION)
    attributes = [(a.type, a.id, a.name, tuple(a.runs or ()), a.size) for a in record.attributes if a.type not in left_out]
    return record.sequence, record.links, record.flags, record.base, record.broken, attributes


def _state_of_volume(mft: Mft) -> Iterator[Fault]:
    """Say that the volume was in use when it was acquired, or lost power: then a few of the differences are no damage."""
    volume = mft.record(3)
    flags = volume.find(ntfsmft.VOLUME_INFORMATION) if volume is not None else None
    if flags is not None and len(flags.value) >= 12 and int.from_bytes(flags.value[10:12], "little") & _DIRTY:
        yield Fault(Severity.INFO, "the volume is marked dirty: it was not unmounted cleanly, or damage was noticed")
    log = mft.record(2)
    data = log.find(ntfsmft.DATA) if log is not None else None
    page = mft.content(data, 4096) if data is not None else b""
    # Restart area ($LogFile, NTFS documentation): RSTR; at byte 24 the area's offset, in it at 12 the client in use and at 14 flags.
    area = int.from_bytes(page[24:26], "little")
    if page[:4] == b"RSTR" and area + 16 <= len(page):
        client, clean = int.from_bytes(page[area + 12 : area + 14], "little"), page[area + 14] & 2
        if client != 0xFFFF and not clean:
            yield Fault(Severity.INFO, "$LogFile holds changes that were not yet made in the file system; they were not replayed")


# ---- records ----------------------------------------------------------------------------------------------------------------


def _records(mft: Mft, table: Table) -> Iterator[Fault]:
    """Say which records are damaged, contradict the MFT's bitmap, or lack what every file has."""
    state, flags, has, base = (table.column(c) for c in ("state", "flags", "has", "base"))
    numbers = np.arange(table.count)
    bits = _record_bits(mft, table.count)
    if bits is None:
        yield Fault(Severity.WARNING, "the MFT's bitmap cannot be read: whether records in use are missing cannot be told by it")
        marked, unmarked = state == USED, state != USED
    else:
        marked, unmarked = bits, ~bits
    broken = (state == DAMAGED) & (numbers != 0)
    yield from _said(
        mft, Severity.ERROR, "MFT records in use are damaged beyond reading: these files are missing", numbers[broken & marked]
    )
    yield from _said(
        mft, Severity.WARNING, "free MFT records are damaged: names of deleted files may be missing", numbers[broken & unmarked]
    )
    for kind, what in _WRONG_USED.items():
        for of, severity, which in (
            (USED, Severity.ERROR, "MFT records in use"),
            (UNUSED, Severity.WARNING, "MFT records of deleted files"),
        ):
            tally = table.wrong[of]
            if kind in tally.counts:
                yield from _said(mft, severity, f"{which} {what}", tally.first[kind], tally.counts[kind])
    # Records 12 to 23 are the file system's own: marked in use whether they are or not.
    files = (state == USED) & (base == 0) & ((numbers >= ntfsmft.RESERVED) | (numbers < 12))
    lost = marked & ((state == EMPTY) | (state == UNUSED)) & (numbers >= ntfsmft.RESERVED)
    yield from _said(
        mft, Severity.ERROR, "MFT records are marked in use, but are free: files may be shown as deleted or be missing", numbers[lost]
    )
    yield from _said(mft, Severity.WARNING, "MFT records are in use, but marked free", numbers[unmarked & files])
    alone = files & (has & HAS_LIST == 0)
    folder = flags & ntfsmft.IS_DIRECTORY != 0
    index = has & HAS_NAMES_INDEX != 0
    message = "MFT records are folders without an index of names, or have one without being folders: names may be missing"
    yield from _said(mft, Severity.ERROR, message, numbers[alone & (folder != index)])
    content = alone & ~folder & ~index & (flags & ntfsmft.IS_VIEW == 0) & (has & HAS_DATA == 0)
    yield from _said(
        mft, Severity.ERROR, "files have no $DATA attribute: their content is missing", numbers[content & (numbers >= ntfsmft.RESERVED)]
    )
    yield from _said(
        mft, Severity.WARNING, "files have no $STANDARD_INFORMATION: their times are missing", numbers[files & (has & HAS_STANDARD == 0)]
    )


def _record_bits(mft: Mft, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """Return which records the MFT's bitmap marks in use; those behind its end are not."""
    first = mft.record(0)
    bitmap = mft.whole(first, ntfsmft.BITMAP) if first is not None else None
    if bitmap is None:
        return None
    data = mft.content(bitmap, -(-count // 8)).ljust(-(-count // 8), b"\0")
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[:count].astype(bool)


def _said(mft: Mft, severity: Severity, message: str, records: Column | list[int], count: int | None = None) -> Iterator[Fault]:
    """Yield one fault for some records, with the first of them by number and name."""
    count = len(records) if count is None else count
    if not count:
        return
    places = [_place(mft, int(number)) for number in records[:KEPT]]
    more = f" and {count - len(places)} more" if count > len(places) else ""
    yield Fault(severity, f"{count} {message}", detail="records " + ", ".join(places) + more)


def _place(mft: Mft, number: int) -> str:
    names = _file_names(mft.record(number))
    return f"{number} ({show_name(names[0].text)[0]})" if names else str(number)


def _file_names(record: Record | None) -> list[ntfsmft.FileName]:
    """Return a record's names but the 8.3 ones."""
    if record is None:
        return []
    values = (ntfsmft.file_name(a.value) for a in record.attributes if a.type == ntfsmft.FILE_NAME and a.runs is None)
    return [name for name in values if name is not None and name.namespace != ntfsmft.DOS_NAME]


def _parts(mft: Mft, table: Table) -> Iterator[Fault]:
    """Hold attribute lists and extension records against each other."""
    state, has, base, sequence, told = (table.column(c) for c in ("state", "has", "base", "sequence", "base_sequence"))
    numbers = np.arange(table.count)
    parts = (state == USED) & (base != 0)
    inside = np.where(base < table.count, base, 0)
    sound = (
        (base < table.count) & (state[inside] == USED) & (base[inside] == 0) & (sequence[inside] == told) & (has[inside] & HAS_LIST != 0)
    )
    message = "MFT records continue a file that does not know of them: names, streams or content may be missing"
    yield from _said(mft, Severity.ERROR, message, numbers[parts & ~sound])
    columns = (table.column("part_record"), table.column("part_type"), table.column("part_id"))
    held = {(record, kind, identity) for record, kind, identity in zip(*(c.tolist() for c in columns), strict=True)}
    wanted: set[int] = set()
    lacking = []
    lists = numbers[(state == USED) & (base == 0) & (has & HAS_LIST != 0)]
    for number in lists[:MAX_LISTS].tolist():
        record = mft.record(number)
        rows = mft.parts(record) if record is not None else None
        if record is None or rows is None:
            lacking.append(number)
            continue
        own = {(a.type, a.id) for a in record.attributes}
        wanted.update(row.record for row in rows)
        for row in rows:
            there = (row.type, row.id) in own if row.record == number else (row.record, row.type, row.id) in held
            if not there or row.record >= table.count or sequence[row.record] != row.sequence:
                lacking.append(number)
                break
    message = "files lack a part that their attribute list names, or the list is damaged: names, streams or content may be missing"
    yield from _said(mft, Severity.ERROR, message, lacking)
    if len(lists) > MAX_LISTS:
        yield Fault(Severity.INFO, f"of {len(lists)} attribute lists, {MAX_LISTS} were held against the MFT")
    else:
        unknown = parts & sound & ~np.isin(numbers, np.fromiter(wanted, np.int64, len(wanted)))
        yield from _said(mft, Severity.ERROR, "MFT records continue a file whose attribute list does not name them", numbers[unknown])


# ---- names ------------------------------------------------------------------------------------------------------------------


def _names(mft: Mft, table: Table, listed: Listed) -> Iterator[Fault | Missed]:
    """Hold the names in the records against those listed out of the folders' indexes."""
    state, flags, has, base = (table.column(c) for c in ("state", "flags", "has", "base"))
    sequence, links = table.column("sequence"), table.column("links")
    columns = ("name_record", "name_parent", "name_sequence", "name_space", "name_digest", "name_used")
    record, parent, parent_sequence, space, digest, used = (table.column(c) for c in columns)
    inside = record < table.count
    seen = np.bincount(record[used & inside], minlength=table.count)
    files = (state == USED) & (base == 0)
    numbers = np.arange(table.count)
    yield from _said(mft, Severity.WARNING, "files have another number of names than they say", numbers[files & (seen != links)])
    here = np.where(parent < table.count, parent, 0)
    known = (parent < table.count) & (state[here] == USED) & (flags[here] & ntfsmft.IS_DIRECTORY != 0) & (sequence[here] == parent_sequence)
    message = "files in use lie in a folder that is none, or is another one by now"
    yield from _said(mft, Severity.WARNING, message, np.unique(record[used & inside & ~known]))
    later = (parent_sequence.astype(np.int64) - sequence[here]) & 0xFFFF
    never = ~used & ((parent >= table.count) | ((later > 0) & (later < 0x8000) & (parent_sequence != 0)))
    yield from _said(
        mft, Severity.WARNING, "deleted files name a folder that never was: their paths are not certain", np.unique(record[never])
    )

    plain = used & inside & (space != ntfsmft.DOS_NAME) & (record != ROOT)
    expected = record[plain] << 32 | digest[plain].astype(np.int64)
    addresses = np.array(listed.addresses, dtype=np.int64)
    found = addresses << 32 | np.array(listed.digests, dtype=np.int64)
    lacking = np.unique(expected[~np.isin(expected, found)] >> 32)
    without = numbers[files & (has & HAS_NAME == 0) & (has & HAS_LIST == 0) & (numbers >= ntfsmft.RESERVED)]
    torn = numbers[(state == USED) & (base != 0) & (has & HAS_STANDARD != 0)]
    lost = np.unique(np.concatenate((lacking, without, torn)))
    whole = np.isin(lost, addresses)
    renamed = lost[whole]
    unsure = np.unique(addresses[~np.isin(found, expected)])
    message = "files were listed under another name or in another folder than their MFT records say, or not under all of their names"
    yield from _said(mft, Severity.ERROR, message, np.union1d(renamed, unsure))
    for number in lost[~whole].tolist():
        names = _file_names(mft.record(number))
        if not names:
            yield Missed(number)
            continue
        name = names[0]
        sure = name.parent < table.count and sequence[name.parent] == name.sequence
        yield Missed(number, name.text, name.parent if sure else None)
