"""Whatever evidence calls its files: what comes through triage.escape is inert and says what was there."""

from __future__ import annotations

import csv
import html
import io
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage.escape import cell, markup, show, show_name

BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
# Any code point, lone surrogates too, with the dangerous ones often.
HOSTILE = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("\x00\x07\x08\t\n\r\x1b\x7f\x85\x9b\u200b\u202e\u2028"),
        st.sampled_from("\u2066\ufeff\ud800\udcff\U000e0041"),
        st.sampled_from("<>&\"'`=+-@\\/[];,|＝＋－＠"),
    ),
    max_size=40,
)
QUICK = settings(max_examples=150, deadline=None)


def assert_inert(text: str) -> None:
    for char in text:
        assert unicodedata.category(char) not in {"Cc", "Cs", "Zl", "Zp"}, ascii(char)
        assert unicodedata.bidirectional(char) not in BIDI_CONTROLS, ascii(char)
    assert not re.search("[\u00ad\u061c\u180e\u200b-\u200f\u2060-\u206f\ufeff\U000e0000-\U000e007f]", text)
    assert len(text.splitlines()) <= 1


def unescaped(shown: str) -> str:
    """Take :func:`show`'s escapes back; exact for text without backslashes."""
    escape = r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))"
    return re.sub(escape, lambda m: chr(int(m[1] or m[2] or m[3], 16)), shown)


# --- show -----------------------------------------------------------------------------------------


@QUICK
@given(HOSTILE)
def test_what_is_shown_is_inert_on_one_line_and_stays_so(text: str) -> None:
    shown = show(text)
    assert_inert(shown)
    assert show(shown) == shown


@QUICK
@given(HOSTILE.filter(lambda text: "\\" not in text))
def test_what_is_shown_still_says_what_was_there(text: str) -> None:
    assert unescaped(show(text)) == text


@QUICK
@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "M", "P", "S")), max_size=40))
def test_plain_text_of_any_script_is_left_alone(text: str) -> None:
    assert show(text) == text


def test_every_single_character_is_inert() -> None:
    assert_inert("".join(show(chr(code)) for code in range(0x110000)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("holiday.jpg", "holiday.jpg"),
        ("été 2024 – 東京 🏖.jpg", "été 2024 – 東京 🏖.jpg"),
        ("\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b]8;;http://evil\x1b\\link", "\\x1b]8;;http://evil\\x1b\\link"),
        ("\x9b31m", "\\x9b31m"),
        ("\x90q\x9c", "\\x90q\\x9c"),
        ("a\nINFO all is well", "a\\x0aINFO all is well"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("a\x85b", "a\\x85b"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("a\x0bb\x0cc", "a\\x0bb\\x0cc"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\u061ca\u200eb\u200f", "\\u061ca\\u200eb\\u200f"),
        ("a\u200bb\u200dc\u2060d\ufeffe", "a\\u200bb\\u200dc\\u2060d\\ufeffe"),
        ("soft\u00adhyphen", "soft\\xadhyphen"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\ud800 \udfff \udc80", "\\ud800 \\udfff \\udc80"),
        ("nul\x00byte\x7f", "nul\\x00byte\\x7f"),
        ("[bold]x[/bold] [/]", "[bold]x[/bold] [/]"),
        ("C:\\new\\table", "C:\\new\\table"),
    ],
)
def test_shown(text: str, shown: str) -> None:
    assert show(text) == shown


# --- show_name ------------------------------------------------------------------------------------


@QUICK
@given(st.one_of(st.binary(max_size=40), HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass"))))
@example(b"plain.txt")
@example("\u00e9.txt".encode())
def test_a_name_is_called_exact_only_if_its_bytes_can_be_read_off(raw: bytes) -> None:
    shown, exact = show_name(raw)
    assert_inert(shown)
    assert "/" not in shown
    assert exact == (shown.encode("utf-8") == raw)


@QUICK
@given(st.binary(max_size=40).filter(lambda raw: b"\\" not in raw))
@example(b"\xed\xa0\x80")
@example(b"\xed\xa0\x80\xed\xb0\x80")
def test_two_names_without_backslashes_never_look_alike(raw: bytes) -> None:
    """Read back one by one: an escape below 0x100 is a byte of the name, or the character it spells; a half pair is its three bytes."""
    shown, _exact = show_name(raw)
    text = raw.decode("utf-8", "surrogateescape")
    back = re.sub("[\ud800-\udfff]", lambda m: m[0].encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"), unescaped(shown))
    back = "".join(chr(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in back)
    assert [ord(c) - 0xDC00 if "\udc80" <= c <= "\udcff" else ord(c) for c in text] == [ord(c) for c in back]


@pytest.mark.parametrize(
    ("raw", "shown", "exact"),
    [
        (b"", "", True),
        (b"report.docx", "report.docx", True),
        ("naïve.txt".encode(), "naïve.txt", True),
        (b"caf\xe9.txt", "caf\\xe9.txt", False),
        (b"\xff\xfe", "\\xff\\xfe", False),
        (b"overlong\xc0\xaf", "overlong\\xc0\\xaf", False),
        (b"surrogate\xed\xa0\x80", "surrogate\\ud800", False),
        (b"\xed\xb2\x80\xed\xa0\xed\xbf\xbf\x80", "\\udc80\\xed\\xa0\\udfff\\x80", False),
        (b"cut\xf0\x9f\x98", "cut\\xf0\\x9f\\x98", False),
        (b"a/b", "a\\x2fb", False),
        (b"../../etc/passwd", "..\\x2f..\\x2fetc\\x2fpasswd", False),
        (b"nul\x00l", "nul\\x00l", False),
        (b"line\nbreak", "line\\x0abreak", False),
        ("\u202egpj.exe".encode(), "\\u202egpj.exe", False),
        (b"literal\\x41", "literal\\x41", True),
        ("e\u0301".encode(), "e\u0301", True),
    ],
)
def test_shown_name(raw: bytes, shown: str, exact: bool) -> None:
    assert show_name(raw) == (shown, exact)


# --- markup ---------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """What a browser would make of a page: tags with attributes, and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


XSS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "<svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "<!--", "-->", "]]>", "<![CDATA[", "<?php",
    "&lt;script&gt;", "&#60;script&#62;", "&amp;", "&",
    "\u2028</script>", "\x00<b>", "<\x00b>", "＜script＞",
    "javascript:alert(1)", "{{7*7}}", "${7*7}", "`",
]


def assert_reads_as(text: str) -> None:
    reader = Reader()
    reader.feed(f'<p title="{markup(text)}" class=\'{markup(text)}\'>{markup(text)}</p>')
    reader.close()
    assert reader.tags == [("p", [("title", show(text)), ("class", show(text))])]
    assert reader.text == show(text)


@QUICK
@given(HOSTILE)
def test_markup_is_only_ever_text(text: str) -> None:
    assert not set(markup(text)) & set("<>\"'")
    assert html.unescape(markup(text)) == show(text)
    assert_reads_as(text)


@pytest.mark.parametrize("text", XSS)
def test_markup_of_known_attacks(text: str) -> None:
    assert_reads_as(text)


def test_markup_takes_any_value() -> None:
    assert (markup(5), markup(None), markup(b"<")) == ("5", "None", "b&#x27;&lt;&#x27;")


# --- cell -----------------------------------------------------------------------------------------

FORMULAS = [
    "=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "=HYPERLINK(\"http://evil\",\"click\")",
    "\t=1+1", "\r=1+1", "\n=1+1", "\x00=1+1", "＝1+1", "＋1", "－1", "＠SUM(A1)", "=", "-", "+", "@", "-rf",
    "--help",
    "\r\n=1", "+49 30 1234", "@home.jpg",
]
HARMLESS = ["", "a", "1", "a=1", "a-b", "x@y.org", "'=1+1", "holiday.jpg", "1-2", "\\x1b", "été"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == "'" + show(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0, "0"), (-5, "-5"), (-0.5, "-0.5"), (True, "True"), (1 << 70, str(1 << 70))],
)
def test_numbers_stay_numbers(value: object, text: str) -> None:
    assert cell(value) == text


@QUICK
@given(HOSTILE)
@example("|=")
@example(" ;\t-")
def test_a_cell_is_inert_in_one_row_and_column(text: str) -> None:
    written = cell(text)
    assert_inert(written)
    assert not written.startswith(tuple("=+-@＝＋－＠"))
    assert written.replace("'", "") == show(text).replace("'", ""), "nothing but apostrophes is added"
    assert cell(written) == written
    out = io.StringIO()
    csv.writer(out).writerow(["before", written, "after"])
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [["before", written, "after"]]
