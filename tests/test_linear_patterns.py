"""Every pattern that meets evidence takes time that grows with the text alone, however the text is made.

Profiles, plugins and conditions name patterns; evidence chooses what they are held against. Text of 64 KiB (1 MiB where a caller allows
it) is made of what makes backtracking matchers go back most, and each must end in a second of processor time.
"""

from __future__ import annotations

import re
import sqlite3
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage import escape
from triage.artifacts.encryption import encryption_of
from triage.case.where import compile_where
from triage.content.frames import _PIXMAP
from triage.content.text import text_type
from triage.content.types import extension_of, identify
from triage.errors import UsageError
from triage.evidence.segments import _RAW_PART
from triage.hashsets.formats import plain, sums, vics
from triage.hashsets.records import _NAME, _OTHER_NAME
from triage.model import Kind
from triage.plugin import Accepts, _Glob, run_plugin, sample_item
from triage.priority.globs import Globs
from triage.priority.units import parse_duration, parse_size
from triage.registry import find_plugins

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 64 << 10
STARS = ["*a*a*a*a*a*a*a*b", "*aa*aa*aa*aa*ab", "**a**a**a**a**a**b", "?*?*?*?*?*?*?*x", "*[ab]*[ab]*[ab]*[ab]*c", "*a?*a?*a?*a?*b"]
SUBJECTS = ["a" * SIZE, "ab" * (SIZE // 2), "a/" * (SIZE // 2), "/" * SIZE, "aaaaaaaaaa/" * (SIZE // 11)]


def takes_little(call: Callable[[], object], seconds: float = 1.0) -> None:
    started = time.process_time()
    call()
    assert time.process_time() - started < seconds


@pytest.mark.parametrize("glob", STARS)
def test_globs_of_profiles(glob: str) -> None:
    for subject in SUBJECTS:
        takes_little(lambda: Globs([glob]).matches(subject))  # noqa: B023 - called at once


@pytest.mark.parametrize("glob", STARS)
def test_globs_of_plugins(glob: str) -> None:
    accepts = Accepts(paths=(glob, "*:Zone.Identifier", glob[:-1]))
    for subject in SUBJECTS:
        takes_little(lambda: accepts.matches(SimpleNamespace(path=subject, kind=Kind.FILE, size=1), None))  # noqa: B023


@pytest.mark.parametrize("glob", STARS)
def test_stars_in_conditions_on_a_case(glob: str) -> None:
    where, parameters = compile_where(f"path='{glob}'")
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE files (path TEXT)")
    database.executemany("INSERT INTO files VALUES (?)", [(subject,) for subject in SUBJECTS])
    takes_little(lambda: database.execute(f"SELECT count(*) FROM files WHERE {where}", parameters).fetchall(), 5)
    database.close()


def test_words_of_conditions() -> None:
    for text in ("(" * 5000, "path=" + "'" * 4000, " " * 9000 + "!", "a=" * 3000, '"' * 9999, "size=" + "9" * 9000):

        def compile_it(text: str = text) -> None:
            with pytest.raises(UsageError):
                compile_where(text)

        takes_little(compile_it)


LINES = [
    b" " * SIZE,
    b"0" * SIZE,
    b"a" * SIZE,
    b"0 " * (SIZE // 2),
    b"\\" * SIZE,
    b"abcdef0123456789" * (SIZE // 16) + b"!",
    b"MD5 (" * (SIZE // 5),
    b"a:" * (SIZE // 2),
    b"-" * SIZE,
    b'"Media"' * (SIZE // 7),
    b'"media"' + b" " * SIZE,
    b"\t" * SIZE + b"x",
]


@pytest.mark.parametrize("pattern", [sums._GNU, sums._SIMPLE, sums._BSD, plain._PREFIX], ids=["gnu", "simple", "bsd", "prefix"])
def test_lines_of_hash_lists(pattern: re.Pattern[bytes]) -> None:
    for line in LINES:
        takes_little(lambda: (pattern.match(line), pattern.fullmatch(line), pattern.search(line)))  # noqa: B023


def test_heads_and_columns_of_hash_lists() -> None:
    for line in LINES:
        text = line.decode("latin-1")
        takes_little(lambda: (_NAME.fullmatch(text), _OTHER_NAME.fullmatch(text), vics._CASE.search(text)))  # noqa: B023


TEXTS = [
    b'["' + b"\\" * SIZE,
    b'{"' + b"a" * SIZE,
    b"<!--" * (SIZE // 4),
    b"<!---->" * (SIZE // 7),
    b"<?xml " + b"<a:" * (SIZE // 3),
    b" " * SIZE,
    b"\n" * SIZE,
    b"From " + b"x" * SIZE,
    b"X-" + b"A-" * (SIZE // 2),
    b"P1 " + b"#\n" * (SIZE // 2),
    b"P1" + b" " * SIZE,
    b"P4 " + b"#" * SIZE,
    b"1" * SIZE,
    b"[" * SIZE,
    b"[1," + b" " * SIZE,
    b"From: " + b"a: " * (SIZE // 3),
    b"<svg" + b":svg" * (SIZE // 4),
    b"<" * SIZE,
    b"d1:a" * (SIZE // 4),
    b"{" + b" " * SIZE + b'"',
]


def test_types_by_content() -> None:
    for text in TEXTS:
        for data in (text, text[:4096], text.decode("latin-1").encode("utf-16")):
            takes_little(lambda: (identify(data, len(data), data[-512:]), text_type(data), _PIXMAP.match(data)))  # noqa: B023


def test_encryption_and_plugins() -> None:
    pdfs = [
        b"%PDF-1.4\n" + one * (SIZE // len(one))
        for one in (b"/Encrypt ", b"/Encrypt 1 1 ", b"/Encrypt" + b" " * 20, b"/Encrypt 1111111111 ")
    ]
    for data in pdfs:
        takes_little(lambda: encryption_of(lambda at, n: data[at : at + n], len(data), "pdf"))  # noqa: B023
    info = find_plugins().get("zone_identifier")
    for line in (
        "=" * SIZE,
        "HostUrl=http://" + "[" * SIZE,
        "HostUrl=" + "/" * SIZE,
        "ZoneId=" + "9" * SIZE,
        "[" * SIZE,
        "HostUrl=http://" + "a." * SIZE,
    ):
        item = sample_item(f"[ZoneTransfer]\n{line}\n".encode(), "vol1/a:Zone.Identifier", Kind.STREAM)
        takes_little(lambda: run_plugin(info.load(), "k", item))  # noqa: B023


def test_escaping_and_names() -> None:
    million = 1 << 18
    for text in (
        ";" * million,
        "; " * (million // 2),
        ";" + " " * million,
        "=" * million,
        "\x1b[" * (million // 2),
        "\u202e" * million,
        "|\t" * (million // 2),
    ):
        takes_little(lambda: (escape.show(text), escape.markup(text), escape.cell(text)), 5)  # noqa: B023
    for name in ("." * SIZE, "a." * (SIZE // 2), ":" * SIZE, "1" * SIZE, "." + "1" * SIZE, "a" * SIZE):
        takes_little(lambda: (extension_of(name), _RAW_PART.match(name)))  # noqa: B023


def test_sizes_and_durations() -> None:
    for text in ("1" * SIZE, "1." * (SIZE // 2), "1h" * (SIZE // 2), " " * SIZE + "x", "1" + " " * SIZE + "!", "1m1s" * (SIZE // 4)):

        def parse(text: str = text) -> None:
            for parser in (parse_size, parse_duration):
                with pytest.raises(ValueError, match=r"is not a|has no unit|out of range|ambiguous"):
                    parser(text)

        takes_little(parse)


def by_expression(glob: str, path: str) -> bool:
    pieces = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(pieces.get(piece) or re.escape(piece) for piece in re.findall(r"\*\*|.", glob, re.DOTALL))
    return re.match(rf"(?:^|.*/)(?:{body})\Z", path, re.DOTALL) is not None


@settings(max_examples=400, deadline=None)
@given(st.text("ab/*?", min_size=1, max_size=8).map(lambda g: g.lstrip("/") or "a"), st.text("ab/", max_size=10))
def test_globs_of_plugins_mean_what_their_regular_expressions_meant(glob: str, path: str) -> None:
    assert _Glob(glob).matches(path) == by_expression(glob, path)
    if path:
        entry = SimpleNamespace(path=path.upper(), kind=Kind.FILE, size=1)
        assert Accepts(paths=(glob,)).matches(entry, None) == by_expression(glob, path)
