"""Camera, serial number, time and place of pictures, from EXIF."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from triage.artifacts.exif import TYPES, Exif, read_exif
from triage.plugin import Accepts, Finding, Item, Json, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACE = frozenset({"latitude", "longitude", "altitude", "gps_time"})
_CAMERA = tuple(f.name for f in fields(Exif) if f.name not in _PLACE)
_SAYS_SOMETHING = (
    "make",
    "model",
    "software",
    "taken",
    "serial",
    "owner",
    "lens_model",
    "lens_serial",
    "image_id",
)
# A program alone is no camera: a picture that names one was made or edited with it.
_NAMES_A_CAMERA = ("make", "model", "serial", "lens_model", "lens_serial", "image_id")
_TIME = re.compile(r"(\d{4}):([01]\d):([0-3]\d)[ T]([0-2]\d:[0-5]\d:[0-6]\d)")


class ExifPlugin:
    """Findings ``camera`` (which one, when), ``edited`` (by which program, when no camera is named) and ``location`` (degrees, WGS 84)."""

    name = "exif"
    version = "2"
    tried_on = "real samples"
    accepts = Accepts(types=TYPES, min_size=32)

    @dataclass(frozen=True)
    class Options:
        """``location``: whether places are reported."""

        location: bool = True

    def __init__(self, options: Options) -> None:
        self._options = options

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield at most one finding of each kind."""
        exif = read_exif(item.read_at, item.size, item.type.name if item.type else "")
        if exif is None:
            return
        if any(getattr(exif, name) for name in _SAYS_SOMETHING):
            named = any(getattr(exif, name) for name in _NAMES_A_CAMERA)
            yield item.finding("camera" if named else "edited", _title(exif, named), _camera(exif))
        if self._options.location and exif.latitude is not None and exif.longitude is not None:
            place: Json = {"latitude": exif.latitude, "longitude": exif.longitude}
            if exif.altitude is not None:
                place["altitude"] = exif.altitude
            if exif.gps_time:
                place["gps_time"] = exif.gps_time
            yield item.finding("location", f"taken at {exif.latitude:.5f}, {exif.longitude:.5f}", place)


def _camera(exif: Exif) -> Json:
    data = {name: value for name in _CAMERA if (value := getattr(exif, name)) not in ("", None)}
    if time := _TIME.fullmatch(exif.taken[:19]):
        data["taken"] = "{}-{}-{}T{}".format(*time.groups())
    return data


def _title(exif: Exif, named: bool) -> str:
    make, model = exif.make, exif.model
    camera = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    program = f"made or edited with {exif.software}" if exif.software else "no camera named"
    parts = [camera or ("camera unknown" if named else program)]
    if exif.serial:
        parts.append(f"serial {exif.serial}")
    if exif.taken:
        parts.append(_camera(exif)["taken"])
    return ", ".join(parts)


PLUGIN = ExifPlugin
