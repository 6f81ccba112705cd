r"""What md5sum, sha256sum, their BSD and OpenSSL kin and md5deep print: a digest beside a file name.

``HASH  name``, ``HASH *name``, ``\HASH  name with escapes``, ``MD5 (name) = HASH``, ``MD5(name)= HASH``,
``size  HASH  name``. A name that is itself a digest (samples are often named so) is a name.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from typing import TYPE_CHECKING

from triage.hashsets.records import (
    BY_HEX_LENGTH,
    BY_LENGTH_NOTE,
    LENGTHS,
    OTHER_HEX_LENGTH,
    Packed,
    Reject,
    Unkept,
    digest_by_length,
    digest_kind,
    other_kind,
    parse_digest,
    record_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_GNU = re.compile(rb"\s{0,20}(?:\d{1,19}\s\s?)?\\?([0-9A-Fa-f]{32,288}) ([ *]?)(\S.*)", re.DOTALL)
_SIMPLE = re.compile(rb"^([0-9A-Fa-f]{32,64}) [ *]\S", re.MULTILINE)
_BSD = re.compile(rb"([A-Za-z0-9/-]{2,12}) ?\(")


def looks_like(head: bytes) -> bool:
    """Say whether most lines are a digest and a name."""
    good = bad = 0
    for line in head.splitlines()[:200]:
        if line.strip() and not line.startswith(b"#"):
            if _split(line) is not None:
                good += 1
            else:
                bad += 1
    return good > bad


def read(source: Source) -> Iterator[Event]:
    """Yield one record a line; names are not kept."""
    told = False
    for number, line in source.packed_lines(_pack):
        if isinstance(line, Packed | Reject):
            if isinstance(line, Packed) and line.algorithm == "sha256" and not told:
                told = True
                yield BY_LENGTH_NOTE
            yield line
            continue
        if not line.strip() or line.startswith(b"#"):
            continue
        found = _split(line)
        if found is None:
            yield Reject(number, "not a digest and a file name")
            continue
        name, token = found
        kind = digest_kind(name)
        if name and kind is None:
            yield Unkept(other_kind(name) or "another kind")
            continue
        if kind is None and len(token) in OTHER_HEX_LENGTH:
            yield Unkept(OTHER_HEX_LENGTH[len(token)])
            continue
        try:
            digest = digest_by_length(token) if kind is None else (kind, parse_digest(token, kind))
        except ValueError as error:
            yield Reject(number, str(error))
            continue
        if digest is None:
            yield Reject(number, f"no digest: {len(token)} hexadecimal digits")
            continue
        if kind is None and digest[0] == "sha256" and not told:
            told = True
            yield BY_LENGTH_NOTE
        yield record_of({digest[0]: digest[1]})


def _pack(data: bytes) -> Packed | None:
    """Return a block's digests if each line is in GNU's form, without escapes, with digests of one length."""
    first = _SIMPLE.match(data)
    algorithm = BY_HEX_LENGTH.get(len(first[1])) if first else None
    if algorithm is None:
        return None
    digests = _SIMPLE.findall(data)
    if len(digests) != data.count(b"\n") + (not data.endswith(b"\n")):
        return None
    if set(map(len, digests)) != {2 * LENGTHS[algorithm]}:
        return None
    return Packed(algorithm, unhexlify(b"".join(digests)))


def _split(line: bytes) -> tuple[str, bytes] | None:
    """Return the kind's name, empty where the line does not say it, and the digest's text."""
    if match := _GNU.match(line):
        # One blank between two digests is a plain list's; two characters between them make the second a name.
        return None if not match[2] and all(map(digest_by_length, match[3].split())) else ("", match[1])
    if match := _BSD.match(line):
        before, equals, token = line.rpartition(b"=")
        if equals and before.rstrip().endswith(b")"):
            name = text_of(match[1])
            if digest_kind(name) or other_kind(name):
                return name, token.strip()
    return None
