"""What phones note of pictures and films, also of some that are gone: iOS Photos, Android's MediaStore, Files by Google, Samsung."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.stores.tables import Store, Tables, Trace, Values
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANDROID_KINDS = {0: "file", 1: "picture", 2: "sound", 3: "film", 4: "playlist", 5: "subtitle", 6: "document"}
_IOS_KINDS = {0: "picture", 1: "film", 2: "sound"}


def _degrees(latitude: object, longitude: object) -> dict[str, float]:
    """Return a place; nothing for what is none: iOS has -180 and -180 for "nowhere", others 0 and 0."""
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return {}
    some = -90 <= latitude <= 90 and -180 <= longitude <= 180 and (latitude or longitude)
    return {"latitude": float(latitude), "longitude": float(longitude)} if some else {}


def _file(row: Values, when: int | None, path: str, **more: Any) -> Trace:
    states = [word for word, on in (("in the trash", more.get("trashed")), ("hidden", more.get("hidden"))) if on]
    title = f"a file of the gallery{', ' + ' and '.join(states) if states else ''}: {show(path[-200:])}"
    return row.trace("media-file", title, when, path=path, **more)


def _photos(tables: Tables) -> Iterator[Trace]:
    """IOS' Photos.sqlite; the table was ZGENERICASSET until iOS 13 and is ZASSET from 14 on."""
    extra = {row["zasset"]: row for row in tables.rows("zadditionalassetattributes")}
    for row in tables.rows("zasset" if tables.has("zasset", ("zfilename",)) else "zgenericasset"):
        more = extra.get(row["z_pk"])
        folder, name = row.text("zdirectory"), row.text("zfilename")
        yield _file(
            row,
            times.cocoa(row["zdatecreated"]),
            f"{folder}/{name}" if folder else name,
            name=name,
            original_name=more.text("zoriginalfilename") if more is not None else "",
            size=more.number("zoriginalfilesize") if more is not None else None,
            application=more.text("zcreatorbundleid", "zimportedbybundleidentifier") if more is not None else "",
            what=_IOS_KINDS.get(row.number("zkind") or 0, ""),
            added_time=times.cocoa(row["zaddeddate"]),
            changed_time=times.cocoa(row["zmodificationdate"]),
            trashed=bool(row.number("ztrashedstate")) or None,
            trashed_time=times.cocoa(row["ztrasheddate"]),
            hidden=bool(row.number("zhidden")) or None,
            favorite=bool(row.number("zfavorite")) or None,
            shown=more.number("zviewcount") or None if more is not None else None,
            **_degrees(row["zlatitude"], row["zlongitude"]),
        )


def _media_store(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("files"):
        path = row.text("_data", "_display_name", "title")
        yield _file(
            row,
            times.unix_ms(row.number("datetaken")) or times.unix(row.number("date_modified")),
            path,
            name=row.text("_display_name"),
            size=row.number("_size"),
            mime=row.text("mime_type"),
            what=_ANDROID_KINDS.get(row.number("media_type") or 0, ""),
            application=row.text("owner_package_name"),
            album=row.text("bucket_display_name"),
            added_time=times.unix(row.number("date_added")),
            trashed=bool(row.number("is_trashed")) or None,
            expires_time=times.unix(row.number("date_expires")),
            pending=bool(row.number("is_pending")) or None,
            favorite=bool(row.number("is_favorite")) or None,
            url=row.text("download_uri")[:8192],
            referrer=row.text("referer_uri")[:8192],
            **_degrees(row["latitude"], row["longitude"]),
        )


def _files_by_google(tables: Tables) -> Iterator[Trace]:
    facts = tables.by("files_metadata_table", "file_id")
    opened = tables.by("file_open_info_table", "file_id")
    for row in tables.rows("files_master_table"):
        more, use = facts.get(row["id"]), opened.get(row["id"])
        root, path = row.text("root_path"), row.text("root_relative_file_path", "file_name")
        yield _file(
            row,
            times.unix_ms(row.number("file_date_modified_ms")),
            f"{root}/{path}" if root else path,
            name=row.text("file_name"),
            size=row.number("size"),
            mime=row.text("mime_type"),
            what=_ANDROID_KINDS.get(row.number("media_type") or 0, ""),
            hidden=bool(row.number("is_hidden")) or None,
            camera=more.text("device_description") if more is not None else "",
            taken_time=times.unix_ms(more.number("taken_date_ms")) if more is not None else None,
            opened_time=times.unix_ms(use.number("file_open_time_stamp_ms")) if use is not None else None,
            **(_degrees(more["latitude"], more["longitude"]) if more is not None else {}),
        )


def _samsung_trash(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("trashes"):
        path = row.text("original_path", "_display_name", "title")
        yield row.trace(
            "recycled",
            f"in the trash: {show(path[-200:])}",
            times.unix_ms(row.number("date_deleted")),
            path=path,
            kept_as=row.text("_data"),
            name=row.text("_display_name", "title"),
            size=row.number("_size"),
            mime=row.text("mime_type"),
            application=row.text("delete_package_name"),
            expires_time=times.unix_ms(row.number("date_expires")),
        )


def _samsung_gallery_trash(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("trash"):
        path = row.text("__originpath", "__origintitle", "__title")
        yield row.trace(
            "recycled",
            f"in the gallery's trash: {show(path[-200:])}",
            times.unix_ms(row.number("__deletetime")),
            path=path,
            kept_as=row.text("__abspath"),
            name=row.text("__origintitle", "__title"),
        )


STORES = (
    Store("ios-photos", "Photos", {"zasset": ("z_pk", "zfilename", "zdirectory")}, _photos),
    Store("ios-photos-old", "Photos", {"zgenericasset": ("z_pk", "zfilename", "zdirectory")}, _photos),
    Store("media-store", "Android MediaStore", {"files": ("_data", "_size", "date_added", "media_type")}, _media_store),
    Store("files-by-google", "Files by Google", {"files_master_table": ("id", "root_relative_file_path")}, _files_by_google),
    Store("samsung-trash", "Samsung trash", {"trashes": ("original_path", "date_deleted")}, _samsung_trash),
    Store("samsung-gallery-trash", "Samsung gallery", {"trash": ("__originpath", "__deletetime")}, _samsung_gallery_trash),
)
