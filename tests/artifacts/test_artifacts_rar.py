"""RAR's lists, decoders and filters by themselves: names, times, checksums, PPMd, what packers do to data before they pack them."""

from __future__ import annotations

import hashlib
import random
import struct
import sys
import zlib
from pathlib import Path

import pytest

from triage.artifacts import rar3coder, rarfilters
from triage.artifacts.ppmd import Ppmd
from triage.artifacts.rar import RarFile, open_rar
from triage.artifacts.rar2coder import Rar2Decoder
from triage.artifacts.rar3coder import Rar3Decoder
from triage.artifacts.rar5coder import Rar5Decoder
from triage.artifacts.rarbits import Bits, ExhaustedError, Work, make_table
from triage.artifacts.rarcheck import Check
from triage.artifacts.structure import StructureError

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from rar_maker import SECONDS, block_4, file_4, file_5, filter_3, pack_2_sound, pack_3, pack_5, rar4, rar5, record

TEXT = b"hello from an archive\n"
DICTIONARY = 1 << 22
LOCAL = 1_683_356_898 * 10**9  # 2023-05-06 07:08:18


def listed(data: bytes) -> list[RarFile]:
    return open_rar(lambda at, many: data[at : at + many], len(data)).files


def work() -> Work:
    return Work(1 << 24)


# ---- lists ------------------------------------------------------------------------------------------------------------------


def test_wide_names_are_made_from_the_narrow_ones() -> None:
    # The four ways: a byte, one of the usual high byte, two bytes, and so many of the narrow name as they are or moved.
    narrow = b"photo_of_a_house.jpg"
    ways = bytes([0b00011011]) + b"a" + b"\x31" + b"\x3f\x04" + bytes([2]) + bytes([0b11000000]) + bytes([0x80 | 1, 1]) + b"!"
    (one,) = listed(rar4(file_4(narrow + b"\0\x04" + ways, TEXT, flags=0x200)))
    assert one.name == "a\u0431\u043f" + "to_o" + "".join(chr(0x400 + byte + 1) for byte in b"f_a") + "!"
    assert listed(rar4(file_4("ü.txt".encode(), TEXT, flags=0x200)))[0].name == "ü.txt"
    assert [listed(rar4(file_4(raw, TEXT)))[0].name for raw in ("ü".encode(), b"\x81.txt")] == ["ü", "ü.txt"]


def test_exact_times_of_old_archives() -> None:
    made = struct.pack("<I", (43 << 9 | 5 << 5 | 6) << 16)
    # Changed: three bytes of 100 ns and a second more; made: to the second before midnight and one byte; read: not at all.
    told = struct.pack("<H", 0xF << 12 | 0x9 << 8) + (1_234_567).to_bytes(3, "little") + made + b"\x10"
    (one,) = listed(rar4(file_4(b"a", TEXT, times=told)))
    assert one.mtime == LOCAL + 10**9 + 123_456_700
    assert one.crtime == LOCAL - (7 * 3600 + 8 * 60 + 18) * 10**9 + (0x10 << 16) * 100
    assert (one.atime, one.utc) == (None, False)
    (short,) = listed(rar4(file_4(b"a", TEXT, times=b"\xff\xff\x01")))
    assert (short.mtime, short.crtime, short.atime) == (LOCAL, None, None)


def test_exact_times_of_new_archives() -> None:
    unix = record(3, b"\x1f" + struct.pack("<6I", SECONDS, SECONDS + 1, SECONDS + 2, 5, 6, 7))
    (one,) = listed(rar5(file_5("a", TEXT, extra=unix)))
    assert (one.mtime, one.crtime, one.atime) == tuple((SECONDS + n) * 10**9 + 5 + n for n in range(3))
    filetime = record(3, b"\x02" + struct.pack("<Q", (SECONDS + 11_644_473_600) * 10**7 + 9))
    (one,) = listed(rar5(file_5("a", TEXT, extra=filetime)))
    assert (one.mtime, one.crtime, one.utc) == (SECONDS * 10**9 + 900, None, True)
    (plain,) = listed(rar5(file_5("a", TEXT)))
    assert plain.mtime == SECONDS * 10**9


def test_checksums_of_old_blocks_leave_out_comments() -> None:
    fixed = struct.pack("<BHH", 0x73, 2, 7 + 6 + 20) + bytes(6)
    main = struct.pack("<H", zlib.crc32(fixed) & 0xFFFF) + fixed + b"a comment of 20 byte"
    owner = struct.pack("<HBHHIHB", 0, 0x77, 0x8000, 14, 3, 0x101, 0) + b"abc"
    stream = block_4(0x77, 0x8000, struct.pack("<IHB", 3, 0x105, 0), b"abc")
    data = b"Rar!\x1a\x07\0" + main + owner + stream + file_4(b"a", TEXT) + block_4(0x7B, 0x4000, b"")
    archive = open_rar(lambda at, many: data[at : at + many], len(data))
    assert [one.name for one in archive.files] == ["a"]
    assert list(archive.notes.lines()) == [
        "a comment of a RAR archive before 3.0 is not read",
        "an alternate stream of a file in a RAR archive is not read",
    ]
    plain = file_4(b"a", b"", flags=8)
    rest = plain[2:5] + struct.pack("<H", len(plain) + 9) + plain[7:]
    note = struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest + b"a comment"
    assert [one.name for one in listed(rar4(note))] == ["a"]


def test_sizes_of_more_than_32_bits() -> None:
    raw = bytearray(file_4(b"", TEXT)[:32])
    raw[3:5], raw[5:7] = struct.pack("<H", 0x8100), struct.pack("<H", 41)
    raw[26:28] = struct.pack("<H", 1)
    raw += struct.pack("<II", 1, 2) + b"a"
    raw[:2] = struct.pack("<H", zlib.crc32(raw[2:]) & 0xFFFF)
    data = rar4(bytes(raw))
    (one,) = listed(data)
    assert (one.name, one.packed, one.size) == ("a", len(TEXT) | 1 << 32, len(TEXT) | 2 << 32)


def test_checksums_of_both_kinds() -> None:
    # BLAKE2sp of nothing, as its authors' test vectors have it.
    nothing = bytes.fromhex("dd0e891776933f43c7d032b08a917e25741f8aa9a12c12e1cac8801500f2ca4f")
    for data, blake, right in ((b"", nothing, True), (b"x", nothing, False)):
        check = Check(RarFile(name="", start=0, packed=0, size=0, generation=5, blake=blake))
        check.add(data)
        assert check.right() is right
    long = random.Random(3).randbytes(5000)
    for size in (1, 64, 500, 512, 513, 4999):
        whole = Check(RarFile(name="", start=0, packed=0, size=0, generation=5, blake=_blake2sp(long)))
        for at in range(0, len(long), size):
            whole.add(long[at : at + size])
        assert whole.right()
    (one,) = listed(rar5(file_5("a", TEXT, extra=record(2, b"\0" + _blake2sp(TEXT)), crc=False)))
    assert (one.crc, one.blake) == (None, _blake2sp(TEXT))


def _blake2sp(data: bytes) -> bytes:
    """Return BLAKE2sp as its definition reads: block ``n`` goes to leaf ``n % 8``."""
    blocks = [data[at : at + 64] for at in range(0, len(data), 64)]
    tree = {"fanout": 8, "depth": 2, "inner_size": 32}
    leaves = [hashlib.blake2s(b"".join(blocks[n::8]), **tree, node_offset=n, last_node=n == 7) for n in range(8)]
    return hashlib.blake2s(b"".join(leaf.digest() for leaf in leaves), **tree, node_depth=1, last_node=True).digest()


# ---- decoders ---------------------------------------------------------------------------------------------------------------


def test_sound_of_rar_2() -> None:
    for channels in (1, 2, 4):
        sound = random.Random(channels).randbytes(30)
        assert Rar2Decoder(work()).member(pack_2_sound(sound, channels), 30, DICTIONARY) == (sound, "")


def test_filters_of_rar_3_are_known_by_their_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    program, data = b"abcd", bytes([1, 1, 1, 1, 2, 2, 2, 2])
    packed = pack_3([filter_3(program, 8, {0: 2}), *data, ord("x")])
    got, why = Rar3Decoder(work()).member(packed, 9, DICTIONARY)
    assert (got, why) == (data + b"x", "a filter that is not known: the bytes are as they were before it was undone")
    for kind, wanted in (
        ("delta", rarfilters.delta(data, 2)),
        ("audio", rarfilters.audio(data, 2)),
        ("e8", data),
        ("e8e9", data),
        ("itanium", data),
    ):
        monkeypatch.setitem(rar3coder._FILTERS, (4, zlib.crc32(program)), kind)
        assert Rar3Decoder(work()).member(packed, 9, DICTIONARY) == (wanted + b"x", "")
    monkeypatch.setitem(rar3coder._FILTERS, (4, zlib.crc32(program)), "rgb")
    packed = pack_3([filter_3(program, 8, {0: 6, 1: 1}), *data])
    assert Rar3Decoder(work()).member(packed, 8, DICTIONARY) == (rarfilters.rgb(data, 3, 1), "")
    packed = pack_3([filter_3(program, 9), *data])
    assert Rar3Decoder(work()).member(packed, 8, DICTIONARY) == (data, "a filter over more than there is")


def test_filters_of_rar_5() -> None:
    code = b"\xe8" + (500 + 1).to_bytes(4, "little") + bytes(3)
    for kind, wanted in (
        ([0, 8, 0, 2], rarfilters.delta(code, 2)),
        ([0, 8, 1], b"\xe8" + (500).to_bytes(4, "little") + bytes(3)),
        ([0, 8, 2], b"\xe8" + (500).to_bytes(4, "little") + bytes(3)),
        ([0, 8, 3], code),
    ):
        assert Rar5Decoder(work()).member(pack_5([bytes(kind), *code, 1]), 9, DICTIONARY) == (wanted + b"\1", "")
    assert Rar5Decoder(work()).member(pack_5([bytes([0, 8, 4]), *code]), 8, DICTIONARY)[1] == "a filter that there is not"
    assert Rar5Decoder(work()).member(pack_5([bytes([0, 9, 1]), *code]), 8, DICTIONARY)[1] == "a filter over more than there is"


def test_what_is_farther_back_than_the_dictionary_is_forgotten() -> None:
    for decoder, pack in ((Rar3Decoder, pack_3), (Rar5Decoder, pack_5)):
        made = decoder(work())
        assert made.member(pack([*b"abcdefgh"]), 8, 3) == (b"abcdefgh", "")
        assert made.member(pack([(3, 3)]), 3, 3) == (b"fgh", "")
        made = decoder(work())
        made.member(pack([*b"abcdefgh"]), 8, 3)
        assert made.member(pack([(4, 3)]), 3, 3) == (b"", "a repetition of what was not there")


def test_ppmd_of_rar_makes_of_noise_what_libarchive_does() -> None:
    noise, out = random.Random(3).randbytes(2500), bytearray()
    model = Ppmd(8, 1 << 20)
    model.start(noise, 0)
    assert model.run(out, -1, 2375) is False
    assert hashlib.md5(out, usedforsecurity=False).hexdigest() == "863b2adcc4aa7a5dae32facd3eed60eb"


def test_ppmd_in_rar_3_begins_with_its_model() -> None:
    noise = random.Random(3).randbytes(2500)
    packed = bytes([0x80 | 0x20 | 7, 0]) + noise  # order 8, 1 MiB
    got, _ = Rar3Decoder(work()).member(packed, 60, DICTIONARY)
    model, out = Ppmd(8, 1 << 20), bytearray()
    model.start(noise, 0)
    model.run(out, 2, 60)
    assert len(out) > 20
    assert got[: len(out)] == bytes(out)
    assert Rar3Decoder(work()).member(bytes([0x80 | 7]) + noise, 60, DICTIONARY) == (b"", "its PPMd data have no beginning")
    assert Rar3Decoder(work()).member(bytes([0x80 | 0x20, 0]) + noise, 60, DICTIONARY) == (b"", "its PPMd data are damaged")


def test_ppmd_is_not_let_run_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rar3coder, "_MOST_BY_MODEL", 40)
    packed = bytes([0x80 | 0x20 | 7, 0]) + random.Random(3).randbytes(2500)
    assert "takes too much work" in Rar3Decoder(work()).member(packed, 2000, DICTIONARY)[1]


def test_work_is_counted_and_signs_of_life_are_given() -> None:
    signs: list[int] = []
    count = Work(5 << 20, lambda: signs.append(1))
    for _ in range(50):
        count.spend(100_000)
    assert len(signs) == 4
    with pytest.raises(ExhaustedError):
        count.spend(1 << 20)


def test_codes_that_are_none_are_refused() -> None:
    with pytest.raises(StructureError, match="no code"):
        make_table([1, 1, 1])
    with pytest.raises(StructureError, match="does not have"):
        Bits(b"\xff\xff\xff\xff", 32).symbol(make_table([1]))
    bits = Bits(b"ab", 16)
    assert [bits.take(32) for _ in range(6)] == [0x61620000, 0, 0, 0, 0, 0]
    with pytest.raises(StructureError, match="ends before"):
        bits.take(32)


@pytest.mark.parametrize("decoder", [Rar2Decoder, Rar3Decoder, Rar5Decoder], ids=["2", "3", "5"])
def test_noise_ends_within_its_work(decoder: type[Rar3Decoder]) -> None:
    rng = random.Random(2)
    for number in range(150):
        data = bytes([number & 0xFF]) + rng.randbytes(rng.randrange(4000))
        got, why = decoder(Work(1 << 20)).member(data, 100_000, DICTIONARY)
        assert len(got) <= 100_000
        assert why or len(got) == 100_000


def test_far_repetitions_of_any_width_break_nothing() -> None:
    rng = random.Random(5)
    whole = pack_5([*b"abc"])
    for number in range(300):
        # Tables of codes that are right, and noise behind them: distances of all slots, the longest ones too.
        body = bytearray(whole[4:] + rng.randbytes(300))
        head = bytes([0x40 | 0x80 | 1 << 3 | 7])
        size = struct.pack("<H", len(body))
        data = head + bytes([0x5A ^ head[0] ^ size[0] ^ size[1]]) + size + bytes(body)
        got, why = Rar5Decoder(Work(1 << 20), number % 2).member(data, 5000, DICTIONARY)
        assert why
        assert len(got) <= 5000


# ---- filters ----------------------------------------------------------------------------------------------------------------


def test_differences_and_jumps_are_undone() -> None:
    plain = random.Random(1).randbytes(3000)
    for channels in (1, 3, 5):
        coded = bytearray()
        for channel in range(channels):
            last = 0
            for value in plain[channel::channels]:
                coded.append((last - value) & 255)
                last = value
        assert rarfilters.delta(bytes(coded), channels) == plain
    jump = lambda number: b"\xe9" + (number & 0xFFFFFFFF).to_bytes(4, "little")  # noqa: E731
    assert rarfilters.x86(bytes(100) + jump(500 + 101), 0, jumps=True, wraps=False)[100:] == jump(500)
    assert rarfilters.x86(bytes(100) + jump(500), 0, jumps=False, wraps=False)[100:] == jump(500)
    assert rarfilters.x86(bytes(100) + jump(-50), 0, jumps=True, wraps=False)[100:] == jump((1 << 24) - 50)
    assert rarfilters.x86(bytes(100) + jump(-500), 0, jumps=True, wraps=False)[100:] == jump(-500)
    assert rarfilters.x86(bytes(100) + jump(500), 1 << 24, jumps=True, wraps=True)[100:] == jump(500 - 101)
    assert rarfilters.arm(bytes(8) + b"\x12\0\0\xeb", 4) == bytes(8) + b"\x0f\0\0\xeb"


def test_itanium_branches_are_undone() -> None:
    plain = bytearray(random.Random(4).randbytes(64))
    plain[16] = plain[16] & ~31 | 0x16  # a bundle of three branches
    bundle = int.from_bytes(plain[16:32], "little")
    for slot in range(3):
        bundle = bundle & ~(15 << 41 * slot + 42) | 5 << 41 * slot + 42
    plain[16:32] = bundle.to_bytes(16, "little")
    for at in (0, 32, 48):
        plain[at] &= ~31
    for slot in range(3):
        start = 41 * slot + 18
        target = (bundle >> start) + (0x200 // 16 + 1) & 0xFFFFF
        bundle = bundle & ~(0xFFFFF << start) | target << start
    coded = bytes(plain[:16]) + bundle.to_bytes(16, "little") + bytes(plain[32:])
    assert coded != bytes(plain)
    assert rarfilters.itanium(coded, 0x200) == bytes(plain)


def test_pixels_are_undone() -> None:
    width, rows = 30, 8
    plain = random.Random(6).randbytes(width * rows)
    pixels = bytearray(plain)
    for at in range(0, len(plain) - 2, 3):
        pixels[at] = (pixels[at] - pixels[at + 1]) & 255
        pixels[at + 2] = (pixels[at + 2] - pixels[at + 1]) & 255
    coded = bytearray()
    for channel in range(3):
        for at in range(channel, len(pixels), 3):
            left = pixels[at - 3] if at >= 3 else 0
            guess = left
            if at >= width + 3:
                up, corner = pixels[at - width], pixels[at - width - 3]
                guess = min((left, up, corner), key=lambda near: abs(left + up - corner - near))
            coded.append((guess - pixels[at]) & 255)
    assert rarfilters.rgb(bytes(coded), width, 0) == plain
    assert rarfilters.rgb(b"abc", -1, 0) == b"abc"


def test_sound_is_undone() -> None:
    # As long as the weights are zero, samples are differences to the one before; they adapt after the first of a channel.
    assert rarfilters.audio(bytes([256 - 5]), 1) == bytes([5])
    flat = rarfilters.audio(bytes([256 - 9]) + bytes(99), 1)
    assert flat[0] == 9
    assert len(set(flat[40:])) == 1
    assert len(rarfilters.audio(random.Random(7).randbytes(1000), 2)) == 1000
