"""Importing lists, and matching contents against them."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest

from triage.errors import HashsetError, OutputError, UsageError
from triage.hashsets import intake as intake_module
from triage.hashsets.columns import write_store
from triage.hashsets.facts import Label, SetFacts
from triage.hashsets.intake import compile_list
from triage.hashsets.library import HashsetLibrary, check_name, default_root
from triage.hashsets.matching import Matcher, open_matcher, split_use
from triage.hashsets.records import EMPTY_FILE
from triage.hashsets.sorting import PRIMARY, Sorter
from triage.hashsets.store import Hashset
from triage.model import Content, Match, Meaning


def hashed(text: str, **changes: object) -> Content:
    data = text.encode()
    values = {
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return Content(key=text, size=len(data), **values | changes)


A, B, C, D = (hashed(t) for t in "abcd")
EMPTY = hashed("")


@pytest.fixture
def library(tmp_path) -> HashsetLibrary:
    return HashsetLibrary(tmp_path / "library")


@pytest.fixture
def listed(tmp_path):
    def write(*lines: str, name: str = "list.txt") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


# import


def test_report_counts_all_that_a_dirty_list_holds(library, listed):
    path = listed(
        "name,MD5,SHA1,SHA384,Category",
        f"a,{A.md5},{A.sha1},,1",
        f"again,{A.md5.upper()},{A.sha1},,1",
        f"b,{B.md5},,,2",
        f"b,{B.md5},,,3",
        f"empty,{EMPTY.md5},{EMPTY.sha1},,",
        "short,abc,,,",
        f"other,,,{'0' * 96},",
        "none,,,,",
    )
    report = library.import_list(path, "dirty", Meaning.NOTABLE, category="set")
    assert (report.facts.format, report.records, report.duplicates, report.conflicts) == ("csv", 2, 2, 1)
    assert (report.accepted, report.digests) == ({"md5": 4, "sha1": 2}, {"md5": 2, "sha1": 1})
    assert (report.empty_refused, report.unsupported) == (2, {"sha384": 1})
    assert (report.rejected, [r.line for r in report.rejects]) == (3, [7, 8, 9])
    assert report.facts == library.info("dirty")
    assert report.facts.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report.facts.source == "list.txt"


def test_only_the_first_thousand_rejects_are_kept_but_all_counted(library, listed):
    report = library.import_list(listed(A.md5, *["bad"] * 1500), "x", Meaning.KNOWN, fmt="plain")
    assert (report.rejected, len(report.rejects), report.rejects[0].line) == (1500, 1000, 2)


def test_dry_run_reports_the_same_and_leaves_nothing(library, listed):
    path = listed(A.md5, B.md5, B.md5, "bad")
    dry = library.import_list(path, "x", Meaning.KNOWN, dry_run=True)
    assert not library.root.exists()
    real = library.import_list(path, "x", Meaning.KNOWN)
    same = ("records", "duplicates", "accepted", "digests", "rejected", "rejects", "empty_refused", "notes")
    assert [getattr(dry, n) for n in same] == [getattr(real, n) for n in same]


def test_same_name_again_replaces_the_set_while_an_old_reader_reads_on(library, listed):
    library.import_list(listed(A.md5), "x", Meaning.KNOWN)
    with library.open("x") as old:
        library.import_list(listed(B.md5), "x", Meaning.NOTABLE)
        with library.open("x") as new:
            a, b = bytes.fromhex(A.md5), bytes.fromhex(B.md5)
            assert ((old.lookup("md5", a + b) >= 0).tolist(), (new.lookup("md5", a + b) >= 0).tolist()) == ([True, False], [False, True])
    assert library.list() == ["x"]
    assert len(list(library.root.iterdir())) == 1


@pytest.mark.parametrize("lines", [("no", "digest", "here"), (EMPTY.md5, EMPTY.sha256), ("MD4", A.md5)])
def test_list_without_a_usable_digest_is_refused_and_the_old_set_kept(library, listed, lines):
    library.import_list(listed(A.md5), "x", Meaning.KNOWN)
    before = {p.name: p.read_bytes() for p in library.root.iterdir()}
    with pytest.raises(HashsetError) as caught:
        library.import_list(listed(*lines), "x", Meaning.KNOWN)
    assert caught.value.hint
    assert {p.name: p.read_bytes() for p in library.root.iterdir()} == before


def test_failure_in_the_middle_leaves_the_library_as_it_was(library, listed, monkeypatch):
    library.import_list(listed(A.md5), "x", Meaning.KNOWN)
    before = {p.name: p.read_bytes() for p in library.root.iterdir()}

    def full(*args: object, **kwargs: object) -> None:
        args[0].write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(intake_module, "write_store", full)
    with pytest.raises(OutputError, match="No space"):
        library.import_list(listed(B.md5), "x", Meaning.KNOWN)
    assert {p.name: p.read_bytes() for p in library.root.iterdir()} == before


@pytest.mark.parametrize("how", ["grow", "alter"])
def test_list_that_changes_during_the_import_is_refused(library, listed, how):
    path = listed(A.md5, B.md5)

    def grow(stage: str, done: int, total: int) -> None:
        with path.open("a") as stream:
            stream.write(C.md5 + "\n")

    def alter(stage: str, done: int, total: int) -> None:
        path.write_text(f"{B.md5}\n{C.md5}\n")
        os.utime(path, ns=(0, 0))

    meddle = {"grow": grow, "alter": alter}[how]
    with pytest.raises(HashsetError, match="changed"):
        library.import_list(path, "x", Meaning.KNOWN, progress=meddle)
    assert list(library.root.iterdir()) == []


def test_import_with_tiny_chunks_gives_the_same_file(tmp_path, listed):
    rng = random.Random(3)
    path = listed("name,MD5,SHA256,category", *(f"x,{rng.randbytes(16).hex()},{rng.randbytes(32).hex()},{n % 7}" for n in range(3000)))
    for number, chunk_bytes in enumerate((1 << 10, 1 << 24)):
        report = compile_list(path, tmp_path / str(number), "x", Meaning.KNOWN, chunk_bytes=chunk_bytes)
        assert report.records == 3000
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


def test_missing_folder_and_special_files_are_usage_errors(library, tmp_path):
    for path in (tmp_path / "none", tmp_path, Path("-"), Path(os.devnull)):
        with pytest.raises(UsageError):
            library.import_list(path, "x", Meaning.KNOWN)
    assert not library.root.exists() or list(library.root.iterdir()) == []


def test_library_that_cannot_be_written_is_an_output_error(tmp_path, listed):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        HashsetLibrary(tmp_path / "file" / "library").import_list(listed(A.md5), "x", Meaning.KNOWN)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "-x", ".x", "x.", "con", "NUL.txt", "a b", "ä", "x" * 65, "x\n"])
def test_names_that_could_leave_the_folder_or_fail_elsewhere_are_refused(name):
    with pytest.raises(UsageError):
        check_name(name)


def test_names_that_differ_in_case_only_are_refused(library, listed):
    library.import_list(listed(A.md5), "Set.1", Meaning.KNOWN)
    with pytest.raises(UsageError, match=r"Set\.1"):
        library.import_list(listed(A.md5), "set.1", Meaning.KNOWN)


def test_names_with_dots_and_digits_are_kept_apart(library, listed):
    library.import_list(listed(A.md5), "x", Meaning.KNOWN)
    library.import_list(listed(B.md5), "x.000007", Meaning.KNOWN)
    assert library.list() == ["x", "x.000007"]
    library.remove("x")
    assert library.list() == ["x.000007"]
    assert library.info("x.000007").records == 1


def test_missing_damaged_and_renamed_sets_are_our_own_errors(library, listed):
    with pytest.raises(HashsetError, match="no hash set"):
        library.open("x")
    with pytest.raises(HashsetError, match="no hash set"):
        library.remove("x")
    library.import_list(listed(A.md5), "x", Meaning.KNOWN)
    (path,) = library.root.iterdir()
    path.rename(library.root / "y.000001.hset")
    with pytest.raises(HashsetError, match="'x'"):
        library.open("y")
    (library.root / "y.000001.hset").write_bytes(b"rubbish" * 100)
    with pytest.raises(HashsetError, match="damaged"):
        library.open("y")


def test_default_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TRIAGE_HASHSETS", str(tmp_path))
    assert HashsetLibrary().root == default_root() == tmp_path
    monkeypatch.delenv("TRIAGE_HASHSETS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.platform", "linux")
    assert default_root() == tmp_path / "data" / "triage" / "hashsets"


# matching


@pytest.fixture
def use(tmp_path, listed, library):
    opened: list[Matcher] = []

    def run(*uses: str) -> Matcher:
        opened.append(open_matcher(uses, library, tmp_path / "case" / "hashsets"))
        return opened[-1]

    yield run
    for matcher in opened:
        matcher.close()


def test_strongest_digest_wins_and_each_set_matches_once(use, listed):
    both = listed("name,MD5,SHA256,Category", f"a,{A.md5},{A.sha256},1", f"b,{B.md5},,", name="both.csv")
    other = listed(A.sha1, B.sha1, name="other.txt")
    matches = use(str(both), f"{other}:ignorable").match([A, B, C, hashed("b", md5=B.md5.upper())])
    first = Match(set="both.csv", meaning=Meaning.NOTABLE, category="1", how="sha256")
    assert matches[0] == (first, Match(set="other.txt", meaning=Meaning.IGNORABLE, how="sha1"))
    assert matches[1] == (
        Match(set="both.csv", meaning=Meaning.NOTABLE, how="md5"),
        Match(set="other.txt", meaning=Meaning.IGNORABLE, how="sha1"),
    )
    assert matches[2] == ()
    assert matches[3] == matches[1]


def test_contents_without_digests_and_empty_ones_match_nothing(use, listed):
    path = listed(A.md5)
    assert use(str(path)).match([EMPTY, hashed("a", md5=None), Content(key="x", size=9), A])[:3] == [(), (), ()]
    assert use(str(path)).match([]) == []


def test_store_that_holds_the_empty_files_digest_still_matches_no_empty_file(tmp_path):
    sorter = Sorter("md5", tmp_path)
    sorter.add(EMPTY_FILE["md5"], PRIMARY)
    write_store(tmp_path / "x", {"md5": sorter}, [Label("c")], SetFacts(name="x", meaning=Meaning.NOTABLE))
    with Matcher([Hashset(tmp_path / "x")]) as matcher:
        assert matcher.match([EMPTY]) == [()]


def test_matches_agree_with_a_python_set_on_many_contents(use, listed):
    rng = random.Random(11)
    contents = [hashed(str(n)) for n in range(3000)]
    chosen = {c.key: how for c in contents if (how := rng.choice([None, None, "md5", "sha1", "sha256"]))}
    lines = [getattr(c, chosen[c.key]) for c in contents if c.key in chosen]
    rng.shuffle(lines)
    matches = use(f"{listed(*lines)}:known").match(contents)
    assert {c.key: m[0].how for c, m in zip(contents, matches, strict=True) if m} == chosen


def test_library_set_keeps_its_meaning_unless_the_use_says_otherwise(use, library, listed):
    library.import_list(listed(A.md5), "x", Meaning.IGNORABLE, category="cat")
    assert use("x").match([A]) == [(Match(set="x", meaning=Meaning.IGNORABLE, category="cat", how="md5"),)]
    assert use("x:notable").match([A])[0][0].meaning is Meaning.NOTABLE
    (facts,) = use("x:known").sets
    assert {k: facts[k] for k in ("name", "meaning", "source", "records", "category")} == {
        "name": "x",
        "meaning": "known",
        "source": "list.txt",
        "records": 1,
        "category": "cat",
    }


def test_existing_file_comes_before_a_name(use, library, listed, monkeypatch, tmp_path):
    library.import_list(listed(A.md5), "both", Meaning.KNOWN)
    listed(B.md5, name="both")
    assert use("both").match([A, B])[0] != ()
    monkeypatch.chdir(tmp_path)
    assert [bool(m) for m in use("both").match([A, B])] == [False, True]


def test_lists_are_compiled_into_the_case_once_and_named_apart(use, listed, tmp_path):
    (tmp_path / "other").mkdir()
    one, two = listed(A.md5, name="l ist.txt"), listed(B.md5, name="other/l ist.txt")
    names = [facts["name"] for facts in use(str(one), str(two), str(one)).sets]
    assert (len(names), len(set(names)), names[0]) == (2, 2, "l_ist.txt")
    folder = tmp_path / "case" / "hashsets"
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    again = use(str(one), str(two))
    assert [facts["name"] for facts in again.sets] == names
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    next(iter(folder.iterdir())).write_bytes(b"damaged")
    assert use(str(one)).match([A])[0]


@pytest.mark.parametrize("name", ["missing", "missing.txt:known", "../missing", "/no/such/list", "."])
def test_use_that_is_nowhere_is_one_clear_error(use, name):
    with pytest.raises(HashsetError) as caught:
        use(name)
    assert "no hash" in caught.value.message
    assert caught.value.hint


def test_list_without_digests_leaves_nothing_in_the_case(use, listed, tmp_path):
    path = listed(EMPTY.md5)
    with pytest.raises(HashsetError):
        use(str(path))
    assert list((tmp_path / "case" / "hashsets").iterdir()) == []


def test_meaning_is_split_off_only_where_it_is_one():
    assert split_use("x:known") == ("x", Meaning.KNOWN)
    assert split_use(r"C:\lists\a.txt") == (r"C:\lists\a.txt", None)
    assert split_use(r"C:\a.txt:ignorable") == (r"C:\a.txt", Meaning.IGNORABLE)
    assert split_use(":known") == (":known", None)
    assert split_use("a:b:notable") == ("a:b", Meaning.NOTABLE)
