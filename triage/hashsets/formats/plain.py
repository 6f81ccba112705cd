"""Plain lists: one digest a line, or several of a file; X-Ways names the kind in the first line (``SHA-1``).

``#`` begins a comment. Quotes, and a kind before a colon (``sha1:…``), are taken off.
"""

from __future__ import annotations

import re
from binascii import Error as NotHex
from typing import TYPE_CHECKING

import numpy as np

from triage.hashsets.records import (
    BY_HEX_LENGTH,
    BY_LENGTH_NOTE,
    LENGTHS,
    OTHER_HEX_LENGTH,
    HashRecord,
    Packed,
    Reject,
    Unkept,
    digest_by_length,
    digest_kind,
    is_hex,
    other_kind,
    parse_digest,
    record_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_STRIP = b"\"'`,;"
_PREFIX = re.compile(rb"([A-Za-z0-9-]{3,8}):(.+)")


def looks_like(head: bytes) -> bool:
    """Say whether most lines hold digests and nothing else."""
    good = bad = 0
    for number, line in enumerate(_head_lines(head)):
        tokens = _tokens(line)
        if not tokens or (number == 0 and len(tokens) == 1 and _named(tokens[0]) is not None):
            continue
        if all(_digest_like(token) for token in tokens):
            good += 1
        else:
            bad += 1
    return good > bad


def read(source: Source) -> Iterator[Event]:
    """Yield what the list holds. A line without any digest, or with a word that is none, is rejected."""
    named: str | None = None
    told = False
    first = True  # no line but blank ones and comments came yet
    for number, line in source.packed_lines(_pack):
        if isinstance(line, Packed):
            first = False
            if named is None or named == line.algorithm:
                if line.algorithm == "sha256" and named is None and not told:
                    told = True
                    yield BY_LENGTH_NOTE
                yield line
            else:
                count = len(line.digests) // LENGTHS[line.algorithm]
                if named in LENGTHS:
                    reason = f"{2 * LENGTHS[line.algorithm]} digits where the list's first line says {named}"
                    yield from (Reject(number + index, reason) for index in range(count))
                else:
                    yield Unkept(named, count)
            continue
        if isinstance(line, Reject):
            yield line
            continue
        tokens = _tokens(line)
        if not tokens:
            continue
        if first and len(tokens) == 1 and _named(tokens[0]) is not None:
            named, first = _named(tokens[0]), False
            continue
        first = False
        for event in _line(number, tokens, named):
            if not told and named is None and isinstance(event, HashRecord) and event.sha256:
                told = True
                yield BY_LENGTH_NOTE
            yield event


def _line(number: int, tokens: list[bytes], named: str | None) -> Iterator[Event]:
    record: dict[str, bytes] = {}
    for whole in tokens:
        token, kind = whole, named
        if match := _PREFIX.fullmatch(whole):
            kind, token = _named(match[1]) or named, match[2]
        if kind is not None and kind not in LENGTHS:
            yield Unkept(kind)
            continue
        if kind is None and is_hex(token) and len(token) in OTHER_HEX_LENGTH:
            yield Unkept(OTHER_HEX_LENGTH[len(token)])
            continue
        try:
            found = digest_by_length(token) if kind is None else (kind, parse_digest(token, kind))
        except ValueError as error:
            yield Reject(number, str(error))
            continue
        if found is None:
            yield Reject(number, f"no digest: {len(token)} characters" + ("" if is_hex(token) else ", not hexadecimal"))
            continue
        if found[0] in record:  # a second digest of one kind is another file's
            yield record_of(record)
            record = {}
        record[found[0]] = found[1]
    if record:
        yield record_of(record)


def _tokens(line: bytes) -> list[bytes]:
    return [token for token in (t.strip(_STRIP) for t in line.split(b"#", 1)[0].split()) if token]


def _named(token: bytes) -> str | None:
    name = text_of(token[:64])
    return digest_kind(name) or other_kind(name)


def _digest_like(token: bytes) -> bool:
    match = _PREFIX.fullmatch(token)
    bare = match[2] if match and _named(match[1]) else token
    return is_hex(bare) and (len(bare) in BY_HEX_LENGTH or len(bare) in OTHER_HEX_LENGTH)


def _head_lines(head: bytes) -> list[bytes]:
    lines = head.splitlines()[:200]
    return lines[:-1] if len(lines) > 1 and len(head) >= 1 << 16 else lines


def _pack(data: bytes) -> Packed | None:
    """Return a block's digests if each line is one digest of the same length and nothing else."""
    first = data.find(b"\n")
    digits = first - data[:first].endswith(b"\r")
    algorithm = BY_HEX_LENGTH.get(digits)
    if algorithm is None or first < 0 or len(data) % (first + 1):
        return None
    rows = np.frombuffer(data, np.uint8).reshape(-1, first + 1)
    if not (rows[:, digits:] == np.frombuffer(data[digits : first + 1], np.uint8)).all():
        return None
    try:
        digests = bytes.fromhex(data.decode("ascii"))
    except (NotHex, ValueError):
        return None
    # fromhex passes over white space: a line with a blank inside would come out short.
    return Packed(algorithm, digests) if len(digests) == len(rows) * LENGTHS[algorithm] else None
