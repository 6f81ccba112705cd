"""libmagic helps where it is there; where it is not, nothing breaks and the reason is said."""

from __future__ import annotations

import importlib
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.content.magic import Libmagic, _type_of

LIBMAGIC = Libmagic()
needs_libmagic = pytest.mark.skipif(not LIBMAGIC.available, reason=f"no libmagic here: {LIBMAGIC.reason}")


@needs_libmagic
def test_it_knows_types_that_the_table_does_not() -> None:
    kind = LIBMAGIC.identify(bytes.fromhex("cafed00d00000096") + bytes(64))
    assert kind is not None
    assert kind.mime == "application/x-java-pack200"
    assert LIBMAGIC.version.startswith("5.")
    assert LIBMAGIC.reason == ""


@needs_libmagic
def test_it_never_looks_inside_compressed_bytes() -> None:
    kind = LIBMAGIC.identify(zlib.compress(b"%PDF-1.7\n" * 100))
    assert kind is None or "pdf" not in kind.name


@needs_libmagic
@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=500))
def test_hostile_bytes_do_not_make_it_raise(data: bytes) -> None:
    kind = LIBMAGIC.identify(data)
    assert kind is None or "/" in kind.mime


def test_without_the_library_it_says_so_and_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError("failed to find libmagic.  Check your installation")

    monkeypatch.setattr(importlib, "import_module", missing)
    libmagic = Libmagic()
    assert not libmagic.available
    assert "failed to find libmagic" in libmagic.reason
    assert libmagic.identify(b"anything") is None


def test_a_library_that_breaks_in_use_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def from_buffer(self, head: bytes) -> str:
            raise UnicodeDecodeError("utf-8", b"", 0, 1, "bad")

    libmagic = Libmagic()
    monkeypatch.setattr(libmagic, "_handle", Broken())
    assert libmagic.identify(b"x") is None


@pytest.mark.parametrize(
    ("mime", "name", "category"),
    [
        ("image/jpeg", "jpeg", "picture"),
        ("image/x-new", "new", "picture"),
        ("video/x-new; charset=binary", "new", "video"),
        ("font/sfnt", "sfnt", "system"),
        ("application/x-new", "new", "unknown"),
    ],
)
def test_categories_come_from_the_first_word(mime: str, name: str, category: str) -> None:
    kind = _type_of(mime)
    assert kind is not None
    assert (kind.name, kind.category) == (name, category)


@pytest.mark.parametrize(
    "mime", ["", "application/octet-stream", "text/plain", "cannot open", "a/b/c", "im\x1bage/x", "ä/x"]
)
def test_an_answer_that_says_nothing_is_none(mime: str) -> None:
    assert _type_of(mime) is None
