"""Targets of what programs write into pictures beside EXIF, and behind their end."""

from __future__ import annotations

import sys
from pathlib import Path

from targets import Target, reads

from triage.artifacts.filmnotes import read_film
from triage.artifacts.imagenotes import TYPES, credentials_say, read_notes, read_xmp
from triage.artifacts.pictureend import end_of
from triage.plugin import Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of
from test_plugin_appended import FORMATS, picture
from test_plugin_film_origin import PHONE, apple, film
from test_plugin_image_origin import CLAIM, PARAMETERS, app11, jpeg, png, webp, xmp


def _notes(data: bytes) -> None:
    for kind in TYPES:
        notes = read_notes(reads(data), kind)
        for packet in notes.xmp:
            read_xmp(packet)
    read_xmp(data)
    credentials_say(data)
    info = find_plugins().plugins["image_origin"]
    for result in run_plugin(info.load(), info.key(), item_of(data, "vol1/a")):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _ends(data: bytes) -> None:
    for kind in ("jpeg", "png", "gif", "webp"):
        end = end_of(reads(data), len(data), kind)
        assert end is None or 0 < end <= len(data)
    info = find_plugins().plugins["appended"]
    for result in run_plugin(info.load(), info.key(), item_of(data, "vol1/a")):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _films(data: bytes) -> None:
    read_film(reads(data), len(data))
    info = find_plugins().plugins["film_origin"]
    for result in run_plugin(info.load(), info.key(), item_of(data, "vol1/a")):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


TARGETS = [
    Target("film-notes", _films, lambda: [film(apple(PHONE)), film(apple(PHONE, full=True), brand=b"mp42")],
           ("triage.artifacts.filmnotes", "triage.plugins.film_origin"), tokens=(b"moov", b"udta", b"\xa9xyz", b"loci", b"\0\0\0\x01")),
    Target("picture-ends", _ends, lambda: [picture(form) + bytes(range(1, 200)) for form in FORMATS],
           ("triage.artifacts.pictureend", "triage.plugins.appended"), tokens=(b"\xff\xda\0\x04", b"\xff\xd9", b"IEND", b";", b"!\xf9")),
    Target("image-notes", _notes,
           lambda: [png((b"tEXt", b"parameters\0" + PARAMETERS.encode())), png((b"caBX", CLAIM)), xmp(),
                    jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()), *app11(CLAIM)), webp((b"XMP ", xmp()))],
           ("triage.artifacts.imagenotes", "triage.plugins.image_origin"), tokens=(b"claim_generator", b"tEXt", b"zTXt", b"\xff\xeb")),
]  # fmt: skip
