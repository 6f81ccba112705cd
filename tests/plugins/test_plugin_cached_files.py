"""Caches with a file for each picture: made ones of Android's and Apple's libraries, files of Volley, and damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from cache_makers import PACKED_PAGE, PAGE
from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, run

if TYPE_CHECKING:
    from triage.plugin import Item

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"x" * 200 + b"\xff\xd9"
APP = "vol1/data/data/com.example.app/cache"
PATH = f"{APP}/volley/-123456789987654321"


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def volley(url: str, body: bytes, fields: dict[str, str], magic: int = 0x20150306, *, changed: bool = True) -> bytes:
    times = [1_705_555_201_000, *([1_705_000_000_000] if changed else []), 1_706_000_000_000, 1_705_900_000_000]
    head = struct.pack("<I", magic) + text(url) + text('"tag"') + struct.pack(f"<{len(times)}Q", *times)
    return head + struct.pack("<I", len(fields)) + b"".join(text(k) + text(v) for k, v in fields.items()) + body


def samples() -> list[Item]:
    return [item_of(JPEG, f"{APP}/image_manager_disk_cache/{'a' * 64}.0"), item_of(volley("https://a.example/b", JPEG, {}), PATH)]


@pytest.mark.parametrize(
    ("path", "library", "application"),
    [
        (f"{APP}/image_manager_disk_cache/{'a' * 64}.0", "Glide", "com.example.app"),
        (f"{APP}/image_cache/v2.ols100.1/31/Ab3-_x9.cnt", "Fresco", "com.example.app"),
        (f"{APP}/picasso-cache/{'a' * 32}.1", "Picasso", "com.example.app"),
        ("vol1/data/user/0/com.example.app/cache/coil3_disk_cache/ab.1", "Coil", "com.example.app"),
        ("vol1/private/var/mobile/Containers/Data/Application/X/Library/Caches/com.hackemist.SDImageCache/default/ab", "SDWebImage", None),
        ("vol1/Library/Caches/com.onevcat.Kingfisher.ImageCache.default/ab", "Kingfisher", None),
        ("vol1/media/0/Android/data/com.sec.android.gallery3d/cache/0/mini/12.0", "Samsung's gallery", "com.sec.android.gallery3d"),
    ],
)
def test_a_picture_says_by_which_library_and_app_it_was_kept(path: str, library: str, application: str | None) -> None:
    (found,) = findings(run("cached_files", item_of(JPEG, path)))
    assert (found.kind, found.data["library"]) == ("cached", library)
    assert application is None or found.data["application"] == application


def test_a_name_that_is_an_address_is_told_as_one() -> None:
    path = "vol1/Library/Caches/com.pinterest.PINDiskCache.PINCacheShared/https%3A%2F%2Fcdn%2Eexample%2Fa%2Ejpg"
    assert findings(run("cached_files", item_of(JPEG, path)))[0].data["url"] == "https://cdn.example/a.jpg"


@pytest.mark.parametrize(("magic", "changed"), [(0x20150306, True), (0x20140623, True), (0x20120504, False)])
def test_volleys_bodies_have_address_and_times(magic: int, changed: bool) -> None:
    one = item_of(
        volley("https://example.org/page", PACKED_PAGE, {"Content-Encoding": "gzip", "Content-Type": "text/html"}, magic, changed=changed),
        PATH,
    )
    (child,) = children(run("cached_files", one))
    assert bytes_of(one, child) == PAGE
    data = child.findings[0].data
    assert (data["url"], data["time"], data["mime"], data["library"]) == (
        "https://example.org/page",
        "2024-01-18T05:20:01Z",
        "text/html",
        "Volley",
    )
    assert ("last_modified" in data) == changed
    assert data["expires"] == "2024-01-23T08:53:20Z"


def test_volleys_keys_of_other_methods_are_addresses_too_and_an_empty_body_is_said() -> None:
    (found,) = findings(run("cached_files", item_of(volley("1-https://example.org/a", b"", {}), PATH)))
    assert (found.kind, found.data["url"]) == ("cached-nothing", "https://example.org/a")


def test_a_body_that_was_kept_unpacked_is_given_as_it_is() -> None:
    one = item_of(volley("https://example.org/a.jpg", JPEG, {"Content-Encoding": "gzip"}), PATH)
    assert bytes_of(one, children(run("cached_files", one))[0]) == JPEG


def test_other_files_of_caches_are_quiet() -> None:
    for data in (JPEG, b"plain words\n" * 20, bytes(500), b"\6\3\x15\x20" + b"\xff" * 60):
        assert run("cached_files", item_of(data, f"{APP}/else/file")) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(volley("https://example.org/a.jpg", JPEG, {"Content-Type": "image/jpeg", "A": "b"}), 300):
        never_fails("cached_files", item_of(data, PATH))
