"""Apple's cookies: all of a real phone's, made ones, damage."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/private/var/mobile/Containers/Data/Application/X/Library/Cookies/Cookies.binarycookies"
COCOA = 721_692_800.0


def cookie(host: str, name: str, value: str, flags: int = 0, path: str = "/") -> bytes:
    texts, places = b"", []
    for text in (host, name, path, value):
        places.append(56 + len(texts))
        texts += text.encode() + b"\0"
    head = struct.pack("<IIII", 56 + len(texts), 1, flags, 0) + struct.pack("<4I", *places) + bytes(8)
    return head + struct.pack("<dd", COCOA + 86_400, COCOA) + texts


def page(cookies: list[bytes]) -> bytes:
    at, places = 12 + 4 * len(cookies), []
    for one in cookies:
        places.append(at)
        at += len(one)
    return b"\0\0\1\0" + struct.pack(f"<{len(cookies) + 1}I", len(cookies), *places) + bytes(4) + b"".join(cookies)


def made(*pages: list[bytes]) -> bytes:
    whole = [page(one) for one in pages]
    sizes = b"".join(struct.pack(">I", len(one)) for one in whole)
    return b"cook" + struct.pack(">I", len(whole)) + sizes + b"".join(whole) + bytes(4) + b"\x07\x17\x20\x05\0\0\0\x4b"


TWO = made([cookie(".example.org", "id", "a", 5)], [cookie("example.com", "other", "b", path="/x")])


def samples() -> list[Item]:
    return [item_of(TWO, PATH)]


def test_cookies_of_all_pages_have_host_path_and_times() -> None:
    said = run("binary_cookies", item_of(TWO, PATH))
    first, second = findings(said, "cookie")
    assert first.title == "a cookie of .example.org: id"
    assert (first.data["time"], first.data["expires_time"], first.data["value"]) == ("2023-11-14T22:13:20Z", "2023-11-15T22:13:20Z", "a")
    assert (first.data["secure"], first.data["http_only"], first.data["user"]) == (True, True, "mobile")
    assert (second.data["host"], second.data["path"], "secure" in second.data) == ("example.com", "/x", False)
    start, size = second.ranges[0]
    assert TWO[start : start + size] == cookie("example.com", "other", "b", path="/x")
    assert problems(said) == []


def test_an_app_is_told_by_the_name_of_its_file() -> None:
    (found, _) = findings(run("binary_cookies", item_of(TWO, "vol1/Users/kim/Library/HTTPStorages/com.example.app.binarycookies")))
    assert (found.data["application"], found.data["user"]) == ("com.example.app", "kim")


def test_what_breaks_off_is_said_and_the_rest_is_given() -> None:
    said = run("binary_cookies", item_of(TWO[:-60], PATH))
    assert len(findings(said)) == 1
    assert [p.message for p in problems(said)] == ["a file of cookies breaks off within a page", "a cookie cannot be read"]


def test_cookies_that_share_bytes_are_read_once() -> None:
    one = cookie("a.org", "n", "v")
    data = b"\0\0\1\0" + struct.pack("<1001I", 1000, *([4012] * 1000)) + bytes(4) + one
    said = run("binary_cookies", item_of(b"cook" + struct.pack(">II", 1, len(data)) + data, PATH))
    assert len(findings(said)) == 1
    assert "999 times" in problems(said)[0].message


def test_something_else_is_said_to_be_that() -> None:
    assert "no file of cookies" in problems(run("binary_cookies", item_of(b"plain words", PATH)))[0].message


def test_damage_never_breaks_it() -> None:
    for data in mutants(TWO, 400):
        never_fails("binary_cookies", item_of(data, PATH))


class TestRealSamples:
    pytestmark = needs_samples

    def test_all_cookies_of_a_real_phone_are_found(self) -> None:
        (archive,) = (ARTIFACTS / "ileapp" / "appCookies").glob("*.zip")
        found, size = {}, 0
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                data = opened.read(name)
                said = run("binary_cookies", item_of(data, f"vol1/{name}"))
                assert problems(said) == []
                found[name.split("/")[-4]] = findings(said, "cookie")
                # All that a page holds but its head, its list and its end are cookies, each read once.
                size += sum(length for one in found[name.split("/")[-4]] for _, length in one.ranges)
                pages = struct.unpack_from(">I", data, 4)[0]
                at = 8 + 4 * pages
                for (length,) in struct.iter_unpack(">I", data[8:at]):
                    size -= length - 12 - 4 * struct.unpack_from("<I", data, at + 4)[0]
                    at += length
        assert size == 0
        assert len(found) == 33
        assert sum(map(len, found.values())) == 409
        chrome = found["82FD7DCE-31F2-4DB1-8D53-9E3BCD30897F"]
        assert (chrome[0].data["host"], chrome[0].data["name"]) == (".google.com", "CHROME_CONNECTED")
