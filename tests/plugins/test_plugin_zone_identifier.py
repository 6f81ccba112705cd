"""Where a download came from is read out of its Zone.Identifier, whatever else stands there."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.model import Finding, Kind, Problem
from triage.plugin import run_plugin, sample_item
from triage.registry import find_plugins

INFO = find_plugins().get("zone_identifier")
SAMPLE = (
    b"[ZoneTransfer]\r\nZoneId=3\r\nReferrerUrl=https://example.org/page?x=1\r\n"
    b"HostUrl=https://cdn.example.org/setup.exe\r\nHostIpAddress=192.0.2.7\r\n"
)


def run(
    data: bytes, path: str = "vol2/Users/a/Downloads/setup.exe:Zone.Identifier"
) -> list[Finding | Problem]:
    item = sample_item(data, path, Kind.STREAM)
    assert INFO.accepts.matches(item.entry, item.type)
    return run_plugin(INFO.load(), INFO.key(), item)


def only(data: bytes) -> Finding:
    (finding,) = run(data)
    assert isinstance(finding, Finding)
    return finding


@pytest.mark.parametrize(
    "encode", [lambda b: b, lambda b: b"\xef\xbb\xbf" + b, lambda b: b.decode().encode("utf-16")]
)
def test_all_fields_are_read(encode: object) -> None:
    finding = only(encode(SAMPLE))  # type: ignore[operator]
    assert finding.kind == "download-origin"
    assert finding.title == "downloaded from cdn.example.org (internet)"
    assert finding.data == {
        "zone_id": 3,
        "referrer_url": "https://example.org/page?x=1",
        "host_url": "https://cdn.example.org/setup.exe",
        "host_ip_address": "192.0.2.7",
        "file": "setup.exe",
    }


def test_a_zone_alone_is_enough() -> None:
    assert only(b"[zonetransfer]\nzoneid = 2\n").title == "came from: trusted sites"
    assert only(b"[ZoneTransfer]\nZoneId=77\n").title == "came from: unknown zone"


@pytest.mark.parametrize(
    "data", [b"", b"ZoneId=3\n", b"[Other]\nZoneId=3\n", b"[ZoneTransfer]\nZoneId=\n", b"\0" * 50]
)
def test_what_says_nothing_is_no_finding(data: bytes) -> None:
    if data:
        assert run(data) == []


def test_hostile_text_is_bounded_and_never_taken_for_a_host() -> None:
    finding = only(
        b"[ZoneTransfer]\nHostUrl=https://a\x1b[31m<script>/x" + b"y" * 5000 + b"\nZoneId=" + b"9" * 50
    )
    assert len(finding.data["host_url"]) == 2048
    assert "script" not in finding.title
    assert "zone_id" not in finding.data
    assert only(b"[ZoneTransfer]\nHostUrl=http://[::bad\n").title == "came from: no zone"


def test_a_long_stream_is_cut_and_that_is_said() -> None:
    finding, problem = run(SAMPLE + b"x" * 100_000)
    assert isinstance(finding, Finding)
    assert isinstance(problem, Problem)
    assert "only the first" in problem.message


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=8),
    st.binary(max_size=100),
)
def test_mutants_give_findings_or_nothing_at_once(changes: list[tuple[int, int]], tail: bytes) -> None:
    mutant = bytearray(SAMPLE)
    for at, value in changes:
        mutant[at] = value
    started = time.perf_counter()
    results = run(bytes(mutant) + tail)
    assert all(isinstance(result, Finding) for result in results)
    assert time.perf_counter() - started < 0.5
