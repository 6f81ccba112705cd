"""Caches of OkHttp and Picasso with a journal: made ones as the programs write them, and damage."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cache_makers import PACKED_PAGE, PAGE
from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, problems, run

from triage.artifacts.disklru import parse_answer, parse_journal

if TYPE_CHECKING:
    from triage.plugin import Item

FOLDER = "vol1/data/data/com.example.app/cache/picasso-cache"
JPEG = b"\xff\xd8\xff\xe0\0\4ab" + b"x" * 200 + b"\xff\xd9"


def key_of(url: str) -> str:
    return hashlib.md5(url.encode(), usedforsecurity=False).hexdigest()


def head(url: str, mime: str = "image/jpeg", encoding: str = "", *, prefix: str = "OkHttp") -> bytes:
    """Return what OkHttp writes of an answer; by ``prefix`` ``X-Android`` what its first versions and Android's own did."""
    fields = [f"Content-Type: {mime}", "Date: Thu, 18 Jan 2024 05:20:01 GMT"] + ([f"Content-Encoding: {encoding}"] if encoding else [])
    fields += [f"{prefix}-Sent-Millis: 1705555200000", f"{prefix}-Received-Millis: 1705555201000"]
    lines = [url, "GET", "1", "Accept-Language: de", "HTTP/1.1 200 OK", str(len(fields)), *fields]
    return "\n".join([*lines, "", "TLS_AES_128_GCM_SHA256", "1", "MIIB", "-1", "TLSv1.3", ""]).encode()


def journal(*lines: str) -> bytes:
    return "\n".join(["libcore.io.DiskLruCache", "1", "201105", "2", "", *lines, ""]).encode()


PHOTO, TEXT, NONE = "https://cdn.example/photo.jpg", "https://example.org/page", "https://example.org/none"


def cache() -> dict[str, bytes]:
    """Return a cache of a picture, a page and an empty answer, of which another was removed and one more is gone."""
    files = {"journal": journal(
        *(f"DIRTY {key_of(url)}\nCLEAN {key_of(url)} 100 200\nREAD {key_of(url)}" for url in (PHOTO, TEXT, NONE)),
        f"DIRTY {'a' * 32}", f"CLEAN {'a' * 32} 1 2", f"REMOVE {'a' * 32}", f"CLEAN {'b' * 32} 1 2",
    )}  # fmt: skip
    for url, mime, encoding, body in (
        (PHOTO, "image/jpeg", "", JPEG),
        (TEXT, "text/html", "gzip", PACKED_PAGE),
        (NONE, "text/plain", "", b""),
    ):
        files |= {f"{key_of(url)}.0": head(url, mime, encoding), f"{key_of(url)}.1": body}
    return files


def item(files: dict[str, bytes]) -> Item:
    rest = dict(files)
    return item_of(rest.pop("journal"), f"{FOLDER}/journal", rest)


def samples() -> list[Item]:
    return [item(cache())]


def test_bodies_have_address_times_and_app() -> None:
    one = item(cache())
    said = run("disk_cache", one)
    found = {child.findings[0].data["url"]: child for child in children(said)}
    assert {url: bytes_of(one, child) for url, child in found.items()} == {PHOTO: JPEG, TEXT: PAGE}
    data = found[PHOTO].findings[0].data
    assert (data["time"], data["sent"], data["application"], data["status"], data["in_use"]) == (
        "2024-01-18T05:20:01Z", "2024-01-18T05:20:00Z", "com.example.app", "200", True,
    )  # fmt: skip
    assert "key_agrees" not in data
    assert [f.data["url"] for f in findings(said, "cached-nothing")] == [NONE]
    assert problems(said) == []


def test_keys_of_what_is_gone_are_told() -> None:
    (found,) = findings(run("disk_cache", item(cache())), "cached-missing")
    assert (found.data["removed"], found.data["gone"], found.data["count"]) == (["a" * 32], ["b" * 32], 2)


def test_an_answer_that_the_journal_does_not_know_is_a_deleted_one_and_a_lost_body_is_said() -> None:
    files = cache()
    files["journal"] = journal(f"CLEAN {key_of(TEXT)} 100 200")
    del files[f"{key_of(TEXT)}.1"]
    said = run("disk_cache", item(files))
    assert [(c.findings[0].data["url"], c.deleted) for c in children(said)] == [(PHOTO, True)]
    assert [f.data["url"] for f in findings(said, "cached-missing")] == [TEXT]


def test_heads_of_androids_own_cache_are_read() -> None:
    answer = parse_answer(head(PHOTO, prefix="X-Android"))
    assert answer is not None
    assert (answer.url, answer.received, answer.fields["content-type"]) == (PHOTO, 1_705_555_201_000, "image/jpeg")


def test_a_journal_of_pictures_alone_tells_only_what_is_gone() -> None:
    files = {"journal": journal(f"CLEAN {'c' * 64} 5", f"CLEAN {'d' * 64} 5"), f"{'c' * 64}.0": JPEG}
    said = run("disk_cache", item(files))
    assert children(said) == []
    assert [f.data["gone"] for f in findings(said)] == [["d" * 64]]


def test_a_line_that_breaks_off_is_said() -> None:
    parsed = parse_journal(journal(f"CLEAN {'a' * 32} 1 2", "CLE"))
    assert parsed is not None
    assert (list(parsed.clean), parsed.whole) == (["a" * 32], False)
    assert "not read whole" in problems(run("disk_cache", item({"journal": journal("CLE")})))[0].message


def test_other_journals_are_quiet() -> None:
    assert run("disk_cache", item_of(b"MSG: a diary of plain words\n" * 3, f"{FOLDER}/journal")) == []


def test_damage_never_breaks_it() -> None:
    files = cache()
    for name in ("journal", f"{key_of(PHOTO)}.0", f"{key_of(TEXT)}.1"):
        for data in mutants(files[name], 100):
            never_fails("disk_cache", item({**files, name: data}))
