"""eMule's lists: the real ones, made ones with sizes over 4 GiB, and damage."""

from __future__ import annotations

import struct

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

ED2K = "77481ddd95730681cba7686a8fa7e613"


def tag(number: int, value: int | str) -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        return struct.pack("<BHBH", 2, 1, number, len(raw)) + raw
    return struct.pack("<BHBI", 3, 1, number, value)


def known(files: list[list[bytes]], magic: int = 0x0E) -> bytes:
    data = bytes([magic]) + (struct.pack("<I", len(files)) if magic in (0x0E, 0x0F) else b"")
    for tags in files:
        data += struct.pack("<I16sH", 1_700_000_000, bytes.fromhex(ED2K), 2) + bytes(32) + struct.pack("<I", len(tags)) + b"".join(tags)
    return data


def test_shared_files_have_name_size_hash_and_how_often_they_were_given() -> None:
    data = known([[tag(1, "a film.avi"), tag(2, 100), tag(0x3A, 1), tag(0x52, 7)]], 0x0F)
    (found,) = findings(run("emule", item_of(data, "vol1/Users/kim/AppData/Local/eMule/config/known.met")))
    assert found.kind == "shared-file"
    assert found.data["digests"] == [{"ed2k": ED2K}]
    assert (found.data["name"], found.data["size"]) == ("a film.avi", (1 << 32) + 100)
    assert (found.data["times_accepted"], found.data["user"]) == (7, "kim")
    assert found.data["time"] == "2023-11-14T22:13:20Z"


def test_what_was_being_loaded_is_told_apart() -> None:
    data = known([[tag(1, "a film.avi"), tag(2, 100)]], 0xE0)
    (found,) = findings(run("emule", item_of(data, "vol1/eMule/Temp/001.part.met")))
    assert (found.kind, found.data["name"]) == ("loading-file", "a film.avi")


def test_a_list_that_breaks_off_gives_what_is_whole_and_says_so() -> None:
    data = known([[tag(1, "one"), tag(2, 1)], [tag(1, "two"), tag(2, 2)]])[:-5]
    said = run("emule", item_of(data, "vol1/known.met"))
    assert [f.data["name"] for f in findings(said)] == ["one"]
    assert "breaks off behind 1 of 2" in problems(said)[0].message


def test_damage_never_breaks_it() -> None:
    for data in mutants(known([[tag(1, "one"), tag(2, 1)]] * 5), 300):
        never_fails("emule", item_of(data, "vol1/known.met"))


class TestRealSamples:
    pytestmark = needs_samples

    def test_all_of_a_real_list_is_found(self) -> None:
        said = findings(run("emule", item_of((ARTIFACTS / "iped" / "test_known.met").read_bytes(), "vol1/known.met")))
        assert [(f.data["name"], f.data["ed2k"]) for f in said] == [
            ("Radiohead - High and Dry.mp3", "77481ddd95730681cba7686a8fa7e613"),
            ("Michael Jackson - Bad.mp3", "2b871d30675d0815d2a4dfb995ad7220"),
        ]

    def test_a_real_file_in_loading_is_read(self) -> None:
        said = run("emule", item_of((ARTIFACTS / "iped" / "test_partMet.part.met").read_bytes(), "vol1/001.part.met"))
        assert len(findings(said, "loading-file")) == 1
        assert problems(said) == []
