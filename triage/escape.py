"""The one door through which text from evidence reaches a person: terminal, log, HTML, CSV.

Evidence chooses its names. A name may hold terminal escapes, line breaks that forge log lines, bidirectional overrides that
turn ``gpj.exe`` around, markup, or a spreadsheet formula. What leaves here is inert and still says what was there.
"""

from __future__ import annotations

import html
import re

# C0, DEL, C1; soft hyphen; Arabic letter mark; zero-width, line/paragraph separators and bidirectional controls;
# word joiner and invisible operators; BOM; interlinear annotation; tag characters; lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
# What makes a spreadsheet take a cell for a formula (OWASP ASVS 5.0, 1.2.10), full-width forms included.
_FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")


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

    Bytes that are not UTF-8 and characters that :func:`show` escapes are written as escapes; ``/`` inside a name, which no
    path could tell from a separator, as ``\\x2f``.
    """
    text = raw.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable() and "/" not in text:
        return text, True
    shown = re.sub("[\udc80-\udcff]", lambda m: f"\\x{ord(m.group()) - 0xDC00:02x}", text)
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
    return "'" + text if str(value).startswith(_FORMULA) else text
