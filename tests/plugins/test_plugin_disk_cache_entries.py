"""Heads of OkHttp's answers whose cache has no journal: made ones, and damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from real_samples import findings, item_of, mutants, never_fails, run
from test_plugin_disk_cache import FOLDER, JPEG, PHOTO, head, journal, key_of

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = f"{FOLDER}/{key_of(PHOTO)}.0"


def samples() -> list[Item]:
    return [item_of(head(PHOTO), PATH)]


def test_a_head_alone_says_address_time_and_where_its_body_is() -> None:
    (found,) = findings(run("disk_cache_entries", item_of(head(PHOTO), PATH)))
    assert (found.kind, found.data["url"], found.data["time"]) == ("cached", PHOTO, "2024-01-18T05:20:01Z")
    assert (found.data["body"], found.data["application"]) == (f"{key_of(PHOTO)}.1", "com.example.app")


def test_where_the_journal_is_it_says_nothing() -> None:
    assert run("disk_cache_entries", item_of(head(PHOTO), PATH, {"journal": journal()})) == []
    assert findings(run("disk_cache_entries", item_of(head(PHOTO), PATH, {"journal": b"a diary"})))


def test_other_files_of_such_a_name_are_quiet() -> None:
    for data in (JPEG, b"plain words\n" * 20, b"https://example.org/\nGET\nx\n" + b"a" * 30):
        assert run("disk_cache_entries", item_of(data, PATH)) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(head(PHOTO), 200):
        never_fails("disk_cache_entries", item_of(data, PATH))
