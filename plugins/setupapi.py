"""When devices were first connected to a Windows computer, by the logs of their installation: USB media with serial numbers, phones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts.browsing import show
from triage.artifacts.setuplog import Setup, read_setups
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 128 << 20
_KINDS = (
    (re.compile(r"USBSTOR\\", re.IGNORECASE), "a USB storage device"),
    (re.compile(r"(?:SWD\\WPDBUSENUM|WPDBUSENUMROOT)\\", re.IGNORECASE), "a portable device or volume"),
    (re.compile(r"BTHENUM\\DEV_", re.IGNORECASE), "a Bluetooth device"),
    (re.compile(r"SD\\", re.IGNORECASE), "a memory card"),
    (re.compile(r"USB\\VID_", re.IGNORECASE), "a USB device"),
    (re.compile(r"SCSI\\(?:DISK|CDROM)", re.IGNORECASE), "a disk"),
)
"""Devices that are told of, by how the path of their instance begins."""
_INSIDE = re.compile(r"(?:USBSTOR|SD|SCSI)#[^\\]{1,300}", re.IGNORECASE)
_MADE_BY = re.compile(r"VEN_([^&#\\]*)(?:&PROD_([^&#\\]*))?", re.IGNORECASE)


class SetupApi:
    """A finding ``device`` for each device: when it was set up first and last, how often, and when Windows forgot it."""

    name = "setupapi"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("setupapi*.log",), max_size=_LARGEST)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield each device in the order in which it came."""
        devices: dict[str, list[Setup]] = {}
        for one in read_setups(item.read_at(0, item.size)):
            if _kind(one.instance):
                devices.setdefault(one.instance.upper(), []).append(one)
        for setups in devices.values():
            title, data = _said(setups)
            yield item.finding("device", title, {name: value for name, value in data.items() if value not in ("", None, [])})


def _kind(instance: str) -> str:
    return next((kind for pattern, kind in _KINDS if pattern.match(instance)), "")


def _said(setups: list[Setup]) -> tuple[str, dict[str, Any]]:
    came = [one for one in setups if not one.deleted]
    gone = [one.time for one in setups if one.deleted]
    first = came[0] if came else setups[0]
    kind, device, serial = _kind(first.instance), *_parts(first.instance)
    name = _name(device)
    what = f"{kind}{f' ({show(name[:100])})' if name else ''}"
    if not came:
        title = f"{what} was taken off the list of devices"
    elif came[0].during_setup:
        title = f"{what} was there when Windows was set up"
    else:
        title = f"{what} was connected for the first time that this log knows"
    return (
        title,
        {
            "time": first.time,
            "time_basis": "local",
            "name": name,
            "device": device,
            "serial": "" if serial[1:2] == "&" else serial.removesuffix("&0"),  # one whose second character is & was made up by Windows
            "instance": first.instance,
            "last_connected": came[-1].time if len(came) > 1 else "",
            "set_up": len(came) if len(came) > 1 else None,
            "forgotten": gone[:100],
            "failed": first.failed,
        },
    )


def _parts(instance: str) -> tuple[str, str]:
    """Return what a device is and the number of the one; of a volume, those of the medium that it is on."""
    inner = _INSIDE.search(instance)
    if inner:
        parts = inner[0].split("#")
        return (parts[1], parts[2]) if len(parts) > 2 else (inner[0], "")
    _, _, rest = instance.partition("\\")
    device, _, serial = rest.rpartition("\\")
    return (device, serial) if device else (rest, "")


def _name(device: str) -> str:
    made = _MADE_BY.search(device)
    return " ".join(part.replace("_", " ").strip() for part in made.groups() if part and part.strip("_ ")) if made else ""


PLUGIN = SetupApi
