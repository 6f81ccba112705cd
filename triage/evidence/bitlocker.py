"""BitLocker volumes: their metadata, and their key by a password, a recovery key, a startup key's file or the clear key of a suspended one.

Source: libbde, "BitLocker Drive Encryption (BDE) format": sections 3 (volume header), 5 (metadata), 6 (entries), 8 (startup keys). A
password becomes a key by 1,048,576 rounds of SHA-256; that, or another protector's key, unwraps the volume's master key (AES-CCM), and
this the key of its sectors.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import uuid
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from triage.evidence.bitlockersectors import BitlockerMedium, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.evidence.medium import Medium

STARTUP_KEY = "bek:"
"""How a startup key's file stands among passwords: this and its bytes in Base64."""
MOST_STARTUP_KEY = 64 << 10
METHODS = {
    0x8000: "AES-CBC 128-bit with diffuser", 0x8001: "AES-CBC 256-bit with diffuser", 0x8002: "AES-CBC 128-bit",
    0x8003: "AES-CBC 256-bit", 0x8004: "AES-XTS 128-bit", 0x8005: "AES-XTS 256-bit",
}  # fmt: skip
_CLEAR, _STARTUP, _RECOVERY, _PASSWORD = 0x0000, 0x0200, 0x0800, 0x2000
_PROTECTORS = {
    _CLEAR: "clear key (suspended)", 0x0100: "TPM", _STARTUP: "startup key", 0x0500: "TPM and PIN", _RECOVERY: "recovery key",
    0x1000: "smart card", _PASSWORD: "password",
}  # fmt: skip
_RECOVERY_KEY = re.compile(r"\d{6}(?:-\d{6}){7}")
_MARK = b"-FVE-FS-"
_TO_GO = bytes.fromhex("3bd66749292ed84a8399f6a339e3d001")
_UNDER_WAY = bytes.fromhex("3b4da89280dd0e4d9e4eb1e3284eaed8")
_MASTER, _SECTORS, _EXTERNAL = 2, 3, 6  # what an entry is
_KEY, _STRETCH, _WRAPPED, _PROTECTED, _EXTERNAL_VALUE = 1, 3, 5, 8, 9  # what its value is
_MOST_METADATA, _MOST_ENTRIES, _ROUNDS = 64 << 10, 1000, 1 << 20


class BitlockerError(ValueError):
    """A volume whose metadata cannot be read."""


class Protector(NamedTuple):
    """What unwraps the master key: its kind, its identifier as 16 bytes, and the entries in it."""

    kind: int
    id: bytes
    entries: tuple[tuple[int, int, bytes], ...]

    @property
    def name(self) -> str:
        """What an examiner must look for, with the identifier that stands beside it there."""
        return f"{_PROTECTORS.get(self.kind, f'key of kind 0x{self.kind:04x}')} {str(uuid.UUID(bytes_le=self.id)).upper()}"


class Metadata(NamedTuple):
    """What one copy of the metadata says."""

    layout: Layout
    protectors: tuple[Protector, ...]
    wrapped: tuple[bytes, ...]
    """The key of the sectors, wrapped by the master key."""


def read_metadata(volume: Medium) -> Metadata:
    """Return what the first copy that can be read says; raise :class:`BitlockerError` when there is none, or ``OSError``."""
    head = volume.read_at(0, 512)
    to_go = head[424:440] == _TO_GO
    if len(head) < 512 or not (to_go or head[3:11] == _MARK):
        raise BitlockerError("it is no BitLocker volume")
    if not to_go and head[160:176] == _UNDER_WAY:
        raise BitlockerError("its encryption was under way when it was acquired: how far it went is not read")
    sector = struct.unpack_from("<H", head, 11)[0]
    if sector not in (512, 1024, 2048, 4096):
        sector = 512
    places = struct.unpack_from("<3Q", head, 440 if to_go else 176)
    if not to_go and head[:3] == b"\xeb\x52\x90":  # Vista: the number of a cluster stands where NTFS has that of its $MFT's mirror
        places = (struct.unpack_from("<Q", head, 56)[0] * sector * head[13],)
    for place in places:
        try:
            block = volume.read_at(place, _MOST_METADATA) if place < volume.size else b""
        except OSError:
            continue
        if len(block) > 112 and block.startswith(_MARK):
            return _parse(volume, block, sector)
    raise BitlockerError("no copy of its metadata can be read")


def _parse(volume: Medium, block: bytes, sector: int) -> Metadata:
    version, state = struct.unpack_from("<HH", block, 10)
    encrypted, _, headers, *copies, moved = struct.unpack_from("<QII4Q", block, 16)
    size, _, _, _, _, _, method = struct.unpack_from("<4I16sIH", block, 64)
    if version == 1:
        headers, moved = 0, 0
    if headers * sector > 64 << 20 or not 48 <= size <= _MOST_METADATA:
        raise BitlockerError("its metadata is damaged")
    entries = list(_entries(block[112 : 64 + size]))
    layout = Layout(
        size=volume.size, sector=sector, method=method, encrypted=encrypted if 0 < encrypted <= volume.size else volume.size,
        moved=moved, header=headers * sector, metadata=tuple(copies), version=version, state=state,
    )  # fmt: skip
    if layout.method not in METHODS:
        raise BitlockerError(f"its method of encryption, 0x{layout.method:04x}, is not known")
    protectors = []
    for kind, value, body in entries:
        if kind == _MASTER and value == _PROTECTED and len(body) >= 28:
            protectors.append(Protector(int.from_bytes(body[26:28], "little"), body[:16], tuple(_entries(body[28:]))))
    return Metadata(layout, tuple(protectors), tuple(b for k, v, b in entries if k == _SECTORS and v == _WRAPPED))


def open_bitlocker(volume: Medium, passwords: Sequence[str], beat: Callable[[], None] = lambda: None) -> Medium | None:
    """Return the decrypted volume as a medium; ``None`` when it stays locked. Raises :class:`BitlockerError` or ``OSError``."""
    metadata = read_metadata(volume)
    for password in ("", *passwords):
        for protector in metadata.protectors:
            beat()
            master = _master(protector, password, beat)
            for wrapped in metadata.wrapped:
                key = _unwrap(master, wrapped) if master is not None else None
                if key is not None:
                    return BitlockerMedium(volume, metadata.layout, key)
    return None


def describe_bitlocker(volume: Medium) -> str:
    """Return how a volume is encrypted and what opens it, each with the identifier that a key is found by; "" when that cannot be told."""
    try:
        metadata = read_metadata(volume)
    except (BitlockerError, OSError, struct.error):
        return ""
    return f"{METHODS[metadata.layout.method]}, opened by {', '.join(p.name for p in metadata.protectors[:32]) or 'nothing that is known'}"


def _master(protector: Protector, password: str, beat: Callable[[], None]) -> bytes | None:
    """Return the volume's master key, by what one protector asks for; "" stands for no password."""
    key: bytes | None = None
    if protector.kind == _CLEAR and not password:
        key = next((body[4:36] for _, value, body in protector.entries if value == _KEY), None)
    elif password.startswith(STARTUP_KEY):
        external = _external_key(_decoded(password))
        key = external[1] if protector.kind == _STARTUP and external is not None and external[0] == protector.id else None
    elif protector.kind in (_RECOVERY, _PASSWORD) and password:
        start = recovery_start(password) if protector.kind == _RECOVERY else password_start(password)
        salt = next((body[4:20] for _, value, body in protector.entries if value == _STRETCH), None)
        key = stretch(start, salt, beat) if start is not None and salt is not None else None
    if key is None:
        return None
    return next((m for m in (_unwrap(key, body) for _, value, body in protector.entries if value == _WRAPPED) if m is not None), None)


def password_start(password: str) -> bytes:
    """Return what a password's rounds begin with (section 6.4)."""
    return hashlib.sha256(hashlib.sha256(password.encode("utf-16-le", "surrogatepass")).digest()).digest()


def recovery_start(password: str) -> bytes | None:
    """Return what a recovery key's rounds begin with: each of its eight groups of digits is eleven times a number of 16 bits."""
    text = password.strip()
    groups = [int(group) for group in text.split("-")] if _RECOVERY_KEY.fullmatch(text) else []
    if not groups or any(group % 11 or group >= 11 << 16 for group in groups):
        return None
    return hashlib.sha256(struct.pack("<8H", *(group // 11 for group in groups))).digest()


def stretch(start: bytes, salt: bytes, beat: Callable[[], None] = lambda: None) -> bytes:
    """Return the key of a password (section 6.4): each round hashes the last one's result, the start, the salt and the round's number."""
    key, tail, sha256, pack = bytes(32), start + salt, hashlib.sha256, struct.Struct("<Q").pack
    for number in range(_ROUNDS):
        key = sha256(key + tail + pack(number)).digest()
        if not number & 0xFFFF:
            beat()
    return key


def startup_key(data: bytes) -> str:
    """Return a startup key's file (``.BEK``) as it stands among passwords. Raises ``ValueError`` when it is none."""
    if _external_key(data) is None:
        raise ValueError("it is no BitLocker startup key")
    return STARTUP_KEY + base64.b64encode(data).decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(STARTUP_KEY))
    except ValueError:
        return b""


def _external_key(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the identifier and the key of a startup key's file."""
    if not 48 < len(data) <= MOST_STARTUP_KEY or struct.unpack_from("<II", data, 4) != (1, 48):
        return None
    for kind, value, body in _entries(data[48:]):
        if kind == _EXTERNAL and value == _EXTERNAL_VALUE and len(body) > 24:
            for _, inner, key in _entries(body[24:]):
                if inner == _KEY and len(key) >= 36:
                    return body[:16], key[4:36]
    return None


def _entries(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the metadata entries in ``data``: type, type of value, and what follows their head of 8 bytes."""
    at = 0
    for _ in range(_MOST_ENTRIES):
        if at + 8 > len(data):
            return
        size, kind, value, _version = struct.unpack_from("<4H", data, at)
        if size < 8 or at + size > len(data):
            return
        yield kind, value, data[at + 8 : at + size]
        at += size


def _unwrap(key: bytes, body: bytes) -> bytes | None:
    """Return the key in an AES-CCM encrypted entry; ``None`` when another key protects it."""
    if len(key) != 32 or len(body) <= 28 + 12:
        return None
    nonce, tag, data = body[:12], body[12:28], body[28:]
    try:
        return AESCCM(key, tag_length=16).decrypt(nonce, data + tag, None)[12:]
    except (InvalidTag, ValueError):
        return None
