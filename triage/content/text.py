"""Is it text, and which kind: a look at the first 4 KiB, no more."""

from __future__ import annotations

import codecs
import re

SAMPLE = 4096
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_CONTROL = bytes(set(range(32)) - {8, 9, 10, 11, 12, 13, 27}) + b"\x7f"
_PLAIN = bytes(range(32, 127)) + b"\t\r\n"
_SHORT = 64

_JSON = re.compile(
    rb"""\s*(?:\{\s*(?:\}\s*\Z|"(?:[^"\\]|\\.){0,500}"\s*:)
    |\[\s*(?:\]\s*\Z|[{\[]\s*["{\[\]}\d-]|"(?:[^"\\]|\\.){0,500}"\s*[],]
    |(?:-?\d[\d.eE+-]{0,40}|true|false|null)\s*(?:,|\]\s*\Z)))""",
    re.VERBOSE,
)
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|script|meta|table|iframe|frameset)[\s>]", re.IGNORECASE)
_COMMENTS = re.compile(rb"\s*(?:<!--.{0,2000}?-->\s*){1,4}", re.DOTALL)
_SVG = re.compile(rb"<(?:\w{1,20}:)?svg[\s>]")
_XML = re.compile(rb"<\?xml\s")
_XHTML = re.compile(rb"<html[\s>]", re.IGNORECASE)
_PLIST = re.compile(rb"<!DOCTYPE plist|<plist[\s>]")
_MAIL = re.compile(
    rb"(?:\d{1,9}\s*\n)?(Return-Path|Received|Delivered-To|Message-ID|MIME-Version|From|To|Subject|Date"
    rb"|Reply-To|X-[A-Za-z-]{1,40}"
    rb"|DKIM-Signature|Content-Type|Envelope-To|Thread-Topic|Authentication-Results|ARC-Seal): ?",
    re.IGNORECASE,
)
_MAIL_FIELDS = re.compile(
    rb"^(?:Return-Path|Received|Message-ID|MIME-Version|From|To|Subject|Date|Content-Type):",
    re.IGNORECASE | re.MULTILINE,
)
_MAIL_ONLY = frozenset({b"return-path", b"received", b"delivered-to", b"message-id", b"mime-version", b"dkim-signature"})
_MBOX = re.compile(
    rb"From [^\r\n]{1,200}\d{2}:\d{2}[^\r\n]{0,60}\r?\n[A-Za-z0-9-]{1,60}: ?"
    rb"|From \S{1,200} [^\r\n]{0,60}\d{4}\r?\n"
)
_MARKS = (
    (b"#!", "script"),
    (b"{\\rtf", "rtf"),
    (b"%!PS", "ps"),
    (b"%PDF-", "pdf"),
    (b"%YAML", "yaml"),
    (b"BEGIN:VCARD", "vcard"),
    (b"BEGIN:VCALENDAR", "ical"),
    (b"-----BEGIN PGP MESSAGE", "pgp"),
    (b"-----BEGIN PGP SIGNED", "text"),
    (b"-----BEGIN PGP", "pgp-key"),
    (b"-----BEGIN AGE ENCRYPTED", "age"),
    (b"-----BEGIN ", "pem"),
    (b"# Disk DescriptorFile", "diskdescriptor"),
    (b"U2FsdGVkX1", "openssl"),
)


def text_type(head: bytes) -> str:
    """Return the kind of text that ``head`` starts with, ``text`` when no special one, "" when not text.

    UTF-8, UTF-16 and UTF-32 with a byte order mark, UTF-16 of mostly Latin letters without one, and one-byte
    or East Asian encodings (no control characters in what is looked at) count as text.
    """
    sample = head[:SAMPLE]
    if sample.startswith(_BOMS):
        sample = _without_mark(sample)
        return _kind(sample) if sample else "text" if len(head) <= 3 else ""
    if 0 in sample:
        sample = _wide(sample)
    elif not is_narrow_text(sample):
        return ""
    return _kind(sample) if sample else ""


def _without_mark(sample: bytes) -> bytes:
    """Return text that starts with a byte order mark as UTF-8; nothing when it does not decode to text."""
    if sample.startswith(b"\xef\xbb\xbf"):
        body = sample[3:]
        return body if is_narrow_text(body) else b""
    encoding = "utf-32" if sample[:4] == b"\xff\xfe\0\0" else "utf-16"
    return _decoded(sample[: len(sample) & ~3], encoding)


def _wide(sample: bytes) -> bytes:
    """Return UTF-16 without a mark as UTF-8: every other byte is NUL in what is mostly Latin letters."""
    sample = sample[: min(len(sample), 512) & ~1]
    if len(sample) < 8:
        return b""
    half = len(sample) // 2
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if sample[start::2].count(0) >= half * 0.9 and sample[1 - start :: 2].count(0) == 0:
            return _decoded(sample, encoding)
    return b""


def _decoded(sample: bytes, encoding: str) -> bytes:
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        text = decoder.decode(sample)
    except (UnicodeDecodeError, UnicodeError):
        return b""
    body = text.encode("utf-8", "replace")
    return b"" if body != body.translate(None, _CONTROL) else body


def is_narrow_text(sample: bytes) -> bool:
    """Whether bytes without a mark read as text in UTF-8 or in an encoding of one or two bytes."""
    if len(sample.translate(None, _CONTROL)) != len(sample):
        return False
    if sample.isascii():
        return bool(sample)
    try:
        codecs.utf_8_decode(sample, "strict", len(sample) < SAMPLE)
    except UnicodeDecodeError:
        # A random byte is a control character one time in ten: past 64 bytes their absence is proof enough.
        plain = len(sample) - len(sample.translate(None, _PLAIN))
        if len(sample) < _SHORT:
            return plain >= 0.7 * len(sample)
        return plain > 0 and sample.count(0xFF) * 50 < len(sample)  # 0xFF fills what was erased
    return True


def _kind(sample: bytes) -> str:
    text = sample.lstrip()
    first = text[:1]
    if first == b"<":
        return _markup(text)
    if first in {b"{", b"["}:
        if text.startswith(b"{\\rtf"):
            return "rtf"
        return "json" if _JSON.match(text) else "text"
    for mark, name in _MARKS:
        if text.startswith(mark):
            return name
    if text.startswith(b"From ") and _MBOX.match(text):
        return "mbox"
    return "eml" if (field := _MAIL.match(text)) and _is_mail(field.group(1), text) else "text"


def _is_mail(first: bytes, text: bytes) -> bool:
    fields = {m.lower() for m in _MAIL_FIELDS.findall(text)}
    return len(fields) >= 3 or (len(fields) == 2 and first.lower() in _MAIL_ONLY)


def _markup(text: bytes) -> str:
    if comments := _COMMENTS.match(text):
        text = text[comments.end() :]
    if _XML.match(text):
        if _SVG.search(text):
            return "svg"
        if _PLIST.search(text):
            return "plist"
        return "html" if _XHTML.search(text) else "xml"
    if _SVG.match(text) or text.startswith(b"<!DOCTYPE svg"):
        return "svg"
    if _PLIST.match(text):
        return "plist"
    if _HTML.match(text):
        return "html"
    return "text"
