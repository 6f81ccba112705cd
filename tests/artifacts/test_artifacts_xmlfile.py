"""XML becomes a tree; what declares entities, nests without end or is not well-formed ends in a reason."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.artifacts import xmlfile
from triage.artifacts.structure import StructureError
from triage.artifacts.xmlfile import Element, parse_xml

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<lolz>&c;</lolz>"""
CHAIN = b"<!DOCTYPE x [" + b"".join(b'<!ENTITY e%d "&e%d;">' % (n, n + 1) for n in range(20_000)) + b"]><x>&e0;</x>"


def test_a_document_is_a_tree_of_plain_values() -> None:
    document = parse_xml('<?xml version="1.0" encoding="UTF-8"?><a x="1"><b>t\u00e4<c/>xt</b><b y="2"/></a>'.encode())
    assert document.root == Element("a", {"x": "1"}, [Element("b", {}, [Element("c")], "täxt"), Element("b", {"y": "2"})])
    assert document.root.find("b", "c") == Element("c")
    assert document.root.find("b", "d") is None
    assert document.notes == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "windows-1252"])
def test_encodings_are_told(encoding: str) -> None:
    stated = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(encoding, encoding)
    document = parse_xml(f'<?xml version="1.0" encoding="{stated}"?><a>caf\u00e9</a>'.encode(encoding))
    assert document.root.text == "caf\u00e9"


@pytest.mark.parametrize(
    "data",
    [
        LAUGHS,
        CHAIN,
        LAUGHS.decode().encode("utf-16"),
        LAUGHS.decode().encode("utf-16-le"),
        b"\xef\xbb\xbf" + LAUGHS,
        b"<!-- > [ --><?pi [ ?>\n<!DOCTYPE a SYSTEM '[>' [<!ATTLIST a b CDATA 'default'>]><a/>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY % x "y"> %x;]><a/>',
    ],
)
def test_entities_and_other_declarations_are_refused(data: bytes) -> None:
    with pytest.raises(StructureError, match="declares entities"):
        parse_xml(data)


@pytest.mark.parametrize("encoding", ["ebcdic-cp-us", "cp037x", "utf-7", "zlib", "unicode_escape", "punycode"])
def test_encodings_whose_markup_is_not_ascii_are_refused(encoding: str) -> None:
    with pytest.raises(StructureError, match="encoding"):
        parse_xml(b'<?xml version="1.0" encoding="' + encoding.encode() + b'"?><a/>')


def test_a_document_type_without_declarations_is_passed_over_and_nothing_is_fetched() -> None:
    data = b"""<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://[::1]:9/x.dtd"><plist>1</plist>"""
    assert parse_xml(data).root.text == "1"


def test_a_reference_to_an_entity_that_nobody_declared_ends_the_tree() -> None:
    document = parse_xml(b"<a><b>1</b><c>&x;</c><d/></a>")
    assert [child.name for child in document.root.children][:2] == ["b", "c"]
    assert document.notes == ("not well-formed from line 1 on: the rest is left out",)


def test_limits_cut_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = parse_xml(b"<a>" * 100_000)
    assert deep.notes == ("nested more than 200 deep: the rest is left out",)
    monkeypatch.setattr(xmlfile, "MAX_NODES", 100)
    assert "more than 100 elements" in parse_xml(b"<a>" + b"<b/>" * 1000 + b"</a>").notes[0]
    assert "more than 100 elements" in parse_xml(b"<r><a " + b" ".join(b'x%d=""' % n for n in range(200)) + b"/></r>").notes[0]
    monkeypatch.setattr(xmlfile, "MAX_TEXT", 100)
    assert "characters of text" in parse_xml(b"<a>" + b"x" * 1000 + b"</a>").notes[0]
    monkeypatch.setattr(xmlfile, "MAX_BYTES", 100)
    with pytest.raises(StructureError, match="more than 100 bytes"):
        parse_xml(b"<a>" + bytes(100))


def test_what_is_cut_off_gives_what_came_before() -> None:
    document = parse_xml(b"<a><b>one</b><c>two")
    assert [(child.name, child.text) for child in document.root.children] == [("b", "one"), ("c", "two")]
    assert "not well-formed" in document.notes[0]


def test_bytes_that_are_no_characters_are_shown() -> None:
    document = parse_xml(b"<a>x\xffy</a>")
    assert document.root.text == "x\\xffy"
    assert "shown as \\xNN" in document.notes[0]


def test_what_is_no_xml_is_refused() -> None:
    for data in (b"", b"words", b"\xff\xfe", b"<", b"<!DOCTYPE a", b"<!--", b"{}", bytes(100)):
        with pytest.raises(StructureError):
            parse_xml(data)


def _plain(element: ET.Element) -> Element:
    text = (element.text or "") + "".join(child.tail or "" for child in element)
    return Element(element.tag, dict(element.attrib), [_plain(child) for child in element], text)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,4}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=8)
TREES = st.recursive(
    st.tuples(NAMES, st.dictionaries(NAMES, TEXT, max_size=2), TEXT),
    lambda inner: st.tuples(NAMES, st.dictionaries(NAMES, TEXT, max_size=2), st.lists(inner, max_size=3)),
    max_leaves=10,
)


def _built(tree: tuple[str, dict[str, str], object]) -> ET.Element:
    element = ET.Element(tree[0], tree[1])
    if isinstance(tree[2], str):
        element.text = tree[2]
    else:
        element.extend(_built(child) for child in tree[2])  # type: ignore[attr-defined]
    return element


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_trees_are_those_of_the_standard_library(tree: tuple[str, dict[str, str], object]) -> None:
    data = ET.tostring(_built(tree), encoding="utf-8")
    assert parse_xml(data).root == _plain(ET.fromstring(data))


SAMPLES = [
    LAUGHS,
    b'<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE a "b"><a x="1"><b>t</b><![CDATA[<]]><c/></a>',
    "<a>b</a>".encode("utf-16"),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=4)), min_size=1, max_size=4))
def test_mutants_are_a_tree_or_an_error_of_ours(sample: bytes, changes: list[tuple[int, bytes]]) -> None:
    mutant = bytearray(sample)
    for at, put in changes:
        mutant[at % len(mutant) : at % len(mutant) + len(put)] = put
    with contextlib.suppress(StructureError):
        assert parse_xml(bytes(mutant)).root.name
