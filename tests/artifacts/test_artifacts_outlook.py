"""How Outlook hides and packs bytes: blocks of stores, compressed RTF, texts in HTML and RTF."""

from __future__ import annotations

import zlib

import pytest

from triage.artifacts import bodytext, lzfu, mapi, pstcodec
from triage.artifacts.recipe import check_recipe, follow, undo
from triage.artifacts.structure import StructureError

TEXT = b"what was written " * 300
RTF = bytes.fromhex("2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0")
"""The example of [MS-OXRTFCP] 4.1.1."""


def reader(data: bytes):
    return lambda offset, length: data[offset : offset + length]


def hidden(method: int, data: bytes, key: int) -> bytes:
    return data.translate(pstcodec._R) if method == pstcodec.PERMUTE else pstcodec.decode(method, data, key)


@pytest.mark.parametrize("method", [pstcodec.NONE, pstcodec.PERMUTE, pstcodec.CYCLIC])
def test_blocks_are_had_again_by_a_recipe(method: int) -> None:
    plain = [TEXT[:3000], TEXT[3000:]]
    keys = [0x12345678, 0xFFFFFFFC]
    stored = [hidden(method, data, key) for data, key in zip(plain, keys, strict=True)]
    stored[0] = zlib.compress(stored[0])
    data = b"before" + b"".join(stored) + b"behind"
    step = pstcodec.step_of(method, [(len(s), key, len(p)) for s, key, p in zip(stored, keys, plain, strict=True)])
    assert step is not None
    recipe = check_recipe([["cut", 6, sum(map(len, stored))], ["undo", *step]])
    inner, size, why = follow(reader(data), recipe)
    assert (inner(0, size), why) == (TEXT, "")


def test_nothing_is_undone_where_nothing_is_hidden() -> None:
    assert pstcodec.step_of(pstcodec.NONE, [(10, 4, 10), (20, 8, 20)]) is None
    assert pstcodec.step_of(pstcodec.PERMUTE, [(10, 4, 10), (20, 8, 20)]) == ("pst:p", 30)


def test_a_block_that_is_damaged_leaves_those_behind_it_in_their_places() -> None:
    good = pstcodec.decode(pstcodec.CYCLIC, TEXT, 8)
    found, why = undo(reader(b"\xff" * 50 + good), 50 + len(good), f"pst:c,50.4.100,{len(good)}.8.{len(TEXT)}", 1 << 20)
    assert (found[100:], why) == (TEXT, "a block is not all there")


@pytest.mark.parametrize("name", ["pst", "pst:", "pst:x", "pst:c,", "pst:c,1.2", "pst:c,1.g.3", "pst:c,1.2.3,", "lzfu:1"])
def test_parameters_that_there_are_not_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lacks something"):
        check_recipe([["cut", 0, 10], ["undo", name, 10]])


def test_compressed_rtf_is_undone_and_bounded() -> None:
    assert lzfu.decode(RTF, 1000) == (b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n", "")
    assert undo(reader(RTF), len(RTF), "lzfu", 1000)[0].endswith(b"hello world}\r\n")
    assert len(lzfu.decode(RTF, 7)[0]) == 7
    assert lzfu.decode(RTF[:-12], 1000)[1] == "its RTF is not all there"


def test_rtf_that_was_not_compressed_is_cut_out() -> None:
    data = bytes.fromhex("1a0000000d0000004d454c4100000000") + b"{\\rtf1 plain}"
    assert lzfu.decode(data, 100) == (b"{\\rtf1 plain}", "")
    with pytest.raises(StructureError):
        lzfu.decode(b"no such thing at all", 100)


def test_the_text_of_rtf_is_what_a_reader_sees() -> None:
    source = rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0 Arial;}}{\*\generator x;}\'ef\'f0\'e8\par\uc1\u8364?5\tab{\b bold}\~end}"
    assert bodytext.of_rtf(source, 100) == "при\n€5\tbold\xa0end"


def test_the_text_of_html_in_rtf_is_that_between_its_tags() -> None:
    source = rb"{\rtf1\ansi\fromhtml1{\*\htmltag64 <p>}one{\*\htmltag72 </p>}\htmlrtf {\par hidden}\htmlrtf0 {\*\htmltag <br>}two}"
    assert bodytext.of_rtf(source, 100) == "one\ntwo"


def test_the_text_of_html_has_no_scripts_and_the_right_letters() -> None:
    page = "<meta charset=windows-1251><style>a{}</style><p>при<script>if (a<b) x()</script>вет</p><!-- no <p> -->end".encode("cp1251")
    assert bodytext.of_html(page, 100) == "привет\nend"


def test_numbers_of_sets_are_the_same_in_all_files() -> None:
    guid = bytes.fromhex("0420060000000000c000000000000046")
    entries = (0x8083).to_bytes(4, "little") + (3 << 1).to_bytes(2, "little") + (5).to_bytes(2, "little")
    assert mapi.names_of(guid, entries) == {0x8005: 0x20048083}
    assert mapi.names_of(guid, entries[:4] + b"\x07\0\x05\0") == {}
