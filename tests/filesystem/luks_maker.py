"""Makes LUKS volumes of both versions around any payload, with few stripes and rounds."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from triage.evidence.luks import MAGIC, _diffuse

PASSWORD = "open sesame"
STRIPES, ROUNDS = 8, 1000
SALT = bytes(range(32))


def encrypt(key: bytes, data: bytes, mode: str = "xts-plain64", sector: int = 512) -> bytes:
    found = []
    for at in range(0, len(data), sector):
        raw = (at // 512).to_bytes(16, "little")
        if mode.startswith("cbc"):
            raw = Cipher(algorithms.AES(hashlib.sha256(key).digest()), modes.ECB()).encryptor().update(raw)
        made = modes.XTS(raw) if mode.startswith("xts") else modes.CBC(raw)
        found.append(Cipher(algorithms.AES(key), made).encryptor().update(data[at : at + sector]))
    return b"".join(found)


def split(key: bytes, digest: str) -> bytes:
    rng = random.Random(1)
    held, pieces = bytes(len(key)), []
    for _ in range(STRIPES - 1):
        pieces.append(rng.randbytes(len(key)))
        held = _diffuse(bytes(a ^ b for a, b in zip(held, pieces[-1], strict=True)), digest)
    return b"".join(pieces) + bytes(a ^ b for a, b in zip(held, key, strict=True))


def padded(data: bytes, size: int = 512) -> bytes:
    return data.ljust(-(-len(data) // size) * size, b"\0")


def luks1(payload: bytes, mode: str = "xts-plain64", password: str = PASSWORD) -> bytes:
    length = 64 if mode.startswith("xts") else 32
    master, digest = random.Random(2).randbytes(length), "sha256"
    key = hashlib.pbkdf2_hmac(digest, password.encode(), SALT, ROUNDS, length)
    area = encrypt(key, padded(split(master, digest)), mode)
    start = 4096 + len(padded(area, 4096))
    head = MAGIC + struct.pack(">H32s32s32sII", 1, b"aes", mode.encode(), digest.encode(), start // 512, length)
    head += hashlib.pbkdf2_hmac(digest, master, SALT, ROUNDS, 20) + SALT + struct.pack(">I", ROUNDS) + b"uuid".ljust(40, b"\0")
    for number in range(8):
        used = number == 1
        head += struct.pack(">II32sII", 0x00AC71F3 if used else 0xDEAD, ROUNDS, SALT, 4096 // 512, STRIPES)
    return (head.ljust(4096, b"\0") + area).ljust(start, b"\0") + encrypt(master, payload, mode)


def luks2(payload: bytes, *, argon: bool = False, sector: int = 512, password: str = PASSWORD) -> bytes:
    master, digest, start = random.Random(3).randbytes(64), "sha256", 1 << 16
    salt = base64.b64encode(SALT).decode()
    kdf: dict[str, object] = {"type": "pbkdf2", "hash": digest, "iterations": ROUNDS, "salt": salt}
    key = hashlib.pbkdf2_hmac(digest, password.encode(), SALT, ROUNDS, 64)
    if argon:
        kdf = {"type": "argon2id", "time": 1, "memory": 64, "cpus": 1, "salt": salt}
        key = Argon2id(salt=SALT, length=64, iterations=1, lanes=1, memory_cost=64).derive(password.encode())
    meta = {
        "keyslots": {"0": {
            "type": "luks2", "key_size": 64, "af": {"type": "luks1", "stripes": STRIPES, "hash": digest}, "kdf": kdf,
            "area": {"type": "raw", "offset": str(1 << 15), "size": "4096", "encryption": "aes-xts-plain64", "key_size": 64},
        }},
        "segments": {"0": {
            "type": "crypt", "offset": str(start), "size": "dynamic", "iv_tweak": "0", "encryption": "aes-xts-plain64",
            "sector_size": sector,
        }},
        "digests": {"0": {
            "type": "pbkdf2", "keyslots": ["0"], "segments": ["0"], "salt": salt, "hash": digest, "iterations": ROUNDS,
            "digest": base64.b64encode(hashlib.pbkdf2_hmac(digest, master, SALT, ROUNDS, 32)).decode(),
        }},
        "tokens": {}, "config": {"json_size": "12288", "keyslots_size": "4096"},
    }  # fmt: skip
    text = json.dumps(meta).encode().ljust(12288, b"\0")

    def header(magic: bytes, offset: int) -> bytes:
        head = magic + struct.pack(">HQQ48s32s64s40s48sQ", 2, 16384, 1, b"label", b"sha256", SALT, b"uuid", b"", offset)
        head = head.ljust(4096, b"\0")
        return head[:448] + hashlib.sha256(head[:448] + bytes(64) + head[512:] + text).digest().ljust(64, b"\0") + head[512:] + text

    data = header(MAGIC, 0) + header(b"SKUL\xba\xbe", 16384)
    area = encrypt(key, padded(split(master, digest)))
    return (data.ljust(1 << 15, b"\0") + area).ljust(start, b"\0") + encrypt(master, payload, sector=sector)
