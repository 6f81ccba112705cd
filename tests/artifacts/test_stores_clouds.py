"""Files in clouds, as their programs note them: made databases, and the loops and gaps that a tree of folders may have."""

from __future__ import annotations

from store_makers import NOW, clouds, database, mutants, of_kind, said

from triage.artifacts.structure import StructureError


def test_onedrive_has_paths_digests_and_what_was_deleted() -> None:
    told = [one for store in ("onedrive", "onedrive-deleted") for one in of_kind(said(clouds(), store), "cloud-file")]
    # The folders name each other as parents: each stands once.
    assert told[0]["path"] == "Pictures/2023/x.jpg"
    assert told[0]["quickxor"] == "00" * 20
    assert (told[1]["path"], told[1]["digests"]) == ("y.jpg", [{"sha1": "ab" * 20}])
    assert [(one["path"], one.get("program"), one["removed"]) for one in told[2:]] == [
        ("gone.jpg", None, True),
        ("\\a\\b.txt", "explorer.exe", True),
    ]
    assert all(one["time"] == "2023-11-14T22:13:20Z" for one in told)


def test_google_drive_for_desktop_has_both_digests() -> None:
    told = of_kind(said(clouds(), "google-drive-mirror"), "cloud-file")
    assert [one["path"] for one in told] == ["root", "root/a.png"]
    assert told[1]["digests"] == [{"md5": "0" * 32}, {"md5": "1" * 32}]


def test_google_drives_items() -> None:
    row = {"stable_id": 1, "id": "abc", "trashed": 0, "is_folder": 1, "modified_date": NOW * 1000, "local_title": "Root", "file_size": 0}
    data = database(
        items=[row, {**row, "stable_id": 2, "is_folder": 0, "trashed": 1, "local_title": "a.txt", "file_size": 7}],
        stable_parents=[{"item_stable_id": 2, "parent_stable_id": 1}],
    )
    told = of_kind(said(data), "cloud-file")
    assert [(one["path"], one.get("folder"), one.get("removed"), one["size"]) for one in told] == [
        ("Root", True, None, 0),
        ("Root/a.txt", None, True, 7),
    ]


def test_mega_has_the_names_that_are_readable_and_says_how_many_are_not() -> None:
    told = said(clouds(), "mega")
    assert [one.data.get("path") for one in told] == ["Cloud", "Cloud/m.zip", None]
    assert (told[2].kind, told[2].data["nodes"]) == ("locked-database", 1)


def test_icloud_drive_and_onedrive_on_phones() -> None:
    items = [
        {"item_id": b"1", "item_parent_id": b"0", "item_filename": "Desktop", "version_mtime": None},
        {"item_id": b"2", "item_parent_id": b"1", "item_filename": "a.pdf", "version_mtime": NOW, "version_size": 5},
    ]
    told = of_kind(said(database(client_items=items)), "cloud-file")
    assert [one["path"] for one in told] == ["Desktop", "Desktop/a.pdf"]
    row = {"itemdate": NOW * 1000, "name": "a", "extension": ".jpg", "ownername": "Ann", "sha1hash": "AB" * 20}
    assert of_kind(said(database(items=[row])), "cloud-file")[0]["digests"] == [{"sha1": "ab" * 20}]


def test_a_deep_tree_ends() -> None:
    rows = [{"item_id": n, "item_parent_id": n + 1, "item_filename": str(n), "version_mtime": NOW} for n in range(500)]
    told = of_kind(said(database(client_items=rows)), "cloud-file")
    assert len(told) == 500
    assert max(one["path"].count("/") for one in told) == 64


def test_columns_may_hold_anything() -> None:
    for data in mutants(clouds(), 60):
        try:
            said(data)
        except StructureError:
            continue
