"""What systems and cloud programs note: macOS' quarantine of downloads, Dropbox, Google Drive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts import times, web
from triage.artifacts.stores.tables import Store, Tables, Trace
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

_MD5 = re.compile(r"[0-9a-fA-F]{32}")


def _quarantine(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("lsquarantineevent"):
        url = web.shown_url(row.text("lsquarantinedataurlstring"))
        by = row.text("lsquarantineagentname", "lsquarantineagentbundleidentifier")
        yield row.trace(
            "download",
            f"downloaded with {show(by)}: {show(url[:200])}" if url else f"downloaded with {show(by)}",
            times.cocoa(row["lsquarantinetimestamp"]),
            url=url,
            referrer=web.shown_url(row.text("lsquarantineoriginurlstring")),
            application=by,
            person=row.text("lsquarantinesendername", "lsquarantinesenderaddress"),
        )


def _dropbox(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("sync_history"):
        path, what, way = row.text("local_path"), row.text("file_event_type"), row.text("direction")
        yield row.trace(
            "cloud-file",
            f"Dropbox {show(way)}, {show(what)}: {show(path[-200:])}",
            times.unix(row.number("timestamp")),
            path=path,
            event=what,
            direction=way,
            service="Dropbox",
            other_user=bool(row.number("other_user")) or None,
        )


def _drive(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("cloud_entry" if tables.has("cloud_entry") else "cloud_graph_entry"):
        name, checksum = row.text("filename"), row.text("checksum")
        yield row.trace(
            "cloud-file",
            f"in Google Drive: {show(name[:200])}",
            times.unix(row.number("modified")),
            path=name,
            size=row.number("size"),
            service="Google Drive",
            shared=bool(row.number("shared")) or None,
            removed=bool(row.number("removed")) or None,
            url=web.shown_url(row.text("url")),
            digests=[{"md5": checksum.lower()}] if _MD5.fullmatch(checksum) else [],
        )
    for row in tables.rows("local_entry"):
        name, checksum = row.text("filename"), row.text("checksum")
        yield row.trace(
            "cloud-file",
            f"a local file of Google Drive: {show(name[:200])}",
            times.unix(row.number("modified")),
            path=name,
            size=row.number("size"),
            service="Google Drive",
            digests=[{"md5": checksum.lower()}] if _MD5.fullmatch(checksum) else [],
        )


STORES = (
    Store("macos-quarantine", "", {"lsquarantineevent": ("lsquarantinetimestamp", "lsquarantinedataurlstring")}, _quarantine),
    Store("dropbox-history", "Dropbox", {"sync_history": ("local_path", "file_event_type", "timestamp")}, _dropbox),
    Store("google-drive", "Google Drive", {"cloud_entry": ("filename", "checksum")}, _drive),
    Store("google-drive-graph", "Google Drive", {"cloud_graph_entry": ("filename", "checksum")}, _drive),
)
