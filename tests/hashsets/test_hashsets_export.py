"""Sets as lists for other programs: what comes back of each form, and what has no place in it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import UsageError
from triage.hashsets.exports.file import export_set
from triage.hashsets.exports.written import write_csv, write_jsonl, write_vics
from triage.hashsets.facts import SetFacts
from triage.hashsets.intake import compile_events, compile_list
from triage.hashsets.records import FACTS, HashRecord, block_row, pdq_row
from triage.hashsets.store import Hashset
from triage.model import Meaning

if TYPE_CHECKING:
    from pathlib import Path


def bytes_of(text: str, length: int) -> bytes:
    return hashlib.shake_128(text.encode()).digest(length)


RECORDS = [
    HashRecord(md5=bytes_of("a", 16), sha1=bytes_of("a", 20), sha256=bytes_of("a", 32), category="1", size=4711, name="a file.jpg",
               more=(("pdq", pdq_row(bytes_of("p", 32), bytes_of("h", 8))), ("block", block_row(bytes_of("b", 16), 3)),
                     ("frame", bytes_of("f", 32)), ("sha512", bytes_of("s", 64)), ("photodna", bytes_of("v", 144))),
               facts=(("series", "a series"), ("victim_identified", "yes"))),
    HashRecord(md5=bytes_of("b", 16), category="no number"),
    HashRecord(sha1=bytes_of("c", 20), more=(("ed2k", bytes_of("e", 16)),), name='quoted "name", with comma'),
    HashRecord(sha256=bytes_of("d", 32), category="=1+1"),
]  # fmt: skip


def compiled(records: list[HashRecord], path: Path) -> Hashset:
    facts = SetFacts(name="own", meaning=Meaning.NOTABLE, category="", source="own", source_sha256="", format="files")
    compile_events(records, path, facts)
    return Hashset(path)


@pytest.fixture
def own(tmp_path: Path) -> Hashset:
    return compiled(RECORDS, tmp_path / "own.set")


def again(data: str, tmp_path: Path, meaning: Meaning = Meaning.NOTABLE) -> Hashset:
    (tmp_path / "exported").write_text(data, encoding="utf-8")
    target = tmp_path / "again.set"
    target.unlink(missing_ok=True)
    compile_list(tmp_path / "exported", target, name="own", meaning=meaning)
    return Hashset(target)


def lines(hashset: Hashset) -> list[str]:
    out = io.StringIO()
    assert not write_jsonl(hashset, out)
    return out.getvalue().splitlines()


def test_json_lines_come_back_whole(own: Hashset, tmp_path: Path) -> None:
    first = lines(own)
    second = again("\n".join(first) + "\n", tmp_path)
    assert sorted(lines(second)) == sorted(first)
    assert second.facts.digests == own.facts.digests
    assert second.facts.records == own.facts.records


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            HashRecord,
            md5=st.binary(min_size=16, max_size=16),
            sha1=st.none() | st.binary(min_size=20, max_size=20),
            sha256=st.none(),
            more=st.just(()) | st.binary(min_size=16, max_size=16).map(lambda v: (("ed2k", v),)),
            name=st.sampled_from(["", "a name.jpg"]),
            category=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=12).map(str.strip),
            size=st.none() | st.integers(1, 1 << 40),
            facts=st.none().map(lambda _: ()) | st.sampled_from([((name, "yes"),) for name in FACTS if name != "tags"]),
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda r: r.md5,
    )
)
def test_any_records_come_back_of_json_lines(tmp_path_factory: pytest.TempPathFactory, records: list[HashRecord]) -> None:
    folder = tmp_path_factory.mktemp("export")
    first = lines(compiled(records, folder / "own.set"))
    assert sorted(lines(again("\n".join(first) + "\n", folder))) == sorted(first)


def test_csv_comes_back_with_all_digests_and_says_what_it_has_no_place_for(own: Hashset, tmp_path: Path) -> None:
    out = io.StringIO()
    left = write_csv(own, out)
    assert left == {"blocks, for which CSV has no place": 1, "frames, for which CSV has no place": 1}
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert {row["category"] for row in rows} == {"1", "no number", "", "'=1+1"}  # a formula runs nowhere
    back = again(out.getvalue(), tmp_path)
    wanted = {kind: count for kind, count in own.facts.digests.items() if kind not in ("block", "frame")}
    assert back.facts.digests == wanted


def test_vics_is_what_public_readers_take(own: Hashset, tmp_path: Path) -> None:
    out = io.StringIO()
    left = write_vics(own, out, "UK")
    data = json.loads(out.getvalue())
    assert list(data) == ["@odata.context", "value"]
    assert data["@odata.context"].endswith("/2.0.xml/UK/$metadata#Media")
    first, second = data["value"]
    assert (first["MD5"], first["Category"], first["MediaSize"], first["VictimIdentified"]) == (
        bytes_of("a", 16).hex().upper(), 1, 4711, True,
    )  # fmt: skip
    assert "Category" not in second  # "no number" is none, and 0 would mean something
    assert left["records without MD5, which VICS needs"] == 2
    assert left["categories that are no numbers, left out of their records"] == 1
    assert left["blocks, for which VICS has no place"] == 1
    back = again(out.getvalue(), tmp_path)
    assert back.facts.format == "vics"
    assert {kind: back.count(kind) for kind in ("md5", "sha1", "sha256", "pdq", "photodna")} == {
        "md5": 2, "sha1": 1, "sha256": 1, "pdq": 1, "photodna": 1,
    }  # fmt: skip


def test_kdb_comes_back_and_sleuth_kit_finds_its_digests(own: Hashset, tmp_path: Path) -> None:
    out = tmp_path / "own.kdb"
    left = export_set(own, "kdb", out)
    assert left["records without MD5, by which Autopsy looks up"] == 2
    compile_list(out, tmp_path / "back.set", name="own", meaning=Meaning.NOTABLE)
    assert Hashset(tmp_path / "back.set").facts.digests == {"md5": 2, "sha1": 1, "sha256": 1}
    if shutil.which("hfind") is None:
        pytest.skip("hfind is not installed (Debian: sleuthkit)")
    said = subprocess.run(["hfind", out, bytes_of("a", 16).hex(), bytes_of("z", 16).hex()], capture_output=True, text=True, check=False)
    assert [("Not Found" in line) for line in said.stdout.strip().splitlines()] == [False, True]


def test_a_file_that_is_there_is_not_replaced_unasked(own: Hashset, tmp_path: Path) -> None:
    out = tmp_path / "list.csv"
    out.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export_set(own, "csv", out)
    assert out.read_text() == "mine"
    export_set(own, "csv", out, force=True)
    assert out.read_text().startswith("md5,")
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")] == []


def test_a_kdb_needs_a_file(own: Hashset) -> None:
    with pytest.raises(UsageError, match="needs a file"):
        export_set(own, "kdb", None)
