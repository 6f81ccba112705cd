"""The trash of Linux, macOS and Android: notes, put-back records, names, damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from real_samples import findings, item_of, mutants, never_fails, problems, run
from test_plugin_ds_store import made

from triage.registry import find_plugins

if TYPE_CHECKING:
    from triage.plugin import Item

HOME = "vol1/home/kim/.local/share/Trash"
NOTE = b"[Trash Info]\nPath=/home/kim/Pictures/a%20gr%C3%BCn.jpg\nDeletionDate=2024-03-05T21:07:08\n"
PUT_BACK = [
    ("b.jpg", b"ptbL", "System/Volumes/Data/Users/kim/Pictures/"),
    ("b.jpg", b"ptbN", "a.jpg"),
    ("only here.mov", b"Iloc", b"\0" * 16),
]


def samples() -> list[Item]:
    return [
        item_of(NOTE, f"{HOME}/info/a.jpg.trashinfo"),
        item_of(made(PUT_BACK), "vol1/Users/kim/.Trash/.DS_Store"),
        item_of(b"x" * 20, "vol1/media/0/DCIM/Camera/.trashed-1712345678-IMG_1.jpg"),
    ]


def test_a_note_says_path_and_local_time_and_where_it_is_kept() -> None:
    (found,) = findings(run("trash", item_of(NOTE, f"{HOME}/info/a.jpg.trashinfo")))
    assert found.kind == "recycled"
    assert found.data == {
        "user": "kim",
        "path": "/home/kim/Pictures/a grün.jpg",
        "time": "2024-03-05T21:07:08",
        "time_basis": "local",
        "kept_as": "files/a.jpg",
    }


@pytest.mark.parametrize("trash", [".Trash-1000", ".Trash/1000"])
def test_a_path_on_a_medium_counts_from_its_root(trash: str) -> None:
    note = b"[Trash Info]\nPath=DCIM/x.jpg\nDeletionDate=2024-03-05T21:07:08\n"
    (found,) = findings(run("trash", item_of(note, f"vol1/{trash}/info/x.jpg.trashinfo")))
    assert found.data["path"] == "/DCIM/x.jpg"


def test_a_note_without_path_and_a_bad_time_are_told() -> None:
    assert "none of them" in problems(run("trash", item_of(b"[Trash Info]\n", f"{HOME}/info/a.trashinfo")))[0].message
    said = run("trash", item_of(b"[Trash Info]\nPath=/a\nDeletionDate=yesterday\n", f"{HOME}/info/a.trashinfo"))
    assert "time" not in findings(said)[0].data
    assert "time cannot be read" in problems(said)[0].message


def test_the_finder_notes_where_a_file_came_from() -> None:
    (found,) = findings(run("trash", item_of(made(PUT_BACK), "vol1/Users/kim/.Trash/.DS_Store")))
    assert (found.data["path"], found.data["kept_as"], found.data["user"]) == ("/Users/kim/Pictures/a.jpg", "b.jpg", "kim")


def test_a_file_in_the_trash_of_macos_is_told_by_its_place() -> None:
    for path in ("vol1/Users/kim/.Trash/b.jpg", "vol1/.Trashes/501/b.jpg"):
        (found,) = findings(run("trash", item_of(b"x" * 9, path)))
        assert (found.data["name"], found.data["in_bin"], found.data["bin"]) == ("b.jpg", True, "the trash")
    assert run("trash", item_of(b"x", "vol1/Users/kim/.Trash/._b.jpg")) == []


def test_android_says_the_old_name_and_until_when_a_file_is_kept() -> None:
    (found,) = findings(run("trash", item_of(b"x" * 20, "vol1/media/0/DCIM/Camera/.trashed-1712345678-IMG_1.jpg")))
    assert found.data["path"] == "/media/0/DCIM/Camera/IMG_1.jpg"
    assert found.data["expires"] == "2024-04-05T19:34:38Z"
    (found,) = findings(run("trash", item_of(b"x", "vol1/media/0/Download/.pending-1712345678-film.mp4")))
    assert (found.kind, found.data["name"]) == ("loading-file", "film.mp4")


@pytest.mark.parametrize(
    ("path", "bin_of"),
    [
        ("vol1/media/0/Android/data/com.sec.android.gallery3d/files/.Trash/123", "Samsung's bin"),
        ("vol1/media/0/DCIM/.globalTrash/a.jpg", "the gallery's bin (.globalTrash)"),
        ("vol1/media/0/MIUI/Gallery/cloud/.trashBin/a.jpg", "Xiaomi's bin"),
        ("vol1/media/0/.FilesByGoogleTrash/a.jpg", "the bin of Files by Google"),
    ],
)
def test_bins_of_galleries_are_told_by_their_place(path: str, bin_of: str) -> None:
    (found,) = findings(run("trash", item_of(b"x", path)))
    assert (found.kind, found.data["bin"]) == ("recycled", bin_of)


def test_what_a_note_tells_of_is_not_told_twice() -> None:
    assert run("trash", item_of(b"x", "vol1/.Trash/1000/files/a.jpg")) == []
    accepts = find_plugins().plugins["trash"].accepts
    for path in (f"{HOME}/files/a.jpg", "vol1/trashed-1-x.jpg", "vol1/home/kim/Trash/x"):
        item = item_of(b"x", path)
        assert not accepts.matches(item.entry, item.type)


def test_damage_never_breaks_it() -> None:
    for data in mutants(NOTE, 200):
        never_fails("trash", item_of(data, f"{HOME}/info/a.jpg.trashinfo"))
    for data in mutants(made(PUT_BACK), 200):
        never_fails("trash", item_of(data, "vol1/Users/kim/.Trash/.DS_Store"))
