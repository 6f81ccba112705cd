"""The records keep their values through JSON, refuse what is not theirs, derive what their docstrings say."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.model import (
    Content,
    Encryption,
    Entry,
    Evidence,
    Finding,
    Kind,
    Locator,
    Match,
    Meaning,
    Outcome,
    Problem,
    Record,
    Recoverability,
    Run,
    Severity,
    State,
    TimeBasis,
    Volume,
    iso_time,
)

QUICK = settings(max_examples=60, deadline=None)

TEXT = st.text(max_size=12)
NUMBER = st.integers(-(1 << 63), (1 << 64) - 1)
MAYBE = st.none() | NUMBER
MAYBE_TEXT = st.none() | TEXT
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
TEXTS = st.dictionaries(TEXT, TEXT, max_size=3)

RUN = st.builds(Run, image_offset=MAYBE, length=NUMBER)
RUNS = st.lists(RUN, max_size=3).map(tuple)
LOCATOR = st.builds(
    Locator, evidence=TEXT, volume_offset=NUMBER, meta_addr=MAYBE, meta_seq=MAYBE, attr_type=MAYBE,
    attr_id=MAYBE, runs=RUNS,
    member=MAYBE_TEXT,
)
EVIDENCE = st.builds(
    Evidence, id=TEXT, paths=st.lists(TEXT, max_size=3).map(tuple), kind=TEXT, size=NUMBER,
    sector_size=NUMBER, facts=TEXTS,
    stored_digests=TEXTS, fingerprint=TEXT, exhibit=TEXT,
)
VOLUME = st.builds(
    Volume, evidence=TEXT, number=MAYBE, offset=NUMBER, size=NUMBER, scheme=TEXT, type=TEXT, label=TEXT,
    file_system=TEXT,
    block_size=NUMBER, encryption=st.sampled_from(Encryption), found_by=TEXT,
)
ENTRY = st.builds(
    Entry, id=TEXT, evidence=TEXT, volume=MAYBE, path=TEXT, name=TEXT,
    name_raw=st.none() | st.binary(max_size=8),
    kind=st.sampled_from(Kind), name_allocated=st.booleans(), meta_allocated=st.booleans(),
    orphan=st.booleans(),
    recoverability=st.sampled_from(Recoverability), size=NUMBER, mtime=MAYBE, atime=MAYBE, ctime=MAYBE,
    crtime=MAYBE,
    time_basis=st.sampled_from(TimeBasis), meta_addr=MAYBE, meta_seq=MAYBE, mode=MAYBE, uid=MAYBE, gid=MAYBE,
    nlink=MAYBE,
    link_target=MAYBE_TEXT, runs=RUNS, resident=st.booleans(), encrypted=st.booleans(), parent=MAYBE_TEXT, depth=NUMBER,
    locator=st.none() | LOCATOR,
)
CONTENT = st.builds(
    Content, key=TEXT, size=NUMBER, md5=MAYBE_TEXT, sha1=MAYBE_TEXT, sha256=MAYBE_TEXT, mime=TEXT, type=TEXT,
    entropy=st.none() | st.floats(0, 8), outcome=st.sampled_from(Outcome), reason=TEXT,
)
MATCH = st.builds(Match, set=TEXT, meaning=st.sampled_from(Meaning), category=TEXT, how=TEXT, distance=NUMBER)
FINDING = st.builds(
    Finding, entry=TEXT, plugin=TEXT, kind=TEXT, title=TEXT, data=OBJECT,
    ranges=st.lists(st.tuples(NUMBER, NUMBER), max_size=3).map(tuple),
)
PROBLEM = st.builds(
    Problem, severity=st.sampled_from(Severity), stage=TEXT, message=TEXT, evidence=TEXT, volume=MAYBE,
    entry=MAYBE_TEXT,
    path=TEXT, plugin=TEXT, detail=TEXT,
)
RECORDS = [LOCATOR, EVIDENCE, VOLUME, ENTRY, CONTENT, MATCH, FINDING, PROBLEM]
BY_NAME = pytest.mark.parametrize(
    "records",
    RECORDS,
    ids=["Locator", "Evidence", "Volume", "Entry", "Content", "Match", "Finding", "Problem"],
)
SMALLEST: list[Record] = [
    Locator(evidence="e"),
    Evidence(id="e", paths=("a.E01",), kind="ewf", size=512),
    Volume(evidence="e", number=1, offset=0, size=512, scheme="none"),
    Entry(id="i", evidence="e", volume=1, path="vol1/a", name="a", kind=Kind.FILE),
    Content(key="k", size=0),
    Match(set="s", meaning=Meaning.NOTABLE),
    Finding(entry="i", plugin="p", kind="k", title="t"),
    Problem(severity=Severity.ERROR, stage="filesystem", message="m"),
]
EACH = pytest.mark.parametrize("record", SMALLEST, ids=lambda r: type(r).__name__)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


# --- JSON ---------------------------------------------------------------------------------------------------


@BY_NAME
@QUICK
@given(data=st.data())
def test_a_record_comes_back_from_json(records: st.SearchStrategy[Record], data: st.DataObject) -> None:
    record = data.draw(records)
    back = type(record).from_json(through_json(record.to_json()))
    assert back == record
    assert back.to_json() == record.to_json()
    assert pickle.loads(pickle.dumps(record)) == record


@EACH
def test_every_field_stands_in_the_json_form(record: Record) -> None:
    assert list(record.to_json()) == [field.name for field in dataclasses.fields(record)]


@EACH
def test_an_unknown_key_is_refused(record: Record) -> None:
    with pytest.raises(TypeError):
        type(record).from_json({**record.to_json(), "colour": "red"})


@EACH
def test_a_missing_key_is_refused_unless_it_has_a_default(record: Record) -> None:
    for field in dataclasses.fields(record):
        less = {name: value for name, value in record.to_json().items() if name != field.name}
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            with pytest.raises(TypeError):
                type(record).from_json(less)
        else:
            assert type(record).from_json(less) == record


@EACH
@pytest.mark.parametrize("data", [None, 5, "text", [], [["evidence", "e"]], b"{}"])
def test_what_is_not_an_object_is_refused(record: Record, data: Any) -> None:
    with pytest.raises(TypeError):
        type(record).from_json(data)


@pytest.mark.parametrize(
    ("record", "field", "wrong"),
    [
        (SMALLEST[0], "runs", 5), (SMALLEST[0], "runs", [5]), (SMALLEST[0], "runs", [[1]]),
        (SMALLEST[0], "runs", [[1, 2, 3]]),
        (SMALLEST[1], "paths", 5),
        (SMALLEST[2], "encryption", "perhaps"),
        (SMALLEST[3], "kind", "folder"), (SMALLEST[3], "kind", []), (SMALLEST[3], "kind", {}),
        (SMALLEST[3], "name_raw", "no base64!"), (SMALLEST[3], "name_raw", 5), (SMALLEST[3], "name_raw", "é"),
        (SMALLEST[3], "locator", 5), (SMALLEST[3], "locator", {}), (SMALLEST[3], "locator", {"evidence": "e",
        "x": 1}),
        (SMALLEST[3], "recoverability", 1), (SMALLEST[3], "time_basis", "lunar"),
        (SMALLEST[4], "outcome", "fine"),
        (SMALLEST[5], "meaning", "evil"),
        (SMALLEST[6], "ranges", [["a", "b"]]), (SMALLEST[6], "ranges", [[1]]), (SMALLEST[6], "ranges", 5),
        (SMALLEST[7], "severity", "fatal"),
    ],
)
def test_values_that_do_not_fit_are_refused(record: Record, field: str, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        type(record).from_json({**record.to_json(), field: wrong})


def test_values_of_another_type_are_refused() -> None:
    taken = []
    for record, field, wrong in [
        (SMALLEST[0], "evidence", 5), (SMALLEST[0], "meta_addr", "64"), (SMALLEST[0], "volume_offset", 1.5),
        (SMALLEST[0], "volume_offset", True), (SMALLEST[0], "volume_offset", None),
        (SMALLEST[0], "runs", {"ab": 1}), (SMALLEST[0], "runs", [["a", "b"]]),
        (SMALLEST[1], "paths", "abc"), (SMALLEST[1], "facts", []),
        (SMALLEST[2], "encryption", None),
        (SMALLEST[3], "kind", None), (SMALLEST[3], "size", "5"), (SMALLEST[3], "orphan", "no"),
        (SMALLEST[3], "path", []),
        (SMALLEST[4], "md5", 5), (SMALLEST[4], "entropy", "high"),
        (SMALLEST[6], "data", []), (SMALLEST[6], "title", {}), (SMALLEST[6], "ranges", [[float("inf"), 1]]),
        (SMALLEST[7], "message", {}), (SMALLEST[7], "volume", "1"),
    ]:
        with contextlib.suppress(TypeError, ValueError):
            taken.append((field, type(record).from_json({**record.to_json(), field: wrong})))
    assert not taken


@EACH
@QUICK
@given(data=st.data())
def test_any_json_in_any_field_ends_in_a_record_or_a_refusal(record: Record, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from([field.name for field in dataclasses.fields(record)]))
    value = data.draw(JSON)
    try:
        back = type(record).from_json({**record.to_json(), field: value})
    except (TypeError, ValueError, KeyError):
        return
    assert type(back) is type(record)


def test_replace_changes_what_is_named_and_nothing_else() -> None:
    entry = SMALLEST[3]
    assert entry.replace(size=5).to_json() == {**entry.to_json(), "size": 5}
    assert entry.to_json()["size"] == 0
    with pytest.raises(TypeError):
        entry.replace(colour="red")


def test_records_cannot_be_changed() -> None:
    for record in SMALLEST:
        name = dataclasses.fields(record)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, "other")
        with pytest.raises((AttributeError, TypeError)):
            record.colour = "red"  # type: ignore[attr-defined]


# --- what is derived ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name_allocated", "meta_allocated", "orphan", "state"),
    [
        (True, True, False, State.ALLOCATED),
        (False, True, False, State.DELETED),  # the name is gone, its file has another
        (True, False, False, State.DELETED),
        (False, False, False, State.DELETED),
        (True, True, True, State.ORPHAN),
        (False, False, True, State.ORPHAN),
    ],
)
@pytest.mark.parametrize(
    "kind", [Kind.FILE, Kind.DIRECTORY, Kind.LINK, Kind.SPECIAL, Kind.STREAM, Kind.SLACK, Kind.UNALLOCATED]
)
def test_state_follows_from_the_two_flags_and_orphan(
    kind: Kind, name_allocated: bool, meta_allocated: bool, orphan: bool, state: State
) -> None:
    entry = Entry(id="i", evidence="e", volume=1, path="p", name="n", kind=kind,
    name_allocated=name_allocated,
                  meta_allocated=meta_allocated, orphan=orphan)
    assert entry.state is state


@pytest.mark.parametrize("kind", [Kind.CARVED, Kind.CACHED, Kind.DERIVED])
@pytest.mark.parametrize("flag", [True, False])
def test_what_is_made_of_other_bytes_says_so_whatever_the_flags(kind: Kind, flag: bool) -> None:
    entry = Entry(id="i", evidence="e", volume=1, path="p", name="n", kind=kind, name_allocated=flag,
    meta_allocated=flag,
                  orphan=not flag)
    assert entry.state.value == kind.value


def test_every_kind_has_a_state() -> None:
    assert {Entry(id="i", evidence="e", volume=1, path="p", name="n", kind=kind).state for kind in Kind} == {
        State.ALLOCATED, State.CARVED, State.CACHED, State.DERIVED
    }


def test_a_locator_key_is_the_same_on_every_machine_and_in_every_version() -> None:
    """Cases are resumed by it: a new value here makes every existing case foreign."""
    plain = Locator(evidence="0123", volume_offset=1048576, meta_addr=64, meta_seq=3, attr_type=128,
    attr_id=0)
    assert plain.key == "a17e94978576e9c1825f96b8f2dd1f50"
    cut = Locator(evidence="0123", runs=(Run(image_offset=512, length=1024), Run(image_offset=None,
    length=7)), member="a/b")
    assert cut.key == "05109d9a98d59f5dccf4d5122c9e7228"


@QUICK
@given(LOCATOR, LOCATOR)
def test_locator_keys_differ_as_locators_do(one: Locator, other: Locator) -> None:
    assert (one.key == other.key) == (one == other)
    assert Locator.from_json(through_json(one.to_json())).key == one.key


@pytest.mark.parametrize(
    ("field", "value"),
    [("evidence", "f"), ("volume_offset", 1), ("meta_addr", 1), ("meta_seq", 1), ("attr_type", 1),
    ("attr_id", 1),
     ("runs", (Run(image_offset=0, length=1),)), ("runs", (Run(image_offset=None, length=1),)), ("member",
     ""), ("member", "a")],
)
def test_every_field_of_a_locator_counts(field: str, value: Any) -> None:
    assert Locator(evidence="e").key != Locator(evidence="e").replace(**{field: value}).key


@pytest.mark.parametrize(
    ("number", "offset", "name"), [(1, 0, "vol1"), (12, 512, "vol12"), (None, 1048576, "gap@1048576")]
)
def test_a_volume_is_named_by_number_or_place(number: int | None, offset: int, name: str) -> None:
    assert Volume(evidence="e", number=number, offset=offset, size=1, scheme="gpt").name == name


# --- times --------------------------------------------------------------------------------------------------

SECOND = 1_000_000_000
FIRST = -62_135_596_800 * SECOND
LAST = 253_402_300_799 * SECOND + 999_999_999


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (100, "1970-01-01T00:00:00.000000100Z"),
        (1_000, "1970-01-01T00:00:00.000001Z"),
        (1_000_000, "1970-01-01T00:00:00.001Z"),
        (500_000_000, "1970-01-01T00:00:00.500Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (-SECOND, "1969-12-31T23:59:59Z"),
        (951_782_400 * SECOND, "2000-02-29T00:00:00Z"),
        (1_700_000_000_123_456_700, "2023-11-14T22:13:20.123456700Z"),
        (2_147_483_648 * SECOND, "2038-01-19T03:14:08Z"),
        (-11_644_473_600 * SECOND, "1601-01-01T00:00:00Z"),
        (315_532_800 * SECOND, "1980-01-01T00:00:00Z"),
        (FIRST, "0001-01-01T00:00:00Z"),
        (FIRST - 1, None),
        (LAST, "9999-12-31T23:59:59.999999999Z"),
        (LAST + 1, None),
        (1 << 80, None),
        (-(1 << 80), None),
        (10**400, None),
    ],
)
def test_a_time_as_text(nanoseconds: int | None, text: str | None) -> None:
    assert iso_time(nanoseconds) == text


@QUICK
@given(st.integers(FIRST, LAST))
def test_the_text_of_a_time_says_it_to_the_nanosecond(nanoseconds: int) -> None:
    text = iso_time(nanoseconds)
    assert text is not None
    assert text.endswith("Z")
    whole, _, rest = text[:-1].partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert (seconds.days * 86_400 + seconds.seconds) * SECOND + int(rest.ljust(9, "0") or 0) == nanoseconds
    assert len(rest) in {0, 3, 6, 9}


@QUICK
@given(st.integers())
def test_any_number_is_a_time_or_none(nanoseconds: int) -> None:
    assert (iso_time(nanoseconds) is None) == (not FIRST <= nanoseconds <= LAST)
