"""Makes BitLocker volumes around any payload: each kind of protector, each method, with the header moved as Windows does it."""

from __future__ import annotations

import hashlib
import random
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import triage.evidence.bitlocker as reader
from triage.evidence.bitlocker import password_start, recovery_start, stretch

PASSWORD = "open sesame"
RECOVERY = "042647-302313-590458-071500-554323-116567-412181-516978"
OTHER_RECOVERY = "616319-601744-502117-534017-367994-176748-607299-663201"
SECTOR, HEADER, META = 512, 8192, 65536
KEYS = {0x8000: 64, 0x8001: 64, 0x8002: 16, 0x8003: 32, 0x8004: 32, 0x8005: 64}
CBC_DIFFUSED, CBC, XTS, XTS_256 = 0x8000, 0x8002, 0x8004, 0x8005
BEK_ID = bytes(range(16))
_RNG = random.Random(7)
MASTER, EXTERNAL, CLEAR, NONCE, SALT = (_RNG.randbytes(n) for n in (32, 32, 32, 12, 16))
_STRETCHED: dict[tuple[bytes, int], bytes] = {}


def entry(kind: int, value: int, body: bytes) -> bytes:
    return struct.pack("<4H", 8 + len(body), kind, value, 1) + body


def wrapped(kind: int, key: bytes, secret: bytes) -> bytes:
    plain = struct.pack("<IHHI", 12 + len(secret), 1, 1, 0x2003) + secret
    sealed = AESCCM(key, tag_length=16).encrypt(NONCE, plain, None)
    return entry(kind, 5, NONCE + sealed[-16:] + sealed[:-16])


def _stretched(start: bytes) -> bytes:
    key = (start, reader._ROUNDS)
    if key not in _STRETCHED:
        _STRETCHED[key] = stretch(start, SALT)
    return _STRETCHED[key]


def protector(kind: str, secret: str = "", identifier: bytes = b"\x11" * 16) -> bytes:
    """``kind``: password, recovery, startup, clear or tpm."""
    if kind in ("password", "recovery"):
        start = password_start(secret) if kind == "password" else recovery_start(secret)
        assert start is not None
        inner = entry(0, 3, struct.pack("<I", 0x1000) + SALT) + wrapped(0, _stretched(start), MASTER)
    elif kind == "startup":
        inner, identifier = wrapped(0, EXTERNAL, MASTER), BEK_ID
    elif kind == "clear":
        inner = entry(0, 1, struct.pack("<I", 0x2003) + CLEAR) + wrapped(0, CLEAR, MASTER)
    else:
        inner = wrapped(0, bytes(32), MASTER)
    number = {"password": 0x2000, "recovery": 0x0800, "startup": 0x0200, "clear": 0, "tpm": 0x0100}[kind]
    return entry(2, 8, identifier + bytes(8) + bytes(2) + struct.pack("<H", number) + inner)


def startup_file() -> bytes:
    """The file that a USB stick has of the protector ``startup``."""
    body = entry(6, 9, BEK_ID + bytes(8) + entry(0, 1, struct.pack("<I", 0x2002) + EXTERNAL))
    return struct.pack("<IIII", 48 + len(body), 1, 48, 48 + len(body)) + bytes(32) + body


def bitlocker(payload: bytes, *protectors: bytes, method: int = XTS, to_go: bool = False, vista: bool = False) -> bytes:
    """Return a volume whose plain form begins with ``payload``; what metadata covers must be zeros in it. See :func:`room_for`."""
    key = random.Random(method).randbytes(KEYS[method])
    size = -(-len(payload) // META) * META + 8 * META
    places = [size - n * META for n in (6, 4, 2)]
    moved = size - 7 * META
    plain = payload.ljust(size, b"\0")
    body = b"".join(protectors or (protector("password", PASSWORD),)) + wrapped(3, MASTER, key)
    head = struct.pack("<4I16sIHHQ", 48 + len(body), 1, 48, 48 + len(body), bytes(16), 1, method, 0, 0)
    block = b"-FVE-FS-" + struct.pack("<HHHHQII4Q", 1, 1 if vista else 2, 4, 4, size, 0, 0 if vista else HEADER // SECTOR, *places, moved)
    meta = (block + head + body).ljust(META, b"\0")
    made = bytearray(encrypt(method, key, plain, 0))
    if vista:
        made[:HEADER] = plain[:HEADER]
        boot = bytearray(plain[:SECTOR])
        boot[:11], boot[11:14] = b"\xeb\x52\x90-FVE-FS-", b"\0\x02\x08"
        boot[56:64] = struct.pack("<Q", places[0] // 4096)
    else:
        made[moved : moved + HEADER] = encrypt(method, key, plain[:HEADER], moved)
        boot = bytearray(SECTOR)
        boot[:14] = b"\xeb\x58\x90" + (b"MSWIN4.1" if to_go else b"-FVE-FS-") + b"\0\x02\x08"
        at, mark = (424, "3bd66749292ed84a8399f6a339e3d001") if to_go else (160, "3bd66749292ed84a8399f6a339e3d001")
        boot[at : at + 40] = bytes.fromhex(mark) + struct.pack("<3Q", *places)
    made[:SECTOR] = boot
    for place in places:
        made[place : place + META] = meta
    return bytes(made)


def encrypt(method: int, key: bytes, data: bytes, first: int) -> bytes:
    found = []
    for at in range(0, len(data), SECTOR):
        sector, place = data[at : at + SECTOR], first + at
        if method in (0x8004, 0x8005):
            found.append(Cipher(algorithms.AES(key), modes.XTS((place // SECTOR).to_bytes(16, "little"))).encryptor().update(sector))
            continue
        length = 32 if method in (0x8001, 0x8003) else 16
        ecb = Cipher(algorithms.AES(key[:length]), modes.ECB())
        vector = place.to_bytes(16, "little")
        if method in (0x8000, 0x8001):
            tweak = Cipher(algorithms.AES(key[32 : 32 + length]), modes.ECB()).encryptor()
            mask = (tweak.update(vector) + tweak.update(vector[:15] + b"\x80")) * (SECTOR // 32)
            sector = _diffused(bytes(a ^ b for a, b in zip(sector, mask, strict=True)))
        found.append(Cipher(algorithms.AES(key[:length]), modes.CBC(ecb.encryptor().update(vector))).encryptor().update(sector))
    return b"".join(found)


def _diffused(sector: bytes) -> bytes:
    """Both diffusers, as Ferguson's paper encrypts: the last word first, each word less what decryption adds."""
    words = list(struct.unpack("<128I", sector))
    for turns, rounds, near, far in (((9, 0, 13, 0), 5, -2, -5), ((0, 10, 0, 25), 3, 2, 5)):
        for number in reversed(range(128 * rounds)):
            other, turn = words[(number + far) % 128], turns[number % 4]
            other = (other << turn | other >> (32 - turn)) & 0xFFFFFFFF
            words[number % 128] = (words[number % 128] - (words[(number + near) % 128] ^ other)) & 0xFFFFFFFF
    return struct.pack("<128I", *words)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
