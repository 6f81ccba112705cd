"""Lists of Ares: the real ones, made ones with dates and faults, unfinished files, and damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.ares import read_files

if TYPE_CHECKING:
    from triage.plugin import Item

HOME = "vol1/Users/kim/AppData/Local/Ares"
SHA1 = "ab" * 20


def hide(data: bytes, key: int) -> bytes:
    out = bytearray()
    for byte in data:
        out.append(byte ^ (key >> 8))
        key = ((out[-1] + key) * 23219 + 36126) & 0xFFFF
    return bytes(out)


def details(values: dict[int, bytes]) -> bytes:
    return b"".join(struct.pack("<BH", kind, len(value)) + value for kind, value in values.items())


def library(*records: dict[int, bytes]) -> bytes:
    data = b"__ARESDB1.04L_"
    for values in records:
        raw = details(values)
        data += hide(bytes.fromhex(SHA1) + struct.pack("<BIQIIIH", 5, 0, 5 << 32, 1, 2, 3, len(raw)), 13871) + hide(raw, 13872)
    return data


def history(shared: int, values: dict[int, bytes]) -> bytes:
    raw = details(values)
    return b"__ARESDB1.02H_" + hide(bytes.fromhex(SHA1) + struct.pack("<BH", shared, len(raw)), 13871) + hide(raw, 13872)


def torrents() -> bytes:
    raw = details({1: b"A film", 2: b"http://t.example/a\0udp://u.example:80\0", 3: bytes.fromhex(SHA1)})
    head = struct.pack("<IBQI", 1_700_000_000, 5, 700 << 20, 12) + bytes.fromhex(SHA1) + struct.pack("<H", len(raw))
    return b"__ARESDB1.02H_" + hide(head, 12971) + hide(raw, 13175)


def part(signature: bytes, content: bytes = b"the beginning of a film") -> bytes:
    number = "<I" if signature.endswith(b"___") else "<Q"
    order = (999, 23) if number == "<I" else (23, 999)
    tail = signature + b"".join(struct.pack(number, n) for n in (1000, 23, *order, 0, 0))
    raw = details({2: b"A film", 15: bytes.fromhex(SHA1), 19: b"films", 25: struct.pack("<I", 1_700_000_000)})
    tail += struct.pack("<BBIIIH", 5, 1, 0, 0, 0, len(raw)) + raw
    return content + tail.ljust(4096, b"\0")


def samples() -> list[Item]:
    return [
        item_of(library({1: b"C:\\x\\a.avi", 2: b"a"}, {1: b"C:\\b.avi"}), f"{HOME}/Data/ShareL.dat"),
        item_of(torrents(), f"{HOME}/Data/TorrentH.dat"),
        item_of(part(b"___ARESTRA__3"), f"{HOME}/My Shared Folder/___ARESTRA___a film.avi"),
    ]


class TestRealSamples:
    pytestmark = needs_samples

    def test_the_library_is_read_whole(self) -> None:
        data = (ARTIFACTS / "iped" / "test_shareL.dat").read_bytes()
        said = run("ares", item_of(data, f"{HOME}/Data/ShareL.dat"))
        folder = "c:\\Users\\guilh\\OneDrive\\Área de Trabalho\\PF\\test-files\\cpio"
        assert [(f.data["sha1"], f.data["path"], f.data["size"]) for f in said] == [
            ("3caf8ead5f326604bfbc7eae5274a15fb7840d08", f"{folder}\\mocktext2.txt", 2914),
            ("5bd2eb7e6701e7aeaffb6b12e5051e39f1ca26b7", f"{folder}\\mockfolder\\mocktext5.txt", 836),
            ("8a199330e3882ff26a4b02e8285f5a9dc20d1ef1",
             "C:\\Users\\guilh\\AppData\\Local\\Ares\\My Shared Folder\\Undisclosed Desires.mp3", 3756198),
            ("d948e169c0885b5019c7e6e8686729da26bbf656", f"{folder}\\mocktext1.txt", 3658),
        ]  # fmt: skip
        assert [f.data["type"] for f in said] == ["document", "document", "audio", "document"]
        assert said[2].data["digests"] == [{"sha1": "8a199330e3882ff26a4b02e8285f5a9dc20d1ef1"}]
        assert said[2].data["sha1_of_parts"] == "50af0db8d5f6f04467dc0b06ba05e1131fa7ab8c"

    def test_what_is_known_of_files_is_read(self) -> None:
        data = (ARTIFACTS / "iped" / "test_shareH.dat").read_bytes()
        (one,) = run("ares", item_of(data, f"{HOME}/Data/ShareH.dat"))
        assert (one.kind, one.data["title"], one.data["shared"]) == ("shared-file", "Undisclosed Desires", True)
        assert (one.data["sha1"], one.data["user"]) == ("8a199330e3882ff26a4b02e8285f5a9dc20d1ef1", "kim")


def test_sizes_over_4_gib_faults_and_dates_are_told() -> None:
    (one,) = findings(run("ares", item_of(library({1: b"C:\\x\\a.avi", 10: b"good", 17: bytes(20)}), "vol1/ShareL.dat")))
    assert (one.data["name"], one.data["size"], one.data["corrupt"], one.data["comment"]) == ("a.avi", 5 << 32, True, "good")
    (two,) = findings(run("ares", item_of(history(0, {2: b"a", 11: struct.pack("<I", 1_700_000_000)}), "vol1/ShareH.dat")))
    assert (two.kind, two.data["shared"], two.data["local_time"]) == ("library-file", False, "2023-11-14T22:13:20")


def test_torrents_that_were_loaded_are_told() -> None:
    (one,) = findings(run("ares", item_of(torrents(), "vol1/TorrentH.dat")))
    assert (one.kind, one.data["name"], one.data["size"], one.data["seeds"]) == ("torrent", "A film", 700 << 20, 12)
    assert (one.data["digests"], one.data["trackers"]) == ([{"btih": SHA1}], ["http://t.example/a", "udp://u.example:80"])


def test_unfinished_files_of_both_kinds_say_what_they_were_to_be() -> None:
    for signature in (b"___ARESTRA___", b"___ARESTRA__2", b"___ARESTRA__3"):
        (one,) = findings(run("ares", item_of(part(signature), "vol1/Users/kim/___ARESTRA___a film.avi")))
        assert (one.kind, one.data["name"], one.data["size"], one.data["bytes_loaded"]) == ("loading-file", "a film.avi", 1000, 23)
        assert (one.data["gaps"], one.data["paused"], one.data["title"]) == ([[23, 999]], True, "A film")
        assert (one.data["digests"], one.data["subfolder"], one.data["local_time"]) == ([{"sha1": SHA1}], "films", "2023-11-14T22:13:20")


def test_an_unfinished_file_without_its_end_is_known_by_its_name() -> None:
    said = run("ares", item_of(b"only the beginning of it", "vol1/___ARESTRA___a film.avi"))
    assert [f.data["name"] for f in findings(said)] == ["a film.avi"]
    assert "only its name" in problems(said)[0].message
    said = run("ares", item_of(b"only the beginning of it", "vol1/__INCOMPLETE__a film.avi"))
    assert ([f.data["name"] for f in findings(said)], problems(said)) == (["a film.avi"], [])


def test_a_list_that_breaks_off_gives_what_is_whole_and_says_so() -> None:
    data = library({1: b"C:\\a"}, {1: b"C:\\b"})
    for cut in (3, 8, 20):
        said = run("ares", item_of(data[:-cut], "vol1/ShareL.dat"))
        assert [f.data["name"] for f in findings(said)] == ["a"]
        assert "behind 1 records" in problems(said)[0].message
    assert read_files(data[:14])[0] == []


def test_other_files_of_these_names_are_left_alone() -> None:
    assert run("ares", item_of(b"something quite different", "vol1/ShareL.dat")) == []
    assert run("ares", item_of(library({1: b"C:\\a"}), "vol1/TorrentH.dat")) == []


def test_damage_never_breaks_it() -> None:
    for item in samples():
        data = item.read(item.size)
        for one in mutants(data, 150):
            never_fails("ares", item_of(one, item.entry.path))
