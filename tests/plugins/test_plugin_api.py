"""What a plugin is given is bounded and read-only; what it gives back is checked."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.content.catalog import TYPES
from triage.content.stream import analyze_content
from triage.model import Entry, Finding, Kind, Outcome, Problem, Severity
from triage.plugin import (
    MAX_FINDINGS,
    Accepts,
    Item,
    OptionsError,
    Plugin,
    build_options,
    options_to_json,
    run_plugin,
    sample_item,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def entry(path: str = "vol1/a/b.jpg", size: int = 100, kind: Kind = Kind.FILE) -> Entry:
    return Entry(
        id="e1", evidence="ev", volume=1, path=path, name=path.rpartition("/")[2], kind=kind, size=size
    )


def streamed(data: bytes) -> Item:
    """An item too large to be kept: its bytes come from the medium."""
    result = analyze_content("k", lambda o, n: data[o : o + n], len(data))
    return Item(
        entry(size=len(data)),
        result.content,
        result.type,
        head=data[:64],
        read_at=lambda o, n: data[o : o + n],
    )


@pytest.mark.parametrize(
    ("accepts", "path", "kind", "wanted"),
    [
        (Accepts(), "vol1/x", None, True),
        (Accepts(types=("jpeg",)), "vol1/x", "jpeg", True),
        (Accepts(types=("jpeg",)), "vol1/x", "png", False),
        (Accepts(types=("jpeg",)), "vol1/x", None, False),
        (Accepts(categories=("picture",)), "vol1/x", "png", True),
        (Accepts(types=("pdf",), categories=("picture",)), "vol1/x", "pdf", True),
        (Accepts(categories=("unknown",)), "vol1/x", None, True),
        (Accepts(types=("",)), "vol1/x", None, True),
        (Accepts(paths=("*.jpg",)), "vol1/a/B.JPG", None, True),
        (Accepts(paths=("*.jpg",)), "vol1/a/b.png", None, False),
        (Accepts(paths=("Users/*/NTUSER.DAT",)), "vol2/Users/anna/ntuser.dat", None, True),
        (Accepts(paths=("Users/*/NTUSER.DAT",)), "vol2/Users/a/b/ntuser.dat", None, False),
        (Accepts(paths=("Users/**/NTUSER.DAT",)), "vol2/Users/a/b/ntuser.dat", None, True),
        (Accepts(paths=("b.jpg",)), "vol1/ab.jpg", None, False),
        (Accepts(paths=("*:Zone.Identifier",)), "vol1/a/x.exe:Zone.Identifier", None, True),
        (Accepts(paths=("?.jpg", "a+b")), "vol1/a+b", None, True),
        (Accepts(kinds=(Kind.STREAM,)), "vol1/x", None, False),
        (Accepts(min_size=101), "vol1/x", None, False),
        (Accepts(max_size=99), "vol1/x", None, False),
        (Accepts(min_size=100, max_size=100), "vol1/x", None, True),
    ],
)
def test_accepts_means_every_condition_that_is_set(
    accepts: Accepts, path: str, kind: str | None, wanted: bool
) -> None:
    assert accepts.matches(entry(path), TYPES[kind] if kind else None) is wanted


def test_empty_items_are_not_wanted_unless_asked_for() -> None:
    assert not Accepts().matches(entry(size=0), None)
    assert Accepts(min_size=0).matches(entry(size=0), None)


@pytest.mark.parametrize("make", [sample_item, streamed])
def test_an_item_gives_its_bytes_and_no_others(make: Any) -> None:
    data = bytes(range(200))
    item = make(data)
    assert item.head(10) == data[:10]
    assert item.head(500) == data
    assert item.read(150) == data[:150]
    assert item.read_at(190, 50) == data[190:]
    assert item.read_at(200, 1) == item.read_at(-5, 10) == item.read_at(5, 0) == b""
    with item.open() as file:
        assert file.seek(-10, io.SEEK_END) == 190
        assert file.read() == data[190:]
        assert file.read(1) == b""
        assert file.seek(500) == 500
        assert file.read(1) == b""
        with pytest.raises(ValueError):
            file.seek(-1)


def test_a_file_over_the_medium_cannot_be_written() -> None:
    with streamed(bytes(100)).open() as file, pytest.raises(io.UnsupportedOperation):
        file.write(b"x")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=8))
def test_a_file_over_the_medium_reads_as_one_in_memory(steps: list[tuple[int, int]]) -> None:
    data = bytes(i % 251 for i in range(300))
    with streamed(data).open() as file:
        memory = io.BytesIO(data)
        for offset, length in steps:
            assert file.seek(offset) == memory.seek(offset)
            assert file.read(length) == memory.read(length)


def test_findings_and_problems_carry_the_item() -> None:
    item = sample_item(b"x", "vol3/a/x")
    item.plugin = "p@1#0"
    finding = item.finding("kind", "t" * 1000, {"a": 1}, [(0, 1)])
    assert (finding.entry, finding.plugin, finding.ranges, len(finding.title)) == (
        "sample",
        "p@1#0",
        ((0, 1),),
        300,
    )
    problem = item.problem("cut", Severity.INFO)
    assert (problem.stage, problem.entry, problem.path, problem.plugin) == (
        "plugin",
        "sample",
        "vol3/a/x",
        "p@1#0",
    )
    assert item.content.outcome is Outcome.DONE


@dataclass(frozen=True)
class Options:
    number: int = 3
    ratio: float = 0.5
    deep: bool = False
    words: tuple[str, ...] = ()
    name: str | None = None

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("number must not be negative")


def test_options_are_filled_from_a_profile() -> None:
    options = build_options(Options, {"number": 4, "ratio": 1, "words": ["a", "b"], "name": "n"})
    assert options == Options(4, 1.0, False, ("a", "b"), "n")
    assert options_to_json(options) == {
        "number": 4,
        "ratio": 1.0,
        "deep": False,
        "words": ["a", "b"],
        "name": "n",
    }


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"nmber": 1}, "did you mean 'number'"),
        ({"zzz": 1}, "known: deep, name, number, ratio, words"),
        ({"number": "1"}, "must be int, not str"),
        ({"number": True}, "must be int, not bool"),
        ({"deep": 1}, "must be bool"),
        ({"words": ["a", 1]}, "must be str"),
        ({"words": "abc"}, "must be tuple"),
        ({"name": 5}, "must be str | None"),
        ({"number": -1}, "must not be negative"),
    ],
)
def test_options_that_do_not_fit_are_refused_by_name(given_: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionsError) as caught:
        build_options(Options, given_)
    assert words in str(caught.value)


def test_an_option_without_default_must_be_given() -> None:
    @dataclass(frozen=True)
    class Needs:
        place: str

    with pytest.raises(OptionsError, match="'place' must be given"):
        build_options(Needs, {})


class Talks:
    """A plugin that yields what it is told to."""

    name, version, accepts = "talks", "1", Accepts()

    def __init__(self, *results: Any) -> None:
        self.results = results

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        for result in self.results:
            if isinstance(result, BaseException):
                raise result
            yield result


def run(*results: Any) -> list[Finding | Problem]:
    plugin = Talks(*results)
    assert isinstance(plugin, Plugin)
    return run_plugin(plugin, "talks@1#0", sample_item(b"x"))


FINDING = Finding(entry="sample", plugin="talks@1#0", kind="k", title="t")


def test_findings_pass_and_an_exception_becomes_a_problem_after_them() -> None:
    first, second = run(FINDING, KeyError("lost"))
    assert first == FINDING
    assert isinstance(second, Problem)
    assert second.severity is Severity.ERROR
    assert second.plugin == "talks@1#0"
    assert "KeyError" in second.detail


@pytest.mark.parametrize(
    "data",
    [{"a": b"bytes"}, {"a": float("nan")}, {"a": object()}, {"a": "x" * 100_000}],
    ids=["bytes", "nan", "object", "large"],
)
def test_a_finding_that_is_no_small_json_becomes_a_problem(data: dict[str, Any]) -> None:
    (result,) = run(replace(FINDING, data=data))
    assert isinstance(result, Problem)


def test_a_finding_that_holds_itself_becomes_a_problem() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    (result,) = run(replace(FINDING, data=loop))
    assert isinstance(result, Problem)


def test_a_stranger_among_the_results_becomes_a_problem() -> None:
    (result,) = run("just text")
    assert isinstance(result, Problem)
    assert "str" in result.message


def test_endless_findings_are_cut_and_that_is_said() -> None:
    results = run(*[FINDING] * (MAX_FINDINGS + 5))
    assert len(results) == MAX_FINDINGS + 1
    assert isinstance(results[-1], Problem)
    json.dumps([r.to_json() for r in results])


def test_running_out_of_memory_is_left_to_the_worker() -> None:
    with pytest.raises(MemoryError):
        run(MemoryError())
