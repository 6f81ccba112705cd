"""What a run makes of lists beyond whole digests: likeness, parts, harmless files, digests in traces, groups across exhibits."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from typing import TYPE_CHECKING, Any

import pytest
from engine_support import Silent, coverage, digest, files, run_case
from fat_image import make_fat
from picturing import clip, encoded, scene
from PIL import ImageOps

from triage.case.store import Case
from triage.engine.buildset import build_records
from triage.engine.run import RunOptions, run
from triage.hashsets.facts import SetFacts
from triage.hashsets.library import HashsetLibrary
from triage.model import Meaning
from triage.priority.profile import load_profile
from triage.priority.records import CategoryRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = (400, 300)
KNOWN = {"a.jpg": encoded(scene(1, SIZE)), "b.jpg": encoded(scene(2, SIZE))}
OTHERS = {
    "SAME.JPG": KNOWN["a.jpg"],
    "SMALLER.JPG": encoded(scene(1, SIZE).resize((240, 180)), quality=60),
    "MIRROR.JPG": encoded(ImageOps.mirror(scene(2, SIZE))),
    "NEGATIVE.JPG": encoded(ImageOps.invert(scene(2, SIZE))),
    "OTHER.JPG": encoded(scene(3, SIZE)),
    "NOTE.TXT": b"no picture at all\n" * 30,
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HashsetLibrary:
    monkeypatch.setenv("TRIAGE_HASHSETS", str(tmp_path / "library"))
    return HashsetLibrary()


@pytest.fixture
def build(library: HashsetLibrary, tmp_path: Path) -> Callable[..., None]:
    def make(name: str, contents: dict[str, bytes], meaning: Meaning = Meaning.NOTABLE, category: str = "") -> None:
        folder = tmp_path / f"of-{name}"
        folder.mkdir()
        for file, data in contents.items():
            (folder / file).write_bytes(data)
        built = build_records(folder, category=category, jobs=1)
        facts = SetFacts(name=name, meaning=meaning, category=category, source=name, source_sha256="", format="files")
        library.build(built.records, facts)
        assert built.skipped == []

    return make


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return medium(tmp_path / "exhibit.raw", OTHERS)


def medium(path: Path, contents: dict[str, bytes], deleted: frozenset[str] = frozenset(), serial: int = 1) -> Path:
    path.write_bytes(make_fat(contents, deleted, serial=serial))
    return path


def named(case: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in files(case).values()}


def findings(case: Path, kind: str) -> list[dict[str, Any]]:
    with Case.open(case) as opened:
        return [row for row in opened.findings() if row["kind"] == kind]


def test_edited_copies_of_known_pictures_are_found_with_their_distance_and_stay_unknown(
    image: Path, build: Callable[..., None], tmp_path: Path
) -> None:
    build("cases", KNOWN, category="1")
    run_case(image, tmp_path / "case", hashsets=("cases",))
    rows = named(tmp_path / "case")
    assert {name: row["known"] for name, row in rows.items() if row["known"]} == {"SAME.JPG": "notable"}
    assert {name: row["alike"] for name, row in rows.items() if row["alike"]} == {
        "SMALLER.JPG": "match", "MIRROR.JPG": "match", "NEGATIVE.JPG": "match",
    }  # fmt: skip
    (match,) = rows["MIRROR.JPG"]["matches"]
    assert (match["how"], match["tier"], match["category"]) == ("pdq", "match", "1")
    assert match["distance"] <= 31
    assert match["detail"]["turned"] == "flipy"
    titles = {row["path"].rpartition("/")[2]: row["title"] for row in findings(tmp_path / "case", "similar-match")}
    assert "mirrored left to right" in titles["MIRROR.JPG"]
    assert "a negative" in titles["NEGATIVE.JPG"]
    # What is on no list itself and looks like what is comes up first: it is new, and a person has to see it.
    assert rows["SMALLER.JPG"]["score"] > rows["OTHER.JPG"]["score"] > rows["NOTE.TXT"]["score"]
    assert [r["rule"] for r in rows["SMALLER.JPG"]["reasons"]][:2] == ["similar-match", "near-notable"]
    assert rows["OTHER.JPG"]["matches"] == rows["NOTE.TXT"]["matches"] == []


def test_a_copy_of_a_known_video_is_found_by_its_frames(build: Callable[..., None], tmp_path: Path) -> None:
    pytest.importorskip("av")
    build("films", {"known.mp4": clip([1, 2, 3, 4])})
    path = medium(tmp_path / "exhibit.raw", {
        "COPY.AVI": clip([1, 2, 3, 4], form="avi", codec="mpeg4", size=(240, 180)),
        "OTHER.MP4": clip([11, 12, 13, 14]),
    })  # fmt: skip
    run_case(path, tmp_path / "case", hashsets=("films",))
    rows = named(tmp_path / "case")
    assert (rows["COPY.AVI"]["alike"], rows["OTHER.MP4"]["alike"]) == ("match", None)
    (match,) = rows["COPY.AVI"]["matches"]
    assert match["how"] == "frames"
    assert 0 < match["detail"]["frames"] <= match["detail"]["of_file"]


def test_the_profile_sets_the_distances_and_switches_comparing_off(image: Path, build: Callable[..., None], tmp_path: Path) -> None:
    build("cases", KNOWN)
    full = load_profile("full")
    strict = dataclasses.replace(full, compare=dataclasses.replace(full.compare, match=0, likely=0, weak=0))
    run_case(image, tmp_path / "strict", hashsets=("cases",), profile=strict)
    assert named(tmp_path / "strict")["SMALLER.JPG"]["alike"] is None
    off = dataclasses.replace(full, compare=dataclasses.replace(full.compare, pictures=False))
    run_case(image, tmp_path / "off", hashsets=("cases",), profile=off)
    assert {row["alike"] for row in files(tmp_path / "off").values()} == {None}
    assert any("pictures were not compared by likeness" in line for line in coverage(tmp_path / "off")["not_done"])


def test_harmless_files_are_hashed_and_not_looked_into(build: Callable[..., None], tmp_path: Path, image: Path) -> None:
    build("harmless", {"x.jpg": OTHERS["OTHER.JPG"], "y.jpg": OTHERS["SAME.JPG"]}, Meaning.IGNORABLE)
    build("cases", KNOWN)
    run_case(image, tmp_path / "case", hashsets=("harmless", "cases"))
    rows = named(tmp_path / "case")
    assert {name for name, row in rows.items() if row["spared"]} == {"OTHER.JPG"}
    assert (rows["OTHER.JPG"]["known"], rows["OTHER.JPG"]["sha256"]) == ("ignorable", hashlib.sha256(OTHERS["OTHER.JPG"]).hexdigest())
    # It is on a notable list as well: that goes first, and it is looked into.
    assert rows["SAME.JPG"]["known"] == "notable"
    size = len(OTHERS["OTHER.JPG"])
    assert any(f"1 item on an ignorable list ({size:,} bytes) was hashed" in line for line in coverage(tmp_path / "case")["not_done"])


def test_what_was_spared_is_looked_into_when_the_list_is_taken_back(build: Callable[..., None], tmp_path: Path, image: Path) -> None:
    build("harmless", {"x.jpg": OTHERS["SMALLER.JPG"]}, Meaning.IGNORABLE)
    build("cases", KNOWN)
    run_case(image, tmp_path / "case", hashsets=("cases", "harmless"))
    assert named(tmp_path / "case")["SMALLER.JPG"]["alike"] is None
    run_case(image, tmp_path / "case", hashsets=("cases",))
    run_case(image, tmp_path / "once", hashsets=("cases",))
    row = named(tmp_path / "case")["SMALLER.JPG"]
    assert (row["spared"], row["alike"]) == (0, "match")
    assert digest(tmp_path / "case") == digest(tmp_path / "once")


def test_another_list_on_resume_gives_what_it_gives_at_once(build: Callable[..., None], tmp_path: Path, image: Path) -> None:
    build("first", {"b.jpg": KNOWN["b.jpg"]})
    build("second", {"a.jpg": KNOWN["a.jpg"]})
    run_case(image, tmp_path / "case", hashsets=("first",))
    assert {n for n, row in named(tmp_path / "case").items() if row["alike"]} == {"MIRROR.JPG", "NEGATIVE.JPG"}
    run_case(image, tmp_path / "case", hashsets=("first", "second"))
    run_case(image, tmp_path / "once", hashsets=("first", "second"))
    assert {n for n, row in named(tmp_path / "case").items() if row["alike"]} == {"MIRROR.JPG", "NEGATIVE.JPG", "SMALLER.JPG"}
    assert digest(tmp_path / "case") == digest(tmp_path / "once")


@pytest.mark.slow
def test_workers_change_nothing(build: Callable[..., None], tmp_path: Path, image: Path) -> None:
    build("cases", KNOWN)
    run_case(image, tmp_path / "one", hashsets=("cases",), jobs=1)
    run_case(image, tmp_path / "three", hashsets=("cases",), jobs=3)
    assert digest(tmp_path / "one") == digest(tmp_path / "three")


def test_the_labs_table_says_what_a_category_means(build: Callable[..., None], tmp_path: Path, image: Path) -> None:
    build("all", {"a.jpg": KNOWN["a.jpg"]}, Meaning.KNOWN, category="1")
    profile = dataclasses.replace(load_profile("full"), categories=(CategoryRow(category="1", label="worst", meaning="notable"),))
    run_case(image, tmp_path / "case", hashsets=("all",), profile=profile)
    rows = named(tmp_path / "case")
    assert (rows["SAME.JPG"]["known"], rows["SMALLER.JPG"]["alike"]) == ("notable", "match")
    assert rows["SAME.JPG"]["matches"][0]["label"] == "worst"
    assert any("worst" in reason["text"] for reason in rows["SAME.JPG"]["reasons"])


def test_pictures_that_look_alike_form_groups_across_exhibits(library: HashsetLibrary, tmp_path: Path) -> None:
    first = medium(tmp_path / "first.raw", {"ONE.JPG": KNOWN["a.jpg"], "LONE.JPG": KNOWN["b.jpg"]}, serial=1)
    second = medium(tmp_path / "second.raw", {"TWO.JPG": OTHERS["SMALLER.JPG"], "NOTE.TXT": b"text"}, serial=2)
    case = tmp_path / "case"
    run(RunOptions(evidence=(first, second), case=case, profile=load_profile("full"), jobs=1), Silent())
    rows = named(case)
    assert rows["ONE.JPG"]["likeness"] == rows["TWO.JPG"]["likeness"] is not None
    assert rows["ONE.JPG"]["evidence"] != rows["TWO.JPG"]["evidence"]
    assert rows["LONE.JPG"]["likeness"] is rows["NOTE.TXT"]["likeness"] is None


def test_what_is_like_something_notable_of_the_case_comes_up(library: HashsetLibrary, tmp_path: Path, image: Path) -> None:
    plain = tmp_path / "list.txt"
    plain.write_text(hashlib.md5(KNOWN["a.jpg"]).hexdigest() + "\n")
    run_case(image, tmp_path / "case", hashsets=(f"{plain}:notable",))
    rows = named(tmp_path / "case")
    assert rows["SMALLER.JPG"]["alike"] is None  # the list has no hash to be alike to
    assert next(r["rule"] for r in rows["SMALLER.JPG"]["reasons"]) == "similar-in-case"


def test_part_of_a_known_file_in_free_space_is_said_with_its_blocks(build: Callable[..., None], tmp_path: Path) -> None:
    known = random.Random(1).randbytes(40 * 4096)
    build("cases", {"known.bin": known})
    path = medium(tmp_path / "exhibit.raw", {"KEPT.TXT": b"stays\n" * 100, "GONE.BIN": random.Random(2).randbytes(300_000)},
                  frozenset({"GONE.BIN"}))  # fmt: skip
    data = bytearray(path.read_bytes())
    at = data.index(random.Random(2).randbytes(300_000)) + 7 * 512
    data[at : at + 20 * 4096] = known[10 * 4096 : 30 * 4096]
    path.write_bytes(data)
    run_case(path, tmp_path / "case", hashsets=("cases",))
    (found,) = findings(tmp_path / "case", "known-part")
    assert (found["data"]["blocks"], found["data"]["of"]) == (20, 40)
    assert found["data"]["file"] == "known.bin"
    row = next(row for row in files(tmp_path / "case").values() if row["id"] == found["entry"])
    assert row["runs"] == [[at, 20 * 4096]]
    assert row["score"] >= 80


def test_a_list_of_harmless_files_has_no_parts(build: Callable[..., None], tmp_path: Path) -> None:
    known = random.Random(1).randbytes(40 * 4096)
    build("harmless", {"known.bin": known}, Meaning.IGNORABLE)
    path = medium(tmp_path / "exhibit.raw", {"KEPT.TXT": b"stays\n" * 100, "GONE.BIN": known + b"!"}, frozenset({"GONE.BIN"}))
    run_case(path, tmp_path / "case", hashsets=("harmless",))
    assert findings(tmp_path / "case", "known-part") == findings(tmp_path / "case", "known-part-weak") == []


PLUGIN = '''
"""Digests that a trace names."""

from triage.plugin import Accepts


class Named:
    name = "named"
    version = "1"
    accepts = Accepts(paths=("*.MET",))

    def analyze(self, item):
        digests = [{"ed2k": line.decode()} for line in item.read(1 << 16).split()]
        yield item.finding("shared-files", "names files", {"digests": digests})


PLUGIN = Named
'''


def test_a_digest_that_a_trace_names_is_matched_though_the_file_is_gone(library: HashsetLibrary, tmp_path: Path) -> None:
    plugin = tmp_path / "plugins" / "named.py"
    plugin.parent.mkdir()
    plugin.write_text(PLUGIN)
    listed, other = "51d6cfe0d16ae931b73c59d7e0c089ff", "41d6cfe0d16ae931b73c59d7e0c089ff"
    (tmp_path / "list.csv").write_text(f"ed2k,category\n{listed},4711\n")
    path = medium(tmp_path / "exhibit.raw", {"KNOWN.MET": f"{other}\n{listed}\nnot a digest\n".encode(), "NOTE.TXT": listed.encode()})
    full = load_profile("full")
    profile = dataclasses.replace(full, plugins={**full.plugins, "named": {}})
    run_case(path, tmp_path / "case", hashsets=(f"{tmp_path / 'list.csv'}:notable",), plugin_paths=(plugin,), profile=profile)
    (found,) = findings(tmp_path / "case", "named-match")
    assert found["path"].endswith("KNOWN.MET")
    assert found["data"]["named"] == {"ed2k": listed}
    assert "4711" in found["title"]
    assert found["data"]["how"] == "ed2k"


def test_records_that_need_a_comparison_that_is_not_here_are_counted(library: HashsetLibrary, tmp_path: Path, image: Path) -> None:
    vector = "AAAA" * 48
    (tmp_path / "list.json").write_text(
        '{"@odata.context":"http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/US/$metadata#Media","value":['
        f'{{"MediaID":1,"Category":1,"PhotoDNA":"{vector}"}}]}}'
    )
    run_case(image, tmp_path / "case", hashsets=(f"{tmp_path / 'list.json'}:notable",))
    said = coverage(tmp_path / "case")["not_done"]
    assert any("1 record with nothing but PhotoDNA, for which no comparison is installed" in line for line in said)


ADDRESSES = '''
"""Addresses that a trace names."""

from triage.plugin import Accepts


class Named:
    name = "named"
    version = "1"
    accepts = Accepts(paths=("*.MET",))

    def analyze(self, item):
        for line in item.read(1 << 16).decode().split():
            yield item.finding("visit", "visited", {"url": line})


PLUGIN = Named
'''


def test_an_address_on_a_list_is_a_finding_of_its_own_also_with_a_list_that_comes_later(library: HashsetLibrary, tmp_path: Path) -> None:
    plugin = tmp_path / "plugins" / "named.py"
    plugin.parent.mkdir()
    plugin.write_text(ADDRESSES)
    (tmp_path / "sites.txt").write_text("bad.example\n")
    library.import_list(tmp_path / "sites.txt", "sites", Meaning.NOTABLE, "4711", "urls")
    path = medium(tmp_path / "exhibit.raw", {"A.MET": b"https://www.bad.example/x https://good.example/\n"})
    full = load_profile("full")
    profile = dataclasses.replace(full, plugins={**full.plugins, "named": {}})
    run_case(path, tmp_path / "case", plugin_paths=(plugin,), profile=profile)
    assert findings(tmp_path / "case", "url-match") == []
    run_case(path, tmp_path / "case", hashsets=("sites",), plugin_paths=(plugin,), profile=profile)
    run_case(path, tmp_path / "once", hashsets=("sites",), plugin_paths=(plugin,), profile=profile)
    (found,) = findings(tmp_path / "case", "url-match")
    assert (found["data"]["url"], found["data"]["detail"]["entry"]) == ("https://www.bad.example/x", "bad.example")
    assert found["title"] == "an address on the list sites as notable (4711)"
    assert named(tmp_path / "case")["A.MET"]["reasons"][0]["rule"] == "listed-address"
    assert digest(tmp_path / "case") == digest(tmp_path / "once")
