"""A name contradicts its content only where that means something."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.content.catalog import TYPES
from triage.content.types import extension_mismatch


@pytest.mark.parametrize(
    ("file_name", "type_name"),
    [
        ("photo.png", "jpeg"),
        ("photo.txt", "jpeg"),
        ("photo.xyz", "jpeg"),
        ("movie.dll", "mp4"),
        ("a.jpg", "zip"),
        ("a.jpg", "pe"),
        ("a.txt", "pe"),
        ("report.jpg", "docx"),
        ("x.mp3", "sqlite"),
        ("x.docx", "zip"),
        ("page.jpg", "html"),
        ("run.png", "script"),
        ("notes.txt:picture.txt", "jpeg"),
        ("mail.png", "pst"),
        ("a.doc", "xls"),
        ("a.JPG", "png"),
        ("photo.png:$DATA", "jpeg"),
        ("photo.png. ", "jpeg"),
    ],
)
def test_a_name_that_contradicts_its_content(file_name: str, type_name: str) -> None:
    assert extension_mismatch(file_name, type_name)


@pytest.mark.parametrize(
    ("file_name", "type_name"),
    [
        ("photo.jpg", "jpeg"),
        ("photo.JPEG", "jpeg"),
        ("photo", "jpeg"),
        (".photo", "jpeg"),
        ("photo.tmp", "jpeg"),
        ("a.bak", "zip"),
        ("a.dat", "sqlite"),
        ("notes.jpg", "text"),
        ("x.jpg", ""),
        ("x.jpg", "no such type"),
        ("x.jpg", "empty"),
        ("a.mov", "mp4"),
        ("a.doc", "ole"),
        ("a.xpi", "zip"),
        ("a.docm", "docx"),
        ("book.xls", "html"),
        ("app.config", "xml"),
        ("notes.txt:p.jpg", "jpeg"),
        ("a.001", "e01"),
        ("data.unknown", "zip"),
        ("prog.unknown", "pe"),
        ("photo.2019-01-02", "jpeg"),
        ("$IABCDEF.exe", "recycle-bin"),
        ("a.tif", "nef"),
        ("movie.mkv", "webm"),
        ("letter.doc", "rtf"),
        ("x.in", "png"),
        ("Mr. Smith on holiday", "jpeg"),
    ],
)
def test_a_name_that_does_not(file_name: str, type_name: str) -> None:
    assert not extension_mismatch(file_name, type_name)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(sorted(TYPES)))
def test_no_name_makes_the_comparison_raise(file_name: str, type_name: str) -> None:
    assert extension_mismatch(file_name, type_name) in {True, False}
