"""Targets of carved sounds and films: the walk of each format, and what it puts together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from carved_walks import ALLOWED, walks
from targets import Target

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))



def _samples(*names: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        from av_support import sample
        from picture_support import apart

        found = [sample(name) for name in names]
        return [*found, *(apart(data, len(data) // 1024 * 512, 1024, 600) for data in found)]

    return seeds


def _recordings() -> list[bytes]:
    from test_carving_amr import recording

    return [recording([7, 8, 15] * 30), recording([8, 9] * 30, wide=True)]


def _waves() -> list[bytes]:
    from test_carving_wav import TONE, chunk, wav

    return [TONE[:20_000], wav(TONE[44:6000], behind=chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0"))]


_NAMES = {
    "avi": (_samples("film.avi"), (b"LIST", b"movi", b"idx1", b"00dc", b"AVIX", b"RIFF", b"rec "), ()),
    "wav": (_waves, (b"RIFF", b"RF64", b"ds64", b"data", b"fmt "), ()),
    "asf": (_samples("film.wmv", "sound.wma"), (b"\x82\0\0",), ()),
    "flv": (_samples("film.flv"), (b"\x12", b"\x08\0\0", b"\x09\0\0"), ("triage.carving.places",)),
    "mpeg_ps": (_samples("film.mpg", "film.vob"), (b"\0\0\1\xba", b"\0\0\1\xbb", b"\0\0\1\xe0", b"\0\0\1\xb9"), ()),
    "mpeg_ts": (
        _samples("film.ts", "film.m2ts"),
        (b"\x47\x40\0\x10",),
        ("triage.carving.mpegpackets", "triage.carving.mpegtables", "triage.carving.mpegvideo"),
    ),
    "mp3": (
        _samples("tagged.mp3", "plain.mp3"),
        (b"ID3\4\0\0", b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"Xing", b"VBRI", b"APIC"),
        ("triage.carving.mpegaudio", "triage.carving.mpegtags"),
    ),
    "adts": (_samples("sound.aac"), (b"\xff\xf1", b"ID3"), ()),
    "amr": (_recordings, (b"#!AMR\n", b"\x7c"), ()),
    "ogg": (_samples("sound.ogg", "sound.opus", "film.ogv"), (b"OggS\0\0", b"OggS\0\2", b"OggS\0\4"), ("triage.carving.oggpages",)),
    "flac": (_samples("sound.flac"), (b"fLaC", b"\xff\xf8", b"\xff\xf9"), ("triage.carving.flacframes", "triage.carving.crc16")),
}
TARGETS = [
    Target(
        f"carve_{name}",
        walks(name),
        seeds,
        (f"triage.carving.formats.{name}", *modules),
        allowed=ALLOWED,
        tokens=tokens,
    )
    for name, (seeds, tokens, modules) in _NAMES.items()
]
