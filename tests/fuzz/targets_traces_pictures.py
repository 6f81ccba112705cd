"""Targets of what programs write into pictures beside EXIF."""

from __future__ import annotations

import sys
from pathlib import Path

from targets import Target, reads

from triage.artifacts.imagenotes import TYPES, credentials_say, read_notes, read_xmp
from triage.plugin import Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of
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


TARGETS = [
    Target("image-notes", _notes,
           lambda: [png((b"tEXt", b"parameters\0" + PARAMETERS.encode())), png((b"caBX", CLAIM)), xmp(),
                    jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()), *app11(CLAIM)), webp((b"XMP ", xmp()))],
           ("triage.artifacts.imagenotes", "triage.plugins.image_origin"), tokens=(b"claim_generator", b"tEXt", b"zTXt", b"\xff\xeb")),
]  # fmt: skip
