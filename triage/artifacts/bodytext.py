"""The plain text of mail bodies that are HTML or RTF ([MS-OXRTFEX] for HTML that was put into RTF): for findings, not for show."""

from __future__ import annotations

import html
import re

from triage.artifacts.mapi import charset_of, letters

_ASIDE = re.compile(r"(?i)<(/?)(script|style|head|title)\b[^<>]*>|<!--|-->")
_BREAK = re.compile(r"(?i)<(?:br|/p|/div|/tr|/h[1-6]|/li|/table)\b[^<>]*>")
_TAG = re.compile(r"<[^<>]*>")
_BLANKS = re.compile(r"[ \t\r\f\v\xa0]+")
_CHARSET = re.compile(rb"(?i)charset\s{0,8}=\s{0,8}[\"']?([a-z0-9_.:-]{2,40})")
_TOKEN = re.compile(rb"\\([a-zA-Z]{1,32})(-?\d{1,9})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)|\\")
_SKIPPED = {b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"header", b"footer", b"listtable", b"generator"}
_BREAKS = {b"par": "\n", b"line": "\n", b"tab": "\t", b"cell": "\t", b"row": "\n", b"page": "\n"}
_SIGNS = {b"~": "\xa0", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
_WORDS = {b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"bullet": "•", b"endash": "–", b"emdash": "—"}
_DEEPEST, _MOST_TOKENS = 1000, 500_000


def of_html(source: str | bytes, limit: int) -> str:
    """Return the text of a page, at most ``limit`` characters."""
    if isinstance(source, bytes):
        named = _CHARSET.search(source[:4096])
        charset = named[1].decode("ascii") if named else "utf-8"
        source = letters(source, charset if charset.isascii() else "utf-8")
    kept, start, inside = [], 0, ""
    for mark in _ASIDE.finditer(source):
        word = mark[0].lower()
        name = "!" if word in ("<!--", "-->") else mark[2].lower()
        closes = word == "-->" or mark[1] == "/"
        if not inside and not closes:
            kept.append(source[start : mark.start()])
            inside, start = name, len(source)
        elif inside and closes and name == inside:
            inside, start = "", mark.end()
    if not inside:
        kept.append(source[start:])
    found = html.unescape(_TAG.sub(" ", _BREAK.sub("\n", "".join(kept).replace("\0", ""))))
    lines = (_BLANKS.sub(" ", line).strip() for line in found.split("\n"))
    return "\n".join(line for line in lines if line)[:limit]


def of_rtf(source: bytes, limit: int) -> str:
    """Return the text of RTF, at most ``limit`` characters; of HTML in it what stands between its tags."""
    out: list[str] = []
    size = skip = 0
    charset, ignored, hidden, fallback = "cp1252", False, False, 1
    waiting: list[tuple[bool, bool, int]] = []
    raw = bytearray()

    def flush() -> int:
        if not raw:
            return 0
        out.append(letters(bytes(raw), charset))
        raw.clear()
        return len(out[-1])

    for count, token in enumerate(_TOKEN.finditer(source)):
        if size >= limit or count >= _MOST_TOKENS:
            break
        word, value, byte, sign, brace, plain = token.groups()
        if brace == b"{":
            if len(waiting) < _DEEPEST:
                waiting.append((ignored, hidden, fallback))
        elif brace == b"}":
            if waiting:
                ignored, hidden, fallback = waiting.pop()
        elif sign == b"*" or (word is not None and word.lower() in _SKIPPED):
            ignored = True
        elif word == b"ansicpg" and value:
            charset = charset_of(int(value))
        elif word == b"uc" and value:
            fallback = min(abs(int(value)), 8)
        elif word == b"htmlrtf":
            hidden = value != b"0"
        elif ignored:
            continue
        elif word in _BREAKS:
            size += flush()
            out.append(_BREAKS[word])
            size += 1
        elif hidden:
            continue
        elif word == b"u" and value:
            size += flush()
            code = int(value) & 0xFFFF
            out.append(chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd")
            size, skip = size + 1, fallback
        elif word in _WORDS or (sign is not None and sign in _SIGNS):
            size += flush()
            out.append(_WORDS[word] if word in _WORDS else _SIGNS[sign])
            size += 1
        elif byte is not None:
            if skip:
                skip -= 1
            else:
                raw += bytes.fromhex(byte.decode("ascii"))
        elif plain is not None:
            raw += plain[skip:]
            skip = max(0, skip - len(plain))
            if len(raw) > 4096:
                size += flush()
    flush()
    lines = (line.strip(" \t\r\xa0") for line in "".join(out).replace("\0", "").split("\n"))
    return "\n".join(line for line in lines if line)[:limit]
