"""MP4, QuickTime, 3GP, HEIC, AVIF, CR3: their ends, their samples, what is cut, overwritten or in pieces."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from film_support import JPEG, NOISE, behind, box, boxes, checked_walk, full, joined, moved, sample
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from triage.carving.bmff import movie_of
from triage.carving.forms import Structure
from triage.carving.plainness import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from triage.carving.forms import Walked

    Walk = Callable[..., Walked | None]

FILMS = {
    "film_index_first.mp4": ("mp4", "H.264", 1200),
    "film_index_last.mp4": ("mp4", "H.264", 1200),
    "film_fragments.mp4": ("mp4", "H.264", 1200),
    "film_segments.mp4": ("mp4", "H.264", 1200),
    "film_hevc.mp4": ("mp4", "HEVC", 1200),
    "film_visual.mp4": ("mp4", "MPEG-4 Visual", 1200),
    "film_pictures.mov": ("mov", "JPEG", 600),
    "film_phone.3gp": ("3gp", "H.263", 600),
    "sound.m4a": ("m4a", "AAC", 1200),
}
REAL = (
    "artifacts/iped/test_videoMp4.mp4",
    "pictures/exif-samples/heic/IMG_5195.HEIC",
    "pictures/exif-samples/heic/mobile/HMD_Nokia_8.3_5G_hdr.heif",
    "pictures/exif-samples/heic/samplefilehub.heif",
    "types/magika/mitra/mp4/mp4.mp4",
    "types/magika/mitra_candidates/qt.mov",
)


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_ends_where_it_does(evidence_root: Path, walk: Walk, name: str) -> None:
    data = (evidence_root / name).read_bytes()
    for around in behind(data):
        found = walk("isobmff", around)
        assert found is not None
        assert (found.length, found.structure) == (len(data), Structure.COMPLETE)
    assert found is not None
    assert found.facts["width"]


def test_an_iphone_picture_is_proven_and_measured(evidence_root: Path, walk: Walk) -> None:
    data = (evidence_root / "pictures/exif-samples/heic/IMG_5195.HEIC").read_bytes()
    found = walk("isobmff", data + NOISE)
    assert found is not None
    assert (found.extension, found.checked) == ("heic", True)
    assert (found.facts["width"], found.facts["height"], found.facts["items_present"]) == (2566, 3313, found.facts["items"])


def test_a_real_picture_cut_short_tells_how_many_tiles_are_left(evidence_root: Path, walk: Walk) -> None:
    data = (evidence_root / "pictures/exif-samples/heic/IMG_5195.HEIC").read_bytes()
    found = walk("isobmff", data[:400_000] + NOISE)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert 0 < int(found.facts["items_present"]) < int(found.facts["items"])


def test_a_real_picture_in_two_pieces_around_another_is_put_together(evidence_root: Path) -> None:
    data = (evidence_root / "pictures/exif-samples/heic/IMG_5195.HEIC").read_bytes()
    gap = JPEG + NOISE[: 40 * 4096 - len(JPEG)]
    found, content = joined("isobmff", data[:409_600] + gap + data[409_600:] + NOISE, block=4096)
    assert found is not None
    assert found.structure is Structure.FRAGMENTED
    assert content == data


@pytest.mark.parametrize("name", FILMS)
def test_a_film_is_whole_whatever_follows_it(walk: Walk, name: str) -> None:
    data = sample(name)
    extension, codec, duration = FILMS[name]
    for around in behind(data):
        found = walk("isobmff", around)
        assert found is not None
        assert (found.length, found.structure, found.checked) == (len(data), Structure.COMPLETE, True)
        assert (found.extension, found.facts["codec"], found.facts["duration_ms"]) == (extension, codec, duration)
        assert found.facts["samples"] == found.facts["samples_present"]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
@pytest.mark.parametrize("frames", [1, 3])
def test_an_avif_picture_is_whole_and_measured(walk: Walk, frames: int) -> None:
    out = io.BytesIO()
    pictures = [Image.frombytes("RGB", (64, 48), NOISE[n : n + 64 * 48 * 3]) for n in range(frames)]
    pictures[0].save(out, "AVIF", save_all=frames > 1, append_images=pictures[1:])
    data = out.getvalue()
    for around in behind(data):
        found = walk("isobmff", around)
        assert found is not None
        assert (found.length, found.structure, found.checked, found.extension) == (len(data), Structure.COMPLETE, True, "avif")
    assert found is not None
    assert (found.facts["width"], found.facts["height"]) == (64, 48)
    cut = walk("isobmff", data[: len(data) - 200])
    assert cut is None or cut.structure is Structure.TRUNCATED


# -- the ways in which boxes may lie ---------------------------------------------------------------------------------------------------


def quicktime(*order: bytes) -> bytes:
    """The film of pictures with its boxes in another order and without the rest."""
    found = boxes(sample("film_pictures.mov"))
    before = sum(len(found[kind]) for kind in order[: order.index(b"mdat")])
    was = sample("film_pictures.mov").find(b"mdat") - 4
    return b"".join(moved(found[kind], before - was) if kind == b"moov" else found[kind] for kind in order)


@pytest.mark.parametrize("order", [(b"wide", b"mdat", b"moov"), (b"mdat", b"moov"), (b"moov", b"mdat"), (b"moov", b"wide", b"mdat")])
def test_old_quicktime_without_a_file_type_is_whole(walk: Walk, order: tuple[bytes, ...]) -> None:
    data = quicktime(*order)
    for around in behind(data):
        found = walk("isobmff", around)
        assert found is not None
        assert (found.length, found.structure, found.extension) == (len(data), Structure.COMPLETE, "mov")


def test_a_quicktime_film_in_the_next_sector_is_not_swallowed(walk: Walk) -> None:
    first, second = quicktime(b"mdat", b"moov"), quicktime(b"mdat", b"moov")
    first += box(b"free", bytes(-len(first) % 512 - 8))
    found = walk("isobmff", first + second)
    assert found is not None
    assert found.length == len(first)


def test_a_movie_box_that_is_compressed_is_read(walk: Walk) -> None:
    found = boxes(sample("film_pictures.mov"))
    moov = moved(found[b"moov"], -20)
    packed = box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", struct.pack(">I", len(moov)), zlib.compress(moov))))
    data = found[b"wide"] + found[b"mdat"] + packed
    walked = walk("isobmff", data + NOISE[:999])
    assert walked is not None
    assert (walked.length, walked.structure, walked.facts["samples"]) == (len(data), Structure.COMPLETE, 6)


def test_a_length_of_64_bits_is_followed(walk: Walk) -> None:
    found = boxes(sample("film_pictures.mov"))
    long = struct.pack(">I4sQ", 1, b"mdat", len(found[b"mdat"]) + 8) + found[b"mdat"][8:]
    data = found[b"ftyp"] + long + found[b"moov"]  # as long as with the empty box before it
    walked = walk("isobmff", data + NOISE[:999])
    assert walked is not None
    assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE)


def test_media_that_go_to_the_end_of_the_file_end_with_their_last_sample(walk: Walk) -> None:
    data = sample("film_index_first.mp4")
    at = data.find(b"mdat") - 4
    walked = walk("isobmff", data[:at] + bytes(4) + data[at + 4 :] + NOISE)
    assert walked is not None
    assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE)


def test_free_space_and_a_makers_box_before_a_known_one_belong_to_it(walk: Walk) -> None:
    data = sample("film_index_last.mp4") + box(b"Abcd", b"x" * 30) + box(b"free", bytes(20))
    for around in behind(data):
        walked = walk("isobmff", around)
        assert walked is not None
        assert walked.length == len(data)


def test_sound_of_three_generations_is_told_by_its_brand(walk: Walk) -> None:
    data = sample("film_phone.3gp")
    for brand, extension in ((b"3g2a", "3g2"), (b"3gp6", "3gp"), (b"M4V ", "m4v"), (b"f4v ", "f4v"), (b"qt  ", "mov"), (b"isom", "mp4")):
        found = walk("isobmff", data[:8] + brand + data[12:])
        assert found is not None
        assert found.extension == extension


# -- tables ----------------------------------------------------------------------------------------------------------------------------


def movie(table: bytes, *, handler: bytes = b"vide", entry: bytes = b"") -> bytes:
    """A movie box's content with one track."""
    clock = full(b"mdhd", struct.pack(">4I2H", 0, 0, 1000, 5000, 0, 0))
    kind = full(b"hdlr", bytes(4) + handler + bytes(13))
    entries = full(b"stsd", struct.pack(">I", 1), entry or box(b"raw ", bytes(78)))
    media = box(b"mdia", clock, kind, box(b"minf", box(b"stbl", entries, table)))
    return full(b"mvhd", struct.pack(">4I", 0, 0, 1000, 5000), bytes(80)) + box(b"trak", full(b"tkhd", bytes(80)), media)


CHUNKS = full(b"stco", struct.pack(">3I", 2, 100, 1000)) + full(b"stsc", struct.pack(">7I", 2, 1, 2, 1, 2, 3, 1))
TIMES = full(b"stts", struct.pack(">5I", 2, 2, 10, 3, 20))


@pytest.mark.parametrize(
    "sizes",
    [
        full(b"stsz", struct.pack(">7I", 0, 5, 1, 2, 3, 4, 5)),
        full(b"stz2", struct.pack(">2I", 4, 5), b"\x12\x34\x50"),
        full(b"stz2", struct.pack(">2I", 8, 5), b"\1\2\3\4\5"),
        full(b"stz2", struct.pack(">2I", 16, 5), struct.pack(">5H", 1, 2, 3, 4, 5)),
    ],
    ids=["stsz", "stz2-4", "stz2-8", "stz2-16"],
)
def test_sizes_of_samples_of_every_width_lead_to_their_places(sizes: bytes) -> None:
    found = movie_of(movie(sizes + CHUNKS + TIMES))
    assert found is not None
    (track,) = found.tracks
    assert track.sizes.tolist() == [1, 2, 3, 4, 5]
    assert track.offsets.tolist() == [100, 101, 1000, 1003, 1007]
    assert track.times.tolist() == [0, 10, 20, 40, 60]


def test_offsets_of_64_bits_are_read() -> None:
    far = full(b"co64", struct.pack(">IQQ", 2, 100, 1 << 40)) + full(b"stsc", struct.pack(">7I", 2, 1, 2, 1, 2, 3, 1))
    found = movie_of(movie(full(b"stsz", struct.pack(">7I", 0, 5, 1, 2, 3, 4, 5)) + far))
    assert found is not None
    assert found.tracks[0].offsets.tolist()[2] == 1 << 40


def test_plain_sound_is_counted_in_chunks_and_as_many_bytes_as_its_frames_have() -> None:
    entry = box(b"twos", struct.pack(">6xH8x2H2xHI", 1, 2, 16, 0, 44100 << 16) + bytes(2))
    found = movie_of(movie(full(b"stsz", struct.pack(">2I", 1, 5)) + CHUNKS + TIMES, handler=b"soun", entry=entry))
    assert found is not None
    (track,) = found.tracks
    assert (track.offsets.tolist(), track.sizes.tolist(), track.samples) == ([100, 1000], [8, 12], 5)


# -- cut, overwritten, apart -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", [b"", bytes(8192), NOISE[:8192]], ids=["nothing", "zeros", "noise"])
def test_a_film_that_was_cut_tells_how_much_of_it_plays(walk: Walk, rest: bytes) -> None:
    data = sample("film_index_first.mp4")
    found = walk("isobmff", data[:4608] + rest)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert 0 < int(found.facts["plays_ms"]) < 1200
    assert 0 < int(found.facts["samples_present"]) < 12


@pytest.mark.parametrize("rest", [b"", bytes(8192), NOISE[:8192]], ids=["nothing", "zeros", "noise"])
@pytest.mark.parametrize("name", ["film_index_last.mp4", "film_hevc.mp4", "film_visual.mp4"])
def test_a_film_whose_index_is_gone_is_named_so(walk: Walk, name: str, rest: bytes) -> None:
    data = sample(name)
    at = data.find(b"moov") - 100
    found = walk("isobmff", data[:at] + rest)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert "its index (moov) is missing" in found.why
    assert found.facts["codec"] == FILMS[name][1]
    assert found.length <= at + 4096


def test_fragments_that_end_before_the_index_of_segments_says_are_cut(walk: Walk) -> None:
    data = sample("film_segments.mp4")
    found = walk("isobmff", data[: data.rfind(b"moof") - 4])
    assert found is not None
    assert found.structure is Structure.TRUNCATED


def test_fragments_cut_in_one_tell_how_much_plays(walk: Walk) -> None:
    data = sample("film_fragments.mp4")
    for rest in (b"", bytes(4096), NOISE[:4096]):
        found = walk("isobmff", data[: data.rfind(b"mdat") + 300] + rest)
        assert found is not None
        assert found.structure is Structure.TRUNCATED
        assert 0 < int(found.facts["samples_present"]) < 12


@pytest.mark.parametrize("name", ["film_index_first.mp4", "film_index_last.mp4", "film_hevc.mp4", "film_pictures.mov", "film_visual.mp4"])
@pytest.mark.parametrize("what", [bytes(512), NOISE[:512]], ids=["zeros", "noise"])
def test_a_middle_that_was_overwritten_is_noticed(walk: Walk, name: str, what: bytes) -> None:
    data = sample(name)
    middle = data.find(b"mdat") + 200
    found = walk("isobmff", data[:middle] + what + data[middle + 512 :] + NOISE)
    assert found is not None
    assert found.structure is Structure.DAMAGED
    assert found.length == len(data)
    assert found.facts["samples_wrong"]


CUTS = [
    *(("film_index_first.mp4", cut) for cut in (2048, 2560, 3072, 3584, 4096, 4608, 5120)),
    *(("film_index_last.mp4", cut) for cut in (512, 1024, 1536, 2048, 2560, 3072, 3584)),
    *(("film_pictures.mov", cut) for cut in (512, 1024, 1536, 2048, 2560, 3072, 3584, 4096)),
    *(("film_fragments.mp4", cut) for cut in (2048, 2560, 4608)),
    *(("film_segments.mp4", cut) for cut in (2048, 2560, 3072, 4096, 4608, 5120, 5632)),
    *(("film_hevc.mp4", cut) for cut in (512, 1024)),
    *(("film_phone.3gp", cut) for cut in (512, 1024, 1536, 2048)),
    ("film_visual.mp4", 512),
    *(("sound.m4a", cut) for cut in (512, 1024)),
]


@pytest.mark.parametrize(("name", "cut"), CUTS)
def test_a_film_in_two_pieces_around_a_picture_is_put_together(name: str, cut: int) -> None:
    data, gap = sample(name), JPEG + NOISE[: 4096 - len(JPEG)]
    found, content = joined("isobmff", data[:cut] + gap + data[cut:] + NOISE[:5000])
    assert found is not None
    assert (found.structure, found.pieces) == (Structure.FRAGMENTED, ((0, cut), (cut + 4096, len(data) - cut)))
    assert content == data


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        *(("film_index_first.mp4", cut) for cut in (512, 1536)),
        *(("film_index_last.mp4", cut) for cut in (4608, 5120)),
        *(("film_pictures.mov", cut) for cut in (4608, 5120)),
        *(("film_hevc.mp4", cut) for cut in (1536, 2048, 2560)),
        *(("sound.m4a", cut) for cut in (1536, 2048)),
    ],
)
def test_a_film_whose_index_is_in_two_pieces_is_put_together(name: str, cut: int) -> None:
    data, gap = sample(name), JPEG + NOISE[: 4096 - len(JPEG)]
    found, content = joined("isobmff", data[:cut] + gap + data[cut:] + NOISE[:5000])
    assert found is not None
    assert (found.structure, content == data) == (Structure.FRAGMENTED, True)


def test_a_gap_is_proven_only_where_one_place_fits() -> None:
    data = sample("film_index_last.mp4")
    found, content = joined("isobmff", data[:2048] + NOISE[:4096] + data[2048:] + NOISE[:5000])
    assert found is not None
    assert (found.checked, content) == (True, data)


def test_a_gap_of_text_is_proven_at_the_border_where_it_begins() -> None:
    data, text = sample("film_index_first.mp4"), (b"what lies in between is a letter to somebody. " * 100)[:4096]
    for cut in (2048, 2560, 3584, 4608):
        found, content = joined("isobmff", data[:cut] + text + data[cut:] + NOISE[:5000])
        assert found is not None
        assert (content == data, found.checked) == (True, True)


def test_another_film_in_the_gap_is_left_for_the_carver_to_find(walk: Walk) -> None:
    other = sample("film_plain.mkv")
    for name, cut in (("film_index_last.mp4", 2560), ("film_index_first.mp4", 3072)):
        data = sample(name)
        found = walk("isobmff", data[:cut] + other + bytes(-len(other) % 512) + data[cut:] + NOISE)
        assert found is not None
        assert found.structure is Structure.TRUNCATED
        assert (found.length if found.valid is None else found.valid) <= cut


def test_text_and_zeros_are_plain_and_coded_pictures_are_not() -> None:
    text = (b"what lies in between is a letter to somebody. " * 100)[:1024]
    assert plain(NOISE[:512] + text)
    assert plain(NOISE[:1024] + bytes(512))
    assert not plain(NOISE)
    assert not plain(b"\x24" * 4096)  # a picture of one colour
    assert not plain(text[:500])


def test_a_film_in_three_pieces_is_put_together() -> None:
    data = sample("film_segments.mp4")
    apart = data[:2048] + JPEG + NOISE[: 2048 - len(JPEG)] + data[2048:4608] + JPEG + NOISE[: 3072 - len(JPEG)] + data[4608:]
    found, content = joined("isobmff", apart + NOISE[:999])
    assert found is not None
    assert (content == data, len(found.pieces), found.checked) == (True, 3, True)


def test_fragments_that_end_without_an_index_are_not_proven(walk: Walk) -> None:
    data = sample("film_fragments.mp4")
    found = walk("isobmff", data[: data.find(b"mfra") - 4] + NOISE)
    assert found is not None
    assert (found.length, found.structure, found.checked) == (data.find(b"mfra") - 4, Structure.COMPLETE, False)


def test_what_follows_another_film_is_not_put_to_a_cut_one() -> None:
    data, other = sample("film_index_last.mp4"), sample("film_hevc.mp4")
    found, _ = joined("isobmff", data[:2048] + other + bytes(-len(other) % 512) + NOISE)
    assert found is None


# -- files inside files ----------------------------------------------------------------------------------------------------------------


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (24, 16), NOISE[:1152]).save(out, "JPEG")
    return out.getvalue()


def test_cover_art_is_a_part(walk: Walk) -> None:
    found, cover = boxes(sample("sound.m4a")), jpeg()
    art = box(b"udta", full(b"meta", box(b"ilst", box(b"covr", box(b"data", struct.pack(">II", 13, 0), cover)))))
    moov = found[b"moov"] + art
    data = b"".join(found[kind] for kind in found if kind != b"moov") + struct.pack(">I", len(moov)) + moov[4:]
    walked = walk("isobmff", data + NOISE)
    assert walked is not None
    (part,) = walked.parts
    assert (walked.length, data[part.offset : part.offset + part.length], part.extension) == (len(data), cover, "jpg")


def test_a_jpeg_item_of_a_picture_file_is_a_part(walk: Walk) -> None:
    picture = jpeg()
    kinds = full(b"infe", struct.pack(">HH4s", 1, 0, b"jpeg"), b"\0", version=2)
    size = full(b"ispe", struct.pack(">II", 24, 16))
    assigned = full(b"ipma", struct.pack(">IHBB", 1, 1, 1, 1))

    def meta(offset: int) -> bytes:
        place = full(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(picture)))
        return full(
            b"meta",
            full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iinf", struct.pack(">H", 1), kinds),
            place,
            box(b"iprp", box(b"ipco", size), assigned),
        )

    start = box(b"ftyp", b"mif1\0\0\0\0mif1")
    offset = len(start) + len(meta(0)) + 8
    data = start + meta(offset) + box(b"mdat", picture)
    walked = walk("isobmff", data + NOISE)
    assert walked is not None
    assert (walked.length, walked.structure, walked.extension) == (len(data), Structure.COMPLETE, "heif")
    assert (walked.facts["width"], walked.facts["height"]) == (24, 16)
    assert [(p.offset, p.length, p.extension) for p in walked.parts] == [(offset, len(picture), "jpg")]


def test_pictures_in_a_canon_raw_file_are_parts(walk: Walk) -> None:
    thumb, preview, full_size = jpeg(), jpeg()[:-2] + b"\0\0\xff\xd9", jpeg()
    start = box(b"ftyp", b"crx \0\0\0\1crx isom")
    entry = box(b"CRAW", bytes(24) + struct.pack(">HH", 24, 16) + bytes(50) + box(b"JPEG", bytes(4)))
    chunks = full(b"stsc", struct.pack(">4I", 1, 1, 1, 1))

    def moov(offset: int) -> bytes:
        table = full(b"stsz", struct.pack(">2I", len(full_size), 1)) + full(b"stco", struct.pack(">2I", 1, offset)) + chunks
        inner = box(b"THMB", bytes(4), struct.pack(">HHIHH", 24, 16, len(thumb), 1, 0), thumb)
        return box(b"moov", movie(table, entry=entry), box(b"uuid", bytes(16), inner))

    seen = box(b"PRVW", bytes(4), struct.pack(">HHHHI", 1, 24, 16, 1, len(preview)), preview)
    extra = box(b"uuid", bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16"), bytes(8), seen)
    offset = len(start) + len(moov(0)) + len(extra) + 8
    data = start + moov(offset) + extra + box(b"mdat", full_size)
    walked = walk("isobmff", data + NOISE)
    assert walked is not None
    assert (walked.length, walked.structure, walked.extension) == (len(data), Structure.COMPLETE, "cr3")
    assert sorted(data[p.offset : p.offset + p.length] for p in walked.parts) == sorted([thumb, preview, full_size])


# -- what lies -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42" + NOISE[:8192],
        b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42" + bytes(8192),
        b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42" + box(b"mdat", NOISE[:4096]) + NOISE,
        b"\0\0\0\x18ftyp\1\2\3\4\0\0\0\0mp41mp42" + sample("film_index_last.mp4")[32:],
        b"\xff\xff\xff\xffftypisom" + NOISE[:8192],
        b"set free" + b" as a bird, skip the wide mdat moov" * 300,
        b"\0\0\0\x08free\0\0\0\x08skip" + NOISE[:8192],
        b"\0\0\0\x08wide" + NOISE[:8192],
        b"\0\1\0\0moov\0\0\0\x6cmvhd" + NOISE[:70000],
        b"\0\0\0\1mdat" + b"\xff" * 8 + NOISE,
        b"\0\0\0\0mdat" + NOISE,
    ],
)
def test_what_only_begins_like_one_is_none_and_costs_little(walk: Walk, data: bytes) -> None:
    assert walk("isobmff", data, allowance=8 << 20) is None


def test_countless_boxes_end(walk: Walk) -> None:
    start = sample("film_index_last.mp4")[:32]
    assert walk("isobmff", start + box(b"free") * 200_000, allowance=16 << 20) is None


def test_countless_fragments_end(walk: Walk) -> None:
    data = sample("film_fragments.mp4")
    start = data[: data.find(b"moof") - 4]
    run = full(b"trun", struct.pack(">I", 0xFFFFFFFF))
    found = walk("isobmff", start + box(b"moof", box(b"traf", full(b"tfhd", struct.pack(">I", 1), flags=0x20000), run * 1000)) * 20)
    assert found is None or found.structure is not Structure.COMPLETE


@pytest.mark.parametrize("table", [b"stsz", b"stsc", b"stco", b"stts", b"stsd"])
def test_a_count_that_lies_reads_no_more_than_there_is(walk: Walk, table: bytes) -> None:
    data = bytearray(sample("film_index_first.mp4"))
    at = data.find(table) + (12 if table == b"stsz" else 8)
    data[at : at + 4] = b"\xff\xff\xff\xff"
    found = walk("isobmff", bytes(data) + NOISE, allowance=8 << 20)
    assert found is None or found.length <= len(data) + len(NOISE)


def test_media_that_claim_a_terabyte_are_as_long_as_what_is_there(walk: Walk) -> None:
    data = sample("film_index_last.mp4")
    at = data.find(b"mdat") - 4
    lying = data[:at] + struct.pack(">I4sQ", 1, b"mdat", 1 << 40) + data[at + 8 : data.find(b"moov") - 4]
    found = walk("isobmff", lying + NOISE * 4)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.length < len(lying) + 4096


@given(st.sampled_from([b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"]), st.binary(max_size=400))
def test_arbitrary_bytes_behind_a_header_keep_the_rules(kind: bytes, rest: bytes) -> None:
    checked_walk("isobmff", rest[:4].rjust(4, b"\0") + kind + rest[4:])
    checked_walk("isobmff", b"\0\0\0\x10" + kind + b"isom\0\0\0\0" + box(b"moov", full(b"mvhd", rest)) + box(b"meta", rest))


@pytest.mark.parametrize("name", FILMS)
def test_mutants_keep_the_rules(name: str) -> None:
    data, chance = sample(name), random.Random(name)
    for _ in range(60):
        mutant = bytearray(data)
        for _ in range(chance.choice((1, 2, 5))):
            at = chance.randrange(len(mutant))
            how = chance.randrange(4)
            if how == 0:
                mutant[at] = chance.randrange(256)
            elif how == 1:
                mutant[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x7f\xff\xff\xff"))
            elif how == 2:
                del mutant[at : at + chance.randrange(1, 600)]
            else:
                mutant[at:at] = NOISE[: chance.choice((1, 4, 512))]
        found = checked_walk("isobmff", bytes(mutant) + NOISE[:2000])
        assert found is None or found.length <= len(mutant) + 2000


def test_a_film_whose_index_cannot_be_read_is_kept_to_its_end(walk: Callable[..., Walked | None]) -> None:
    """What looks whole from outside is of use to somebody with better tools; it is not called whole."""

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I4s", len(data) + 8, kind) + data

    rng = random.Random(5)
    film = box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41") + box(b"free", b"") + box(b"mdat", rng.randbytes(200_000))
    index = box(b"moov", box(b"mvhd", bytes(100)) + box(b"trak", rng.randbytes(4000)))
    for rest in (bytes(4096), rng.randbytes(4096)):
        found = walk("isobmff", film + index + rest)
        assert found is not None
        assert (found.length, found.structure, found.checked) == (len(film + index), Structure.DAMAGED, False)
    assert walk("isobmff", film + rng.randbytes(len(index))) is None, "no index, and no media that anything is known of"
    broken = bytearray(film + index)
    broken[len(film) + 8 + 108 + 3] ^= 5
    assert walk("isobmff", bytes(broken)) is None, "its boxes do not make up the index"
