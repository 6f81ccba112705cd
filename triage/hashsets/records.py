"""What a hash list is made of.

Digests as raw bytes, records, and what a reader has to say about a line it could not use.

A set keeps *kinds* of rows. The three digests that every file is given are compared with files; those of :data:`TRACED` only
with what traces name (a peer-to-peer database, a torrent); :data:`PARTIAL` are MD5 of a file's first bytes; ``block`` is the key of
4 KiB of a file (:mod:`triage.content.blocks`); ``pdq`` and ``frame`` are PDQ hashes of pictures and of frames of videos, compared by
likeness; ``photodna`` is kept for whoever has a licensed comparison.
"""

from __future__ import annotations

import re
from base64 import b32decode, b64decode
from binascii import Error as NotHex
from binascii import unhexlify
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

ALGORITHMS = ("md5", "sha1", "sha256")  # weakest first
LENGTHS = {"md5": 16, "sha1": 20, "sha256": 32}  # in bytes
TRACED = {"sha512": 64, "ed2k": 16, "aich": 20, "btih": 20, "tth": 24}
PARTIAL = {"md5_512": 512, "md5_64k": 65536}
"""MD5 of so many first bytes, which only files of more bytes have."""
URLS = {"url": 32, "url_sha256": 32, "url_sha1": 20, "url_md5": 16}
"""Addresses: SHA-256 of a form (:mod:`triage.hashsets.urls`), and the digests of addresses that lists have."""
KEYS = {**LENGTHS, **TRACED, **dict.fromkeys(PARTIAL, 16), "block": 16, "pdq": 32, "frame": 32, "photodna": 144, **URLS}
"""Every kind of row, with how many of its first bytes are compared."""
ROWS = KEYS | {"pdq": 41, "frame": 36, "block": 24}
"""How many bytes a row has. ``pdq``: hash, 1 or 0, 64-bit pHash or zeros. ``frame``: hash, record. ``block``: key, record,
number of the block in its file. Numbers are 32-bit, big-endian."""
LIKENESS = ("pdq", "frame")
"""Kinds that are compared by the bits that differ."""
COMPARED = (*ALGORITHMS, *PARTIAL, "block", *LIKENESS, *URLS)
"""Kinds that files, and the addresses that traces name, are compared with."""

# The digest of no bytes at all stands on many lists and matches every empty file: it is never stored and
# never matched.
EMPTY_FILE = {
    "md5": bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e"),
    "sha1": bytes.fromhex("da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    "sha256": bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    "sha512": bytes.fromhex(
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
    ),
    "ed2k": bytes.fromhex("31d6cfe0d16ae931b73c59d7e0c089c0"),
    "md5_512": bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e"),
    "md5_64k": bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e"),
}

_FEWEST_BITS = 64  # of a PDQ hash half are set, but for ties: a picture of one colour has none
_LONGEST_NAME = 64  # characters of a name that are looked at
MAX_CATEGORY = 200  # characters of a category that are kept
BY_HEX_LENGTH = {2 * length: name for name, length in LENGTHS.items()}
# Hexadecimal lengths that can only be digests which are not stored (288 and 192: PhotoDNA in hexadecimal and
# base64).
OTHER_HEX_LENGTH = {56: "sha224", 96: "sha384", 128: "sha512", 288: "photodna"}

_HEX = re.compile(rb"[0-9A-Fa-f]+")
_NAME = re.compile(r"(?:hash|file|filehash|digest)?(md5|sha1|sha256|sha2256)(?:hash|sum|digest|hex|value)?")
_OTHER_NAME = re.compile(
    r"(?:hash|file|filehash|digest)?"
    r"(md2|md4|ed2k|edonkey|ntlm|sha224|sha384|sha512|sha2512|sha3\d*|crc32|crc|adler32|whirlpool|tiger|ripemd\d*|rmd\d*|"
    r"blake\w*|ssdeep|tlsh|aich|btih|infohash|tth|md5512|md564k|"
    r"sdhash|pdq|phash|ahash|dhash|photodna|pdna)(?:hash|sum|digest|hex|value|crc)?"
)
_SAME = {
    "sha2256": "sha256",
    "sha2512": "sha512",
    "edonkey": "ed2k",
    "infohash": "btih",
    "crc": "crc32",
    "pdna": "photodna",
    "md5512": "md5_512",
    "md564k": "md5_64k",
}


class HashRecord(NamedTuple):
    """One file as a list knows it.

    Any of three digests as raw bytes, and the list's own category as it stands there. ``more``: (kind, value) of other kinds of
    :data:`KEYS`: for ``pdq`` the hash or hash and pHash (:func:`pdq_row`), for ``block`` digest and number (:func:`block_row`), else
    the bare digest. ``facts``: sorted (name, value) pairs with names of :data:`FACTS`. ``size`` in bytes, ``None`` when not told.
    """

    md5: bytes | None = None
    sha1: bytes | None = None
    sha256: bytes | None = None
    category: str = ""
    more: tuple[tuple[str, bytes], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    size: int | None = None
    name: str = ""


class Packed(NamedTuple):
    """Many records at once that hold one digest each and no category: the digests, end to end."""

    algorithm: str
    digests: bytes


class Reject(NamedTuple):
    """A line, row or item that was not used, and why. ``line`` counts from 1."""

    line: int
    reason: str


class Unkept(NamedTuple):
    """A digest of a kind that is not stored."""

    kind: str
    times: int = 1


class Note(NamedTuple):
    """A sentence about the whole list that the report must hold."""

    text: str


class Scheme(NamedTuple):
    """Which scheme a list's categories belong to, as the list says it (``VICS 2.0 US``)."""

    text: str


class Blob(NamedTuple):
    """Bytes that are kept as they are (``hashlookup``: a filter that may be wrong), in parts, and for how many records they stand."""

    name: str
    parts: Iterable[bytes]
    records: int


Event = HashRecord | Packed | Reject | Unkept | Note | Scheme | Blob

FACTS = ("distributed", "offender_identified", "self_generated", "series", "suspected", "tags", "victim_identified")
"""What is kept of a record besides digests and category. Flags are ``yes`` or ``no``, and left out when the list has neither."""
MAX_FACT = 200  # characters of a fact's value that are kept

BY_LENGTH_NOTE = Note("64-digit values were taken for SHA-256: the list names no kind, and a PDQ picture hash looks the same")


def pdq_row(pdq: bytes, phash: bytes | None = None) -> bytes:
    """Return the ``pdq`` row of a 32-byte PDQ hash and an 8-byte pHash, if any."""
    return pdq + (b"\x01" + phash if phash is not None else bytes(9))


def block_row(key: bytes, number: int) -> bytes:
    """Return a ``block`` value: the key of the file's 4 KiB block of this number, counted from 0."""
    return key + number.to_bytes(4, "big")


def record_of(digests: dict[str, bytes], category: str = "") -> HashRecord:
    """Return a record of digests by kind."""
    more = tuple((kind, value) for kind, value in digests.items() if kind not in LENGTHS)
    return HashRecord(digests.get("md5"), digests.get("sha1"), digests.get("sha256"), category, more)


def digest_kind(name: str) -> str | None:
    """Return ``md5``, ``sha1`` or ``sha256`` for a name such as ``SHA-1`` or ``hash_md5``, else ``None``."""
    return _kinds(name[:_LONGEST_NAME])[0]


def other_kind(name: str) -> str | None:
    """Return the short name of a digest that is not stored (``photodna``, ``md4``, ``sha512`` …), else ``None``."""
    return _kinds(name[:_LONGEST_NAME])[1]


@lru_cache(maxsize=512)  # a list has the same few names in every entry
def _kinds(name: str) -> tuple[str | None, str | None]:
    plain = "".join(c for c in name.lower() if c.isalnum())
    kind, other = _NAME.fullmatch(plain), _OTHER_NAME.fullmatch(plain)
    return _SAME.get(kind[1], kind[1]) if kind else None, _SAME.get(other[1], other[1]) if other else None


def kept_kind(name: str) -> str | None:
    """Return the kind of a digest besides the three that every file is given, ``None`` for one that is not stored."""
    other = other_kind(name)
    return other if other in KEYS else None


def parse_kept(token: bytes | str, kind: str) -> bytes:
    """Return a digest's raw bytes out of text: hexadecimal, and what else is usual for its kind.

    AICH, TTH and BitTorrent hashes also come in base32, PhotoDNA in base64 or as 144 numbers. Raise ``ValueError`` that says what is wrong
    with it; also for a PDQ hash of a picture with nothing in it, which would be like every other such picture.
    """
    text = (token.decode("ascii", "replace") if isinstance(token, bytes) else token).strip()
    length = KEYS[kind]
    try:
        if len(text) == 2 * length:
            raw = unhexlify(text)
        elif kind in ("aich", "btih", "tth") and len(text.rstrip("=")) == -(-length * 8 // 5):
            raw = b32decode(text.rstrip("=").upper() + "=" * (-len(text.rstrip("=")) % 8))
        elif kind == "photodna":
            raw = bytes(int(n) for n in text.split(",")) if text.count(",") == length - 1 else b64decode(text, validate=True)
        else:
            raw = b""
    except (NotHex, ValueError) as error:
        raise ValueError(f"{kind}: not its digits") from error
    if len(raw) != length:
        raise ValueError(f"{kind}: {len(text)} characters, which cannot be one")
    if kind == "pdq" and not _FEWEST_BITS <= int.from_bytes(raw, "big").bit_count() <= 256 - _FEWEST_BITS:
        raise ValueError("pdq: the hash of a picture with nothing in it, which would match others of that kind")
    return raw


def is_hex(token: bytes) -> bool:
    """Say whether all of a token is hexadecimal digits."""
    return _HEX.fullmatch(token) is not None


def parse_digest(token: bytes | str, algorithm: str) -> bytes:
    """Return a digest's raw bytes out of hexadecimal text.

    Raise ``ValueError`` that says what is wrong with it.
    """
    if len(token) != 2 * LENGTHS[algorithm]:
        raise ValueError(f"{algorithm}: {len(token)} characters where {2 * LENGTHS[algorithm]} hexadecimal digits belong")
    try:
        return unhexlify(token)
    except (NotHex, ValueError) as error:
        raise ValueError(f"{algorithm}: not hexadecimal digits") from error


def digest_by_length(token: bytes | str) -> tuple[str, bytes] | None:
    """Return a digest's algorithm and raw bytes by its length alone; ``None`` if it cannot be one."""
    algorithm = BY_HEX_LENGTH.get(len(token))
    if algorithm is None:
        return None
    try:
        return algorithm, unhexlify(token)
    except (NotHex, ValueError):
        return None


def text_of(raw: bytes) -> str:
    """Return text out of a list, which is UTF-8 or else taken for Latin-1 (NSRL's old files are)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def category_of(value: object) -> str:
    """Return a category as a list has it (a number, text, nothing) as text.

    Nothing is mapped or interpreted.
    """
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return str(value).strip()[:MAX_CATEGORY]
