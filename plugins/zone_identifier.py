"""Where a downloaded file came from: the Zone.Identifier stream that Windows programs attach to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from triage.plugin import Accepts, Finding, Item, Json, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = 16 << 10
_MAX_VALUE = 2048
_MAX_LINES = 200
_ZONES = {0: "this computer", 1: "local intranet", 2: "trusted sites", 3: "internet", 4: "restricted sites"}
_FIELDS = {
    "referrerurl": "referrer_url",
    "hosturl": "host_url",
    "hostipaddress": "host_ip_address",
    "lastwriterpackagefamilyname": "last_writer",
    "appzoneid": "app_zone_id",
}
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


class ZoneIdentifier:
    """Findings ``download-origin``, in the stream's entry. Copies on other file systems count as well."""

    name = "zone_identifier"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("*:Zone.Identifier", "*:Zone.Identifier:$DATA"), kinds=(Kind.STREAM, Kind.FILE))

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield one finding if the stream says anything."""
        raw = item.read(_LIMIT)
        data = _parse(raw)
        if not data:
            return
        data["file"] = item.entry.name.removesuffix(":$DATA").rpartition(":")[0][:255]
        host = _host(str(data.get("host_url", ""))) or _host(str(data.get("referrer_url", "")))
        zone = _ZONES.get(data["zone_id"], "unknown zone") if "zone_id" in data else "no zone"
        title = f"downloaded from {host} ({zone})" if host else f"came from: {zone}"
        yield item.finding("download-origin", title, data, [(0, len(raw))])
        if item.size > _LIMIT:
            yield item.problem(f"a Zone.Identifier of {item.size} bytes: only the first {_LIMIT} were read")


def _parse(raw: bytes) -> Json:
    """Return the fields of ``[ZoneTransfer]``. Values are hostile text, cut at 2048 characters."""
    text = raw.decode("utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig", "replace")
    data: Json = {}
    inside = False
    for line in (one.strip().strip("\0") for one in text.splitlines()[:_MAX_LINES]):
        if line.startswith("["):
            inside = line.lower() == "[zonetransfer]"
            continue
        key, equals, value = line.partition("=")
        key, value = key.strip().lower(), value.strip()[:_MAX_VALUE]
        if not inside or not equals or not value:
            continue
        if key == "zoneid":
            if re.fullmatch(r"[0-9]{1,9}", value):
                data.setdefault("zone_id", int(value))
        elif key in _FIELDS:
            data.setdefault(_FIELDS[key], value)
    return data


def _host(url: str) -> str:
    """Return the host of a web address when it looks like one; "" otherwise."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host if _HOST.fullmatch(host) else ""


PLUGIN = ZoneIdentifier
