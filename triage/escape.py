"""The one door through which text from evidence reaches a person: terminal, log, HTML, CSV.

Evidence chooses its names. A name may hold terminal escapes, line breaks that forge log lines, bidirectional overrides that
turn ``gpj.exe`` around, markup, or a spreadsheet formula. What leaves here is inert and still says what was there.
"""

from __future__ import annotations

import html
import re

# C0, DEL, C1; no-break space and soft hyphen; grapheme joiner; Arabic letter mark; Hangul fillers; invisible Khmer vowels;
# Mongolian separator; typographic spaces, zero-width characters, line and paragraph separators, bidirectional controls; word
# joiner and invisible operators; blank Braille; wide space; surrogates; variation selectors are left: emoji need them; BOM;
# interlinear annotation; noncharacters; shorthand and musical format controls; tag characters.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\xa0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
# What makes a spreadsheet take a cell for a formula (OWASP ASVS 5.0, 1.2.10), full-width forms included.
_FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")
_HIDDEN_FORMULA = re.compile(r"([;|]\s*)(?=[=+\-@＝＋－＠])")

_HALF_PAIR = re.compile("\udced([\udca0-\udcbf])([\udc80-\udcbf])")


def _half(match: re.Match[str]) -> str:
    return f"\\u{0xD000 | (ord(match[1]) & 0x3F) << 6 | ord(match[2]) & 0x3F:04x}"


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def show(text: str) -> str:
    """Return ``text`` with everything that is not plainly visible written as ``\\xNN`` or ``\\uNNNN``."""
    return _UNSAFE.sub(_visible, text)


def show_name(raw: bytes) -> tuple[str, bool]:
    """Return a name's display form, and whether it says exactly what the bytes are.

    Bytes that are not UTF-8 and characters that :func:`show` escapes are written as escapes, half a surrogate pair (three bytes
    in WTF-8) as one; ``/`` inside a name, which no path could tell from a separator, as ``\\x2f``.
    """
    text = raw.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable() and "/" not in text:
        return text, True
    shown = _HALF_PAIR.sub(_half, text)
    shown = re.sub("[\udc80-\udcff]", lambda m: f"\\x{ord(m.group()) - 0xDC00:02x}", shown)
    shown = show(shown).replace("/", "\\x2f")
    return shown, shown == text


def markup(text: object) -> str:
    """Return text for HTML content or a quoted attribute: visible characters only, ``& < > " '`` escaped."""
    return html.escape(show(str(text)), quote=True)


def cell(value: object) -> str:
    """Return text for a CSV cell that no spreadsheet runs: a leading ``'`` before what looks like a formula."""
    text = "" if value is None else show(str(value))
    if isinstance(value, int | float):
        return text
    # Where the decimal sign is a comma, spreadsheets split cells at semicolons: what follows one is the start of a cell too.
    text = _HIDDEN_FORMULA.sub(r"\1'", text)
    given = str(value)
    return "'" + text if given.startswith(_FORMULA) or given.lstrip(" ").startswith(_FORMULA) else text  # some trim blanks first
