"""Files in clouds, as their programs note them: OneDrive, Google Drive for desktop and phones, MEGA, iCloud Drive."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.stores.tables import Store, Tables, Trace, Values
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 64
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_SHA1 = re.compile(r"[0-9a-fA-F]{40}")


def _cloud(row: Values, when: int | None, service: str, path: str, title: str = "", **more: Any) -> Trace:
    return row.trace("cloud-file", title or f"in {service}: {show(path[-200:])}", when, path=path, service=service, **more)


def _path(folders: dict[Any, tuple[Any, str]], parent: object, name: str) -> str:
    """Return a path by the names of the folders above; a loop or more than 64 of them end it."""
    parts = [name]
    seen: set[object] = set()
    while parent in folders and parent not in seen and len(seen) < _DEEPEST:
        seen.add(parent)
        parent, folder = folders[parent]
        if folder:
            parts.append(folder)
    return "/".join(reversed(parts))


def _onedrive_digest(value: object) -> dict[str, Any]:
    """Return a file's own digest: SHA-1 for personal accounts of before 2023, else OneDrive's quickXorHash, which no list has."""
    if isinstance(value, str):
        if _SHA1.fullmatch(value):
            return {"digests": [{"sha1": value.lower()}]}
        try:
            value = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return {}
    return {"quickxor": value.hex()} if isinstance(value, bytes) and len(value) == 20 else {}


def _onedrive(tables: Tables) -> Iterator[Trace]:
    folders = {row["resourceid"]: (row["parentresourceid"], row.text("foldername")) for row in tables.rows("od_clientfolder_records")}
    use = {row["resourceid"]: row for row in tables.rows("od_hydrationdata")}
    people = {row["resourceid"]: row for row in tables.rows("od_graphmetadata_records")}
    for row in tables.rows("od_clientfile_records"):
        opened, author = use.get(row["resourceid"]), people.get(row["resourceid"])
        yield _cloud(
            row,
            times.unix(row.number("lastchange")),
            "OneDrive",
            _path(folders, row["parentresourceid"], row.text("filename")),
            size=row.number("size"),
            shared=bool(row.number("shareditem")) or None,
            taken_time=times.unix(row.number("mediadatetaken")),
            created_time=times.unix(row.number("diskcreationtime")),
            accessed_time=times.unix(row.number("disklastaccesstime")),
            fetched_time=times.unix(opened.number("firsthydrationtime")) if opened is not None else None,
            last_fetched_time=times.unix(opened.number("lasthydrationtime")) if opened is not None else None,
            created_by=author.text("createdby") if author is not None else "",
            changed_by=author.text("modifiedby") if author is not None else "",
            **_onedrive_digest(row["localhashdigest"]),
        )


def _onedrive_deleted(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("items_moved_to_recycle_bin"):
        name = row.text("itemname")
        when = times.unix(row.number("notificationtime"))
        yield _cloud(row, when, "OneDrive", name, f"OneDrive moved to the recycle bin: {show(name[-200:])}", removed=True)
    for row in tables.rows("filter_delete_info"):
        path = row.text("path")
        title = f"deleted in OneDrive's folder: {show(path[-200:])}"
        when = times.unix(row.number("notificationtime"))
        yield _cloud(row, when, "OneDrive", path, title, removed=True, program=row.text("process"))


def _onedrive_phone(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("items"):
        name, extension = row.text("name"), row.text("extension")
        digest = row.text("filehash", "sha1hash")
        yield _cloud(
            row,
            times.unix_ms(row.number("itemdate")),
            "OneDrive",
            name + extension if extension.startswith(".") else f"{name}.{extension}" if extension else name,
            size=row.number("size"),
            person=row.text("ownername"),
            shared_by=row.text("sharedbydisplayname", "sharedbyemail"),
            created_time=times.unix_ms(row.number("creationdate")),
            opened_time=times.unix_ms(row.number("lastaccess")),
            **_onedrive_digest(digest),
        )


def _drive_desktop(tables: Tables) -> Iterator[Trace]:
    """metadata_sqlite_db of Google Drive for desktop, cello.db of the one for iOS: the same tables, other names for titles."""
    parents = {row["item_stable_id"]: row["parent_stable_id"] for row in tables.rows("stable_parents")}
    folders = {
        row["stable_id"]: (parents.get(row["stable_id"]), row.text("local_title", "title"))
        for row in tables.rows("items")
        if row.number("is_folder")
    }
    for row in tables.rows("items"):
        parent = parents.get(row["stable_id"])
        yield _cloud(
            row,
            times.unix_ms(row.number("modified_date")),
            "Google Drive",
            _path(folders, parent, row.text("local_title", "title")),
            id=row.text("id"),
            size=row.number("file_size") if row["file_size"] is not None else row.number("quota_bytes"),
            mime=row.text("mime_type"),
            folder=bool(row.number("is_folder")) or None,
            removed=bool(row.number("trashed")) or None,
            owner=bool(row.number("is_owner")) if row["is_owner"] is not None else None,
            opened_time=times.unix_ms(row.number("viewed_by_me_date")),
            shared_time=times.unix_ms(row.number("shared_with_me_date")),
            created_time=times.unix_ms(row.number("created_date")),
            trashed_time=times.unix_ms(row.number("trashed_date")),
        )


def _drive_mirror(tables: Tables) -> Iterator[Trace]:
    folders = {
        row["local_stable_id"]: (row["parent_local_stable_id"], row.text("local_filename", "cloud_filename"))
        for row in tables.rows("mirror_item")
    }
    for row in tables.rows("mirror_item"):
        digests = dict.fromkeys(c.lower() for c in (row.text("local_md5_checksum"), row.text("cloud_md5_checksum")) if _MD5.fullmatch(c))
        size = row.number("local_size")
        yield _cloud(
            row,
            times.unix_ms(row.number("local_mtime_ms")) or times.unix_ms(row.number("cloud_mtime_ms")),
            "Google Drive",
            _path(folders, row["parent_local_stable_id"], row.text("local_filename", "cloud_filename")),
            size=size if size is not None else row.number("cloud_size"),
            shared=bool(row.number("shared")) or None,
            digests=[{"md5": digest} for digest in digests],
        )


def _mega(tables: Tables) -> Iterator[Trace]:
    """MEGA's tree: names, kinds and times are plain columns in newer versions; old ones have them encrypted."""
    names = {row["nodehandle"]: (row["parenthandle"], row.text("name")) for row in tables.rows("nodes")}
    unnamed = 0
    for row in tables.rows("nodes"):
        name = row.text("name")
        if not name:
            unnamed += 1
            continue
        kind = row.number("type")
        yield _cloud(
            row,
            times.unix(row.number("mtime")) or times.unix(row.number("ctime")),
            "MEGA",
            _path(names, row["parenthandle"], name),
            size=row.number("size"),
            folder=kind == 1 or None,
            shared=bool(row.number("share")) or None,
            added_time=times.unix(row.number("ctime")),
        )
    first = next(tables.rows("nodes"), None)
    if first is not None and unnamed:
        why = "names are encrypted with the key of the session"
        yield first.trace(
            "locked-database", f"MEGA's list holds {unnamed:,} files and folders without a readable name", None, nodes=unnamed, why=why
        )


def _icloud(tables: Tables) -> Iterator[Trace]:
    """client.db and server.db of iCloud Drive: every file by the numbers of its parents."""
    for table in ("client_items", "server_items"):
        folders = {row["item_id"]: (row["item_parent_id"], row.text("item_filename", "version_name")) for row in tables.rows(table)}
        for row in tables.rows(table):
            yield _cloud(
                row,
                times.unix(row.number("version_mtime")),
                "iCloud Drive",
                _path(folders, row["item_parent_id"], row.text("item_filename", "version_name")),
                size=row.number("version_size"),
                created_time=times.unix(row.number("item_birthtime")),
                opened_time=times.unix(row.number("item_lastusedtime")),
            )


STORES = (
    Store("onedrive", "OneDrive", {"od_clientfile_records": ("resourceid", "parentresourceid", "filename")}, _onedrive),
    Store("onedrive-deleted", "OneDrive", {"items_moved_to_recycle_bin": ("itemname", "notificationtime")}, _onedrive_deleted),
    Store("onedrive-phone", "OneDrive", {"items": ("itemdate", "name", "extension", "ownername")}, _onedrive_phone),
    Store("google-drive-desktop", "Google Drive", {"items": ("stable_id", "trashed", "is_folder", "modified_date")}, _drive_desktop),
    Store("google-drive-mirror", "Google Drive", {"mirror_item": ("local_stable_id", "local_filename", "cloud_filename")}, _drive_mirror),
    Store("mega", "MEGA", {"nodes": ("nodehandle", "parenthandle", "node")}, _mega),
    Store("icloud-drive", "iCloud Drive", {"client_items": ("item_id", "item_parent_id", "item_filename")}, _icloud),
    Store("icloud-drive-server", "iCloud Drive", {"server_items": ("item_id", "item_parent_id", "item_filename")}, _icloud),
)
