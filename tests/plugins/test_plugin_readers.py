"""What the page on plugins says of the shared readers is so: names, limits, and the example runs."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path

from triage.artifacts import archives, jsonfile, patterns, plist, sqlite, xmlfile
from triage.artifacts.archives import Limits
from triage.plugin import Problem, sample_item

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Reading structures of evidence\n")[2].partition("\n## ")[0]


def row(name: str) -> str:
    return next(line for line in SECTION.splitlines() if line.startswith(f"| `{name}"))


def test_the_limits_on_the_page_are_those_in_the_code() -> None:
    limits = Limits()
    said = row("archives.open_archive")
    assert f"{limits.member >> 20} MiB a member; {limits.ratio} times its packed size past {limits.ratio_free >> 20} MiB" in said
    assert f"{limits.members:,} members, {limits.depth} levels and {limits.total >> 30} GiB expanded" in said
    assert f"a nested archive {limits.nested >> 20} MiB" in said
    said = row("sqlite.")
    assert f"{sqlite.MAX_BYTES >> 20} MiB with the log; {sqlite.MAX_ROWS:,} rows a table; values of {sqlite.MAX_VALUE >> 20} MiB" in said
    assert f"{sqlite.MAX_STEPS // 10**6} million steps" in said
    said = row("plist.")
    assert f"{plist.MAX_BYTES >> 20} MiB; depth {plist.MAX_DEPTH}; {plist.MAX_VALUES:,} values and {plist.MAX_TEXT >> 20} MiB" in said
    assert f"{xmlfile.MAX_BYTES >> 20} MiB; depth {xmlfile.MAX_DEPTH}; {xmlfile.MAX_NODES:,} elements" in row("xmlfile.")
    assert f"{jsonfile.MAX_BYTES >> 20} MiB; depth {jsonfile.MAX_DEPTH}; {jsonfile.MAX_VALUES:,} values" in row("jsonfile.")
    assert f"{patterns.MAX_PATTERNS:,} patterns of {patterns.MAX_LENGTH} characters" in row("patterns.")
    assert f"hits of {patterns.MAX_HIT >> 10} KiB, {patterns.MAX_HITS:,} a pattern" in row("patterns.")


def test_every_reader_on_the_page_exists() -> None:
    named = re.findall(r"`(\w+)\.(\w+)`", "\n".join(line.split("|")[1] for line in SECTION.splitlines() if line.startswith("| `")))
    assert len(named) >= 9
    for module, name in named:
        assert hasattr(__import__(f"triage.artifacts.{module}", fromlist=[name]), name)


def test_the_example_of_the_page_says_what_was_not_read() -> None:
    code = SECTION.partition("```python\n")[2].partition("```")[0]
    body = "".join(f"    {line}\n" for line in code.splitlines() if not line.startswith("from "))
    names: dict[str, object] = {"open_archive": archives.open_archive, "walk": archives.walk}
    exec(f"def analyze(item):\n{body}", names)  # the page's own lines
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(20 << 20))
        archive.writestr("fine", b"words")
    problems = list(names["analyze"](sample_item(out.getvalue(), "vol1/a.zip")))  # type: ignore[operator]
    assert [type(p) for p in problems] == [Problem]
    assert problems[0].message == "a member of an archive was not read whole: expands more than 200 times"
    assert problems[0].detail == "b'bomb'"
