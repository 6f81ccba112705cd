"""What crosses the pipe between parent and worker: bounded frames of JSON or bytes, nothing else."""

from __future__ import annotations

import io
import json
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.engine import frames
from triage.engine.frames import FrameError, parse_json, read_frame, write_frame, write_json

VALUES = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), lambda inner: st.lists(inner, max_size=3)
                      | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)


class Exact(io.BytesIO):
    """A stream that counts what is asked of it."""

    asked = 0

    def read(self, size: int | None = -1) -> bytes:
        self.asked = max(self.asked, size or 0)
        return super().read(size)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_a_value_comes_out_as_it_went_in(value: dict[str, Any]) -> None:
    pipe = io.BytesIO()
    write_json(pipe, value)
    pipe.seek(0)
    frame = read_frame(pipe)
    assert frame is not None
    assert frame[0] == frames.JSON
    assert parse_json(frame[1]) == value
    assert read_frame(pipe) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_frames_follow_each_other(pieces: list[bytes]) -> None:
    pipe = io.BytesIO()
    for piece in pieces:
        write_frame(pipe, piece)
    pipe.seek(0)
    assert [read_frame(pipe) for _ in pieces] == [(frames.BYTES, p) for p in pieces]
    assert read_frame(pipe) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64))
def test_garbage_is_a_frame_or_refused_and_never_more_than_was_sent(data: bytes) -> None:
    pipe = Exact(data)
    try:
        frame = read_frame(pipe)
    except FrameError:
        pass
    else:
        assert frame is None or len(frame[1]) <= len(data)
    assert pipe.asked <= frames.MAX_FRAME


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), st.data())
def test_a_frame_that_is_cut_short_is_refused(value: dict[str, str], data: st.DataObject) -> None:
    pipe = io.BytesIO()
    write_json(pipe, value)
    whole = pipe.getvalue()
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(whole[:cut]))


@pytest.mark.parametrize("length", [frames.MAX_FRAME + 1, 1 << 30, (1 << 32) - 1])
def test_a_length_past_the_limit_is_refused_before_anything_is_read(length: int) -> None:
    pipe = Exact(b"J" + struct.pack("<I", length) + b"x" * 100)
    with pytest.raises(FrameError):
        read_frame(pipe)
    assert pipe.asked < 100


def test_a_frame_past_the_limit_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME", 10)
    pipe = io.BytesIO()
    with pytest.raises(FrameError, match="too large"):
        write_frame(pipe, bytes(11))
    assert pipe.getvalue() == b""
    write_frame(pipe, bytes(10))


class Trap:
    """Unpickling it fails the test."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return pytest.fail, ("it was unpickled",)


def test_a_pickle_is_neither_a_frame_nor_its_content() -> None:
    poison = pickle.dumps(Trap())
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(poison))
    with pytest.raises(FrameError):
        parse_json(poison)
    pipe = io.BytesIO()
    write_frame(pipe, poison)
    pipe.seek(0)
    assert read_frame(pipe) == (frames.BYTES, poison)


@pytest.mark.parametrize("payload", [b"", b"[1]", b'"text"', b"7", b"null", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 100_000])
def test_what_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(FrameError):
        parse_json(payload)


def test_what_is_written_is_json_and_no_more() -> None:
    pipe = io.BytesIO()
    write_json(pipe, {"a": [1, None, "é"]})
    assert json.loads(pipe.getvalue()[5:]) == {"a": [1, None, "é"]}
