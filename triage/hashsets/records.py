"""What a hash list is made of.

Digests as raw bytes, records, and what a reader has to say about a line it could not use.
"""

from __future__ import annotations

import re
from binascii import Error as NotHex
from binascii import unhexlify
from functools import lru_cache
from typing import NamedTuple

ALGORITHMS = ("md5", "sha1", "sha256")  # weakest first
LENGTHS = {"md5": 16, "sha1": 20, "sha256": 32}  # in bytes

# The digest of no bytes at all stands on many lists and matches every empty file: it is never stored and
# never matched.
EMPTY_FILE = {
    "md5": bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e"),
    "sha1": bytes.fromhex("da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    "sha256": bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
}

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
    r"(md2|md4|ed2k|edonkey|ntlm|sha224|sha384|sha512|sha3\d*|crc32|crc|adler32|whirlpool|tiger|ripemd\d*|rmd\d*|"
    r"blake\w*|ssdeep|tlsh|"
    r"sdhash|pdq|phash|ahash|dhash|photodna|pdna)(?:hash|sum|digest|hex|value|crc)?"
)
_SAME = {"sha2256": "sha256", "edonkey": "ed2k", "crc": "crc32", "pdna": "photodna"}


class HashRecord(NamedTuple):
    """One file as a list knows it.

    Any of three digests as raw bytes, and the list's own category as it stands there.
    """

    md5: bytes | None = None
    sha1: bytes | None = None
    sha256: bytes | None = None
    category: str = ""


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


Event = HashRecord | Packed | Reject | Unkept | Note

BY_LENGTH_NOTE = Note("64-digit values were taken for SHA-256: the list names no kind, and a PDQ picture hash looks the same")


def record_of(digests: dict[str, bytes], category: str = "") -> HashRecord:
    """Return a record of digests by algorithm."""
    return HashRecord(digests.get("md5"), digests.get("sha1"), digests.get("sha256"), category)


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
