"""Programs of interest: noted once a volume and user, by a table that labs can change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine_support import digest, run_case
from fat_image import make_fat

from triage.case.store import Case
from triage.case.work import Seen
from triage.engine.programs import programs_seen
from triage.priority.profile import load_profile
from triage.priority.records import Program

if TYPE_CHECKING:
    from pathlib import Path

ROWS = (
    Program(name="Mule", kind="peer-to-peer", paths=("*/eMule/*", "*known.met")),
    Program(name="Wiper", kind="wiping", paths=("*/wipe*.exe",)),
    Program(name="Off", kind="other", paths=()),
)


def seen(*paths: str, state: str = "allocated") -> list[Seen]:
    return [Seen(f"id{n}", "e", 1, path, state, n * 10**18) for n, path in enumerate(sorted(paths), 1)]


def test_a_program_is_said_once_a_user_with_its_files_and_last_time() -> None:
    found = programs_seen(
        seen("vol1/Users/kim/eMule/a.txt", "vol1/Users/kim/eMule/b.txt", "vol1/Users/sam/eMule/c.txt", "vol1/notes.txt"), ROWS
    )
    assert [(f.data["user"], f.data["files"], f.data["last_changed"], path) for f, path in found] == [
        ("kim", 2, "2033-05-18T03:33:20Z", "vol1/Users/kim/eMule/a.txt"),
        ("sam", 1, "2065-01-24T05:20:00Z", "vol1/Users/sam/eMule/c.txt"),
    ]
    assert found[0][0].title == "Mule (peer-to-peer): 2 files"


def test_what_was_deleted_is_said_to_be() -> None:
    ((found, _),) = programs_seen(seen("vol1/x/WIPER.EXE", state="deleted"), ROWS)
    assert found.title == "Wiper (wiping): 1 file, all of them deleted"


def test_a_run_notes_programs_and_a_changed_table_changes_them(tmp_path: Path) -> None:
    image = tmp_path / "e.raw"
    image.write_bytes(make_fat({"EMULE/A.TXT": b"a\n" * 50, "TOOLS/SDELETE.EXE": b"MZ" + bytes(900), "NOTE.TXT": b"text\n" * 9}))

    def programs(case: Path) -> dict[str, Any]:
        with Case.open(case) as opened:
            return {row["data"]["name"]: row["data"]["program_kind"] for row in opened.findings() if row["kind"] == "program"}

    run_case(image, tmp_path / "case")
    assert programs(tmp_path / "case") == {"eMule or aMule": "peer-to-peer", "SDelete": "wiping"}
    own = tmp_path / "own.yaml"
    rows = '  - {name: SDelete, paths: []}\n  - {name: Notes, paths: ["*/note.txt"]}\n'
    own.write_text(f"schema: 1\nname: own\nextends: full\nprograms:\n{rows}")
    run_case(image, tmp_path / "case", profile=load_profile(own))
    run_case(image, tmp_path / "once", profile=load_profile(own))
    assert programs(tmp_path / "case") == {"eMule or aMule": "peer-to-peer", "Notes": "other"}
    assert digest(tmp_path / "case") == digest(tmp_path / "once")
