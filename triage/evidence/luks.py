"""LUKS volumes (Linux Unified Key Setup), versions 1 and 2, opened with a password.

By "LUKS1 On-Disk Format Specification" 1.2.3 and "LUKS2 On-Disk Format Specification" 1.1.3: a password becomes a key by PBKDF2 or Argon2;
that decrypts a key slot's area, whose stripes, merged, are the key of the volume; a digest tells whether it is right. The payload is
encrypted sector by sector, the number of each being its initialisation vector.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.evidence.medium import Medium

MAGIC = b"LUKS\xba\xbe"
SECTOR = 512
_SLOT = struct.Struct(">II32sII")
_ENABLED = 0x00AC71F3
_MOST_ROUNDS, _MOST_MEMORY, _MOST_TIME = 50_000_000, 4 << 20, 100
_MOST_STRIPES, _MOST_KEY, _MOST_JSON = 8000, 128, 4 << 20


class LuksError(ValueError):
    """A header that cannot be read, or a cipher or derivation that is not known."""


class Payload(NamedTuple):
    """Where the encrypted payload lies, in bytes from the volume's start, and how. ``iv``: the number of its first 512-byte sector."""

    offset: int
    size: int
    cipher: str
    key: bytes
    sector: int = SECTOR
    iv: int = 0


def open_luks(volume: Medium, passwords: Sequence[str], beat: Callable[[], None] = lambda: None) -> LuksMedium | None:
    """Return the payload of a volume as a medium; ``None`` when no password opens it. Raises :class:`LuksError` or ``OSError``."""
    head = volume.read_at(0, 4096)
    if not head.startswith(MAGIC):
        raise LuksError("it is no LUKS volume")
    version = int.from_bytes(head[6:8], "big")
    if version not in (1, 2):
        raise LuksError(f"LUKS version {version} is not known")
    for password in passwords:
        beat()
        text = password.encode("utf-8")
        found = _first(volume, head, text) if version == 1 else _second(volume, head, text)
        if found is not None:
            return LuksMedium(volume, found)
    return None


def _first(volume: Medium, head: bytes, password: bytes) -> Payload | None:
    cipher, mode, digest = (head[at : at + 32].partition(b"\0")[0].decode("ascii", "replace") for at in (8, 40, 72))
    offset, length = struct.unpack_from(">II", head, 104)
    stored, salt = head[112:132], head[132:164]
    (rounds,) = struct.unpack_from(">I", head, 164)
    _check(digest, rounds, length)
    for number in range(8):
        active, iterations, slot_salt, place, stripes = _SLOT.unpack_from(head, 208 + 48 * number)
        if active != _ENABLED or not 0 < stripes <= _MOST_STRIPES or not 0 < iterations <= _MOST_ROUNDS:
            continue
        key = hashlib.pbkdf2_hmac(digest, password, slot_salt, iterations, length)
        area = volume.read_at(place * SECTOR, -(-length * stripes // SECTOR) * SECTOR)
        master = merge(decrypt(f"{cipher}-{mode}", key, area, 0)[: length * stripes], length, stripes, digest)
        if hmac.compare_digest(hashlib.pbkdf2_hmac(digest, master, salt, rounds, 20), stored):
            return Payload(offset * SECTOR, max(0, volume.size - offset * SECTOR), f"{cipher}-{mode}", master)
    return None


def _second(volume: Medium, head: bytes, password: bytes) -> Payload | None:
    meta = _metadata(volume, head)
    try:
        for number, slot in sorted(meta["keyslots"].items()):
            length, stripes = int(slot["key_size"]), int(slot["af"]["stripes"])
            area, kdf, digest = slot["area"], slot["kdf"], str(slot["af"]["hash"])
            if slot.get("type") != "luks2" or not 0 < length <= _MOST_KEY or not 0 < stripes <= _MOST_STRIPES:
                continue
            key = _derive(kdf, password, int(area["key_size"]))
            raw = volume.read_at(int(area["offset"]), -(-length * stripes // SECTOR) * SECTOR)
            master = merge(decrypt(str(area["encryption"]), key, raw, 0)[: length * stripes], length, stripes, digest)
            for one in meta["digests"].values():
                if number in one["keyslots"] and _is_right(one, master):
                    return _segment(volume, meta, one, master)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LuksError(f"its header is damaged: {error}"[:200]) from error
    return None


def _metadata(volume: Medium, head: bytes) -> dict[str, Any]:
    """Return the JSON area of the first header whose checksum is right; else of the second one."""
    (size,) = struct.unpack_from(">Q", head, 8)
    for at in dict.fromkeys((0, size, *(0x4000 << n for n in range(9)))):
        raw = volume.read_at(at, 4096)
        if len(raw) < 4096 or raw[:6] not in (MAGIC, b"SKUL\xba\xbe"):
            continue
        (length,) = struct.unpack_from(">Q", raw, 8)
        if not 4096 < length <= _MOST_JSON:
            continue
        text = volume.read_at(at + 4096, length - 4096)
        name = raw[72:104].partition(b"\0")[0].decode("ascii", "replace")
        if name not in hashlib.algorithms_guaranteed:
            continue
        total = hashlib.new(name, raw[:448] + bytes(64) + raw[512:] + text).digest()
        if raw[448 : 448 + len(total)] != total:
            continue
        try:
            found = json.loads(text.partition(b"\0")[0])
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    raise LuksError("both of its headers are damaged")


def _derive(kdf: dict[str, Any], password: bytes, length: int) -> bytes:
    salt = base64.b64decode(kdf["salt"])
    if not 0 < length <= _MOST_KEY:
        raise LuksError("a key of a length that cannot be")
    if kdf["type"] == "pbkdf2":
        _check(str(kdf["hash"]), int(kdf["iterations"]), length)
        return hashlib.pbkdf2_hmac(str(kdf["hash"]), password, salt, int(kdf["iterations"]), length)
    if kdf["type"] not in ("argon2i", "argon2id"):
        raise LuksError(f"a derivation of keys that is not known: {kdf['type']!r:.40}")
    from cryptography.hazmat.primitives.kdf import argon2  # noqa: PLC0415 - only these need it

    make = getattr(argon2, "Argon2id" if kdf["type"] == "argon2id" else "Argon2i", None)
    if make is None:  # cryptography before 47
        raise LuksError(f"this version of cryptography does not know {kdf['type']}")
    time, memory, lanes = int(kdf["time"]), int(kdf["memory"]), int(kdf["cpus"])
    if not 0 < time <= _MOST_TIME or not 0 < memory <= _MOST_MEMORY or not 0 < lanes <= 16:
        raise LuksError("the cost of its password cannot be, or is over 4 GiB of memory")
    key: bytes = make(salt=salt, length=length, iterations=time, lanes=lanes, memory_cost=memory).derive(password)
    return key


def _is_right(digest: dict[str, Any], master: bytes) -> bool:
    _check(str(digest["hash"]), int(digest["iterations"]), len(master))
    stored = base64.b64decode(digest["digest"])
    made = hashlib.pbkdf2_hmac(str(digest["hash"]), master, base64.b64decode(digest["salt"]), int(digest["iterations"]), len(stored))
    return hmac.compare_digest(made, stored)


def _segment(volume: Medium, meta: dict[str, Any], digest: dict[str, Any], master: bytes) -> Payload:
    for name in digest["segments"]:
        segment = meta["segments"][name]
        if segment.get("type") != "crypt":
            continue
        offset, sector = int(segment["offset"]), int(segment["sector_size"])
        size = volume.size - offset if segment["size"] == "dynamic" else int(segment["size"])
        if sector not in (512, 1024, 2048, 4096) or offset < 0 or segment.get("integrity"):
            raise LuksError("its payload has an integrity check or a sector size that is not read")
        cipher, tweak = str(segment["encryption"]), int(segment["iv_tweak"])
        return Payload(offset, max(0, min(size, volume.size - offset)), cipher, master, sector, tweak)
    raise LuksError("it has no encrypted payload")


def _check(digest: str, rounds: int, length: int) -> None:
    if digest not in hashlib.algorithms_available or not 0 < rounds <= _MOST_ROUNDS or not 0 < length <= _MOST_KEY:
        raise LuksError("a hash, number of rounds or length of key that cannot be")


def merge(data: bytes, length: int, stripes: int, digest: str) -> bytes:
    """Return the key that is spread over stripes (LUKS1 specification, section 2.4, "AFmerge")."""
    held = bytes(length)
    for number in range(stripes - 1):
        piece = data[number * length : (number + 1) * length]
        held = _diffuse(bytes(a ^ b for a, b in zip(held, piece, strict=False)), digest)
    return bytes(a ^ b for a, b in zip(held, data[(stripes - 1) * length : stripes * length], strict=False))


def _diffuse(data: bytes, digest: str) -> bytes:
    size = hashlib.new(digest).digest_size
    return b"".join(
        hashlib.new(digest, struct.pack(">I", number) + data[at : at + size]).digest()[: len(data) - at]
        for number, at in enumerate(range(0, len(data), size))
    )


def decrypt(cipher: str, key: bytes, data: bytes, first: int, sector: int = SECTOR) -> bytes:
    """Return whole sectors decrypted. ``cipher`` as ``aes-xts-plain64``; ``first``: the number of the first, in sectors of 512 bytes."""
    name, _, rest = cipher.partition("-")
    mode, _, vector = rest.partition("-")
    if name != "aes" or mode not in ("xts", "cbc") or vector not in ("plain64", "plain", "essiv:sha256"):
        raise LuksError(f"the cipher {cipher[:60]!r} is not known")
    if len(key) not in ((32, 64) if mode == "xts" else (16, 24, 32)):
        raise LuksError("a key of a length that its cipher does not take")
    algorithm = algorithms.AES(key)
    hidden = algorithms.AES(hashlib.sha256(key).digest()) if vector.startswith("essiv") else None
    found, step = [], sector // SECTOR
    for at in range(0, len(data) - sector + 1, sector):
        number = first + at // sector * step
        raw = (number & 0xFFFFFFFF if vector == "plain" else number).to_bytes(16, "little")
        # One block under a vector of zeros: the number itself, encrypted.
        iv = Cipher(hidden, modes.CBC(bytes(16))).encryptor().update(raw) if hidden is not None else raw
        decryptor = Cipher(algorithm, modes.XTS(iv) if mode == "xts" else modes.CBC(iv)).decryptor()
        found.append(decryptor.update(data[at : at + sector]))
    return b"".join(found)


class LuksMedium:
    """The decrypted payload of a LUKS volume."""

    def __init__(self, volume: Medium, payload: Payload) -> None:
        self.sector_size = SECTOR
        self.damaged = volume.damaged
        self._volume, self._payload = volume, payload
        self.size = payload.size // payload.sector * payload.sector
        decrypt(payload.cipher, payload.key, b"", 0)  # a cipher that is not known is told now

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        if not length:
            return b""
        one = self._payload
        first, last = offset // one.sector * one.sector, -(-(offset + length) // one.sector) * one.sector
        data = decrypt(one.cipher, one.key, self._volume.read_at(one.offset + first, last - first), one.iv + first // SECTOR, one.sector)
        return data[offset - first : offset - first + length]

    def close(self) -> None:
        """Close the files below."""
        self._volume.close()
