"""Android backups (``.ab``): a head of lines, then a tar archive, mostly compressed, perhaps encrypted with a password.

Format by AOSP, ``BackupManagerService`` and ``PasswordUtils``: ``ANDROID BACKUP``, version, whether it is compressed, ``none`` or
``AES-256``; then, encrypted, in lines of hexadecimal: salt of the password, salt of the checksum, rounds, an initialisation vector and
the blob of the master key (a vector, the key and its checksum, each with its length before it), encrypted by AES-256-CBC under
PBKDF2-SHA1 of the password. What follows is encrypted so under the master key.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from triage.errors import EvidenceError, PasswordError
from triage.evidence.medium import FileMedium, PartMedium
from triage.evidence.packed import InflatedMedium

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from triage.evidence.medium import Medium

MARK = b"ANDROID BACKUP\n"
_HEAD = 8192
_BLOCK = 16
_MOST_ROUNDS = 10_000_000


class Head(NamedTuple):
    """A backup's head. ``begin``: where what follows it begins; ``lines``: those about its encryption."""

    version: int
    compressed: bool
    encryption: str
    lines: list[bytes]
    begin: int


class CbcMedium:
    """AES-CBC undone at any offset over what lies below, from ``start`` on. The padding at the end is cut off."""

    def __init__(self, below: Medium, start: int, key: bytes, vector: bytes) -> None:
        self.sector_size = 512
        self.damaged = below.damaged
        self._below, self._start, self._key, self._vector = below, start, key, vector
        self._whole = (below.size - start) // _BLOCK * _BLOCK
        last = self._plain(self._whole - _BLOCK, _BLOCK) if self._whole else b""
        pad = last[-1] if last else 0
        self.padded = 1 <= pad <= _BLOCK and last.endswith(bytes([pad]) * pad)
        self.size = self._whole - (pad if self.padded else 0)

    def _plain(self, offset: int, length: int) -> bytes:
        before = self._below.read_at(self._start + offset - _BLOCK, _BLOCK) if offset else self._vector
        decryptor = Cipher(algorithms.AES(self._key), modes.CBC(before)).decryptor()
        return decryptor.update(self._below.read_at(self._start + offset, length))

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        if not length:
            return b""
        first, last = offset // _BLOCK * _BLOCK, min(-(-(offset + length) // _BLOCK) * _BLOCK, self._whole)
        return self._plain(first, last - first)[offset - first : offset - first + length]

    def close(self) -> None:
        """Close the files below."""
        self._below.close()


def read_head(data: bytes) -> Head:
    """Return a backup's head; raise ``ValueError`` for what is none."""
    lines = data[:_HEAD].split(b"\n", 9)
    if len(lines) < 5 or lines[0] + b"\n" != MARK or not lines[1].isdigit() or lines[2] not in (b"0", b"1"):
        raise ValueError("its head is damaged")
    encryption = lines[3].decode("ascii", "replace")
    many = 4 if encryption == "none" else 9
    if len(lines) <= many and encryption != "none":
        raise ValueError("its head is cut")
    return Head(int(lines[1][:9]), lines[2] == b"1", encryption, lines[4:many], sum(len(line) + 1 for line in lines[:many]))


def open_backup(
    segments: Sequence[Path], passwords: Sequence[str], size: int | None, beat: Callable[[], None]
) -> tuple[Medium, dict[str, str], list[str]]:
    """Open a backup; return the tar archive in it as a medium, facts, and what is wrong.

    Raises ``PasswordError`` when it is encrypted and no password opens it, ``EvidenceError`` when it is damaged.
    """
    below = FileMedium(segments)
    try:
        try:
            head = read_head(below.read_at(0, _HEAD))
        except ValueError as error:
            raise EvidenceError(f"{segments[0]} is an Android backup that cannot be read: {error}") from error
        facts = {"backup version": str(head.version), "encryption": head.encryption}
        if head.encryption == "none":
            inner: Medium = PartMedium(below, head.begin)
        else:
            inner = CbcMedium(below, head.begin, *_unlock(segments[0], head, passwords))
        if not head.compressed:
            return inner, facts, []
        medium = InflatedMedium(inner, zlib.MAX_WBITS, size=size, beat=beat)
    except BaseException:
        below.close()
        raise
    cut = f"{segments[0].name} is damaged or cut: only the first {medium.size} bytes of the archive in it can be read"
    return medium, facts, [] if medium.complete else [cut]


def _unlock(path: Path, head: Head, passwords: Sequence[str]) -> tuple[bytes, bytes]:
    """Return the master key and its initialisation vector."""
    if head.encryption != "AES-256":
        raise EvidenceError(f"{path} is an Android backup encrypted by {head.encryption[:20]!r}, which is not known")
    damaged = f"{path} is an Android backup that cannot be read: its head is damaged"
    try:
        salt, checksum_salt, vector, blob = (bytes.fromhex(head.lines[n].decode("ascii")) for n in (0, 1, 3, 4))
        rounds = int(head.lines[2])
    except ValueError as error:
        raise EvidenceError(damaged) from error
    if not 0 < rounds <= _MOST_ROUNDS or len(vector) != _BLOCK or len(blob) % _BLOCK or not blob:
        raise EvidenceError(damaged)
    if not passwords:
        raise PasswordError(f"{path} is an Android backup encrypted with a password", hint="give it by --password-file or --password")
    for password in passwords:
        # Version 1 takes the low eight bits of each character, later ones UTF-8 (AOSP, PBKDF2WithHmacSHA1And8bit).
        text = password.encode("utf-8") if head.version > 1 else bytes(ord(c) & 255 for c in password)
        key = hashlib.pbkdf2_hmac("sha1", text, salt, rounds, 32)
        found = _master_key(Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor().update(blob), head.version, checksum_salt, rounds)
        if found is not None:
            return found
    raise PasswordError(f"{path}: no password that was given opens this Android backup", hint="check it, or give another one")


def _master_key(blob: bytes, version: int, salt: bytes, rounds: int) -> tuple[bytes, bytes] | None:
    fields, at = [], 0
    for _ in range(3):
        length = blob[at] if at < len(blob) else 0
        fields.append(blob[at + 1 : at + 1 + length])
        at += 1 + length
    vector, key, checksum = fields
    if len(vector) != _BLOCK or len(key) != 32 or at > len(blob):
        return None
    # Java makes characters of signed bytes: those of 0x80 and more become U+FF80 to U+FFFF.
    text = "".join(chr(b if b < 0x80 else 0xFF00 | b) for b in key).encode("utf-8") if version > 1 else key
    if not hmac.compare_digest(hashlib.pbkdf2_hmac("sha1", text, salt, rounds, 32), checksum):
        return None
    return key, vector
