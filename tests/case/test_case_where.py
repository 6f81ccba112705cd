"""The language of ``--where``: what it finds, what it says when it does not understand, and that it is never SQL."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from engine_support import run_case
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.case.store import Case
from triage.case.where import DIGESTS, FIELDS, FLAGS, NUMBERS, TEXT, TIMES, compile_where
from triage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def case(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("where") / "case"
    run_case(small_image, folder)
    with Case.open(folder) as opened:
        yield opened


def found(case: Case, where: str) -> set[str]:
    return {row["path"].removeprefix("vol1/") for row in case.files(where=where)}


TEXTS = {f"FILE{n:02}.TXT" for n in range(12)}
PICTURES = {f"DCIM/IMG{n:02}.JPG" for n in range(8)} | {"DCIM/NOTE.DOC"}


@pytest.mark.parametrize(("where", "expected"), [
    ("name=FILE03.TXT", {"FILE03.TXT"}),
    ("name='FILE03.TXT'", {"FILE03.TXT"}),
    ('name = "FILE03.TXT"', {"FILE03.TXT"}),
    ("path=vol1/FILE*", TEXTS),
    ("name=file*", set()),
    ("name~file", TEXTS),
    ("name~'ile03'", {"FILE03.TXT"}),
    ("mime=image/* and size<625", {"DCIM/IMG00.JPG", "DCIM/IMG01.JPG", "DCIM/IMG02.JPG", "DCIM/NOTE.DOC"}),
    ("type=jpeg and extension_mismatch=true", {"DCIM/NOTE.DOC"}),
    ("type=jpeg and extension_mismatch!=true", PICTURES - {"DCIM/NOTE.DOC"}),
    ("type=jpeg and not extension_mismatch=true", PICTURES - {"DCIM/NOTE.DOC"}),
    ("type=jpeg and extension_mismatch=false", PICTURES - {"DCIM/NOTE.DOC"}),
    ("state=deleted", {"_ONE.TXT"}),
    ("state!=allocated", {"_ONE.TXT"}),
    ("kind=directory", {"DCIM"}),
    ("size=76800", {"BIG.BIN"}),
    ("size=75KiB", {"BIG.BIN"}),
    ("size=76.8kb", {"BIG.BIN"}),
    ("size>=0.05MB", {"BIG.BIN"}),
    ("size>70000 and size<=76800", {"BIG.BIN"}),
    ("(name=FILE01.TXT or name=FILE02.TXT) and size>=66", {"FILE02.TXT"}),
    ("name=FILE01.TXT or name=FILE02.TXT and size>=66", {"FILE01.TXT", "FILE02.TXT"}),
    ("name=FILE0* and not (name=FILE00* or name>FILE01.TXT)", {"FILE01.TXT"}),
    ("score>=40", {"DCIM/NOTE.DOC"}),
    ("type!=null and size<1", {"EMPTY.BIN"}),
    ("mtime=null and kind!=directory", {"$FAT1", "$FAT2", "$MBR"}),
    ("mtime>=2024-05-17 and mtime<2024-05-18 and name=BIG.BIN", {"BIG.BIN"}),
    ("mtime=2024-05-17T13:30:00 and name=BIG.BIN", {"BIG.BIN"}),
    ("mtime=2024-05-17T15:30:00+02:00 and name=BIG.BIN", {"BIG.BIN"}),
    ("mtime>9999-12-31", set()),
    ("mtime<0001-01-01", set()),
    ("md5=d41d8cd98f00b204e9800998ecf8427e", {"EMPTY.BIN"}),
    ("md5=D41D8CD98F00B204E9800998ECF8427E", {"EMPTY.BIN"}),
    ("outcome=skipped", set()),
    ("name='x'", set()),
    ("name='*[a-z]*'", set()),
    ("name='?ILE03.TXT*'", set()),
    ("name=\"O'Brien\"", set()),
])
def test_what_a_condition_finds(where: str, expected: set[str], case: Case) -> None:
    assert found(case, where) == expected


@pytest.mark.parametrize(("where", "said"), [
    ("", None), ("   ", "too early"), ("size", "too early"), ("size>", "too early"), ("size 5", "needs one of"),
    ("sise>5", "did you mean 'size'"), ("nonsense=1", "no field"), ("size>abc", "not a number"), ("size~5", "for text"),
    ("mtime>yesterday", "not a time"), ("md5=xyz", "not a digest"), ("orphan=maybe", "true or false"),
    ("extension_mismatch=null", "true or false"), ("extension_mismatch>true", "true or false"), ("(size>5", "not closed"),
    ("size>5)", "unexpected"), ("size>5 size<9", "unexpected"), ("name='open", "cannot read"), ("and", "no field"),
    ("size>=<5", "needs a value"), ("size>" + "9" * 30, "too large"), ("size>" + "9" * 6000, "too large"), ("(" * 200, "too many"),
    ("not " * 200 + "size>1", "too many"), (" or ".join(["size>1"] * 900), "too long"), ("name=" + "*" * 60_000, "too long"),
    ("name=\ud800", "not text"), ("n; DROP TABLE entry=1", "no field"),
])
def test_what_is_not_understood_is_said(where: str, said: str | None, case: Case) -> None:
    if said is None:
        assert len(found(case, where)) > 20
        return
    with pytest.raises(UsageError, match=said) as caught:
        found(case, where)
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_as_many_words_as_are_taken_can_be_run(case: Case) -> None:
    assert found(case, " or ".join(["name=FILE01.TXT"] * 249)) == {"FILE01.TXT"}
    assert found(case, "not " * 8 + "name=FILE01.TXT") == {"FILE01.TXT"}
    deep = "size<0 or size>0 and not (" * 4 + "name=FILE01.TXT" + ")" * 4
    assert found(case, deep) == {"FILE01.TXT"}
    deep = "size<0 or size>0 and (" * 9 + "name=FILE01.TXT" + ")" * 9
    assert found(case, deep) == {"FILE01.TXT"}


def test_an_unknown_field_to_sort_by_is_said(case: Case) -> None:
    with pytest.raises(UsageError, match="--sort"):
        list(case.files(sort="size; DROP TABLE entry"))
    for field in FIELDS:
        assert len(list(case.files(sort=field))) == len(list(case.files(sort=f"-{field}"))) > 20


PIECES = st.sampled_from([*FIELDS, "and", "or", "not", "(", ")", "=", "!=", "<", ">", "<=", ">=", "~", "null", "true", "1", "5KiB",
                          "2024-01-01", "'a b'", '"q"', "*", "a*b", "0" * 64, "--", ";", "1e999", "-5", "[", "%", "\0", "é"])


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=12).map(" ".join) | st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
def test_any_text_runs_or_is_refused(case: Case, text: str) -> None:
    with contextlib.suppress(UsageError):
        list(case.files(where=text, limit=1))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FIELDS), st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~"]), st.text(max_size=30))
def test_no_value_becomes_sql(case: Case, field: str, operator: str, value: str) -> None:
    quote = '"' if "'" in value else "'"
    text = f"{field}{operator}{quote}{value.replace(quote, '')}{quote}"
    try:
        sql, parameters = compile_where(text)
    except UsageError:
        return
    allowed = {field, operator, "IS", "NOT", "NULL", "OR", "GLOB", "?", "0", "1", "instr(lower(" + field + "),", "lower(?))", ">", "=",
               "extension_mismatch(name,", "type)"}
    assert set(sql.replace(f"({field} IS", f"{field} IS").replace("?)", "?").replace("lower(?", "lower(?))").split()) <= allowed | {
        "lower(?)))"}, sql
    assert sql.count("?") == len(parameters)
    list(case.files(where=text, limit=1))


def test_every_field_can_be_asked_for(case: Case) -> None:
    for field in TEXT:
        found(case, f"{field}=x or {field}!=x or {field}~x or {field}<x or {field}=x* or {field}!=x* or {field}=null")
    for field in NUMBERS:
        found(case, f"{field}=1 or {field}!=1.5 or {field}<1KiB or {field}!=null")
    for field in TIMES:
        found(case, f"{field}>=2024-01-01 or {field}=null")
    for field in DIGESTS:
        found(case, f"{field}={'00' * 16} or {field}!={'00' * 16}")
    for field in FLAGS:
        found(case, f"{field}=true or {field}!=false")


def test_a_condition_cannot_write(case: Case) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        case._db.execute("DELETE FROM entry")
