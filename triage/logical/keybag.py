"""The keys of an encrypted backup of iTunes or the Finder: from a password to the key of each file.

By Apple's "Apple Platform Security" (keybags for Data Protection) and J.-B. Bédrune and J. Sigwald, "iPhone data protection in depth"
(2011): a keybag is a list of records, four letters, u32 length (big-endian), value; behind the bag's own come those of each class key.
A password becomes a key by PBKDF2-SHA256 (``DPSL``, ``DPIC``; since iOS 10.2) and PBKDF2-SHA1 (``SALT``, ``ITER``); the class keys are
wrapped by that (RFC 3394), the files' keys by their class's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.filesystem.trees.tree import ReadAt

_BY_PASSWORD = 2
_MOST_ROUNDS = 100_000_000
_BLOCK = 16


class KeybagError(ValueError):
    """A keybag that cannot be read."""


@dataclass(slots=True)
class Keybag:
    """A backup's keybag, and its class keys once a password has opened it."""

    fields: dict[bytes, bytes] = field(default_factory=dict)
    wrapped: dict[int, bytes] = field(default_factory=dict)
    keys: dict[int, bytes] = field(default_factory=dict)

    def unlock(self, passwords: Sequence[str]) -> bool:
        """Try passwords; return whether one of them opens the bag."""
        for password in passwords:
            key = self._key_of(password.encode("utf-8"))
            found = {}
            for number, wrapped in self.wrapped.items():
                try:
                    found[number] = aes_key_unwrap(key, wrapped)
                except (InvalidUnwrap, ValueError):
                    break
            if found and len(found) == len(self.wrapped):
                self.keys = found
                return True
        return False

    def _key_of(self, password: bytes) -> bytes:
        number = {name: int.from_bytes(self.fields.get(name, b""), "big") for name in (b"ITER", b"DPIC")}
        if not 0 < number[b"ITER"] <= _MOST_ROUNDS or number[b"DPIC"] > _MOST_ROUNDS:
            raise KeybagError("the rounds of its password cannot be")
        if number[b"DPIC"]:
            password = hashlib.pbkdf2_hmac("sha256", password, self.fields.get(b"DPSL", b""), number[b"DPIC"], 32)
        return hashlib.pbkdf2_hmac("sha1", password, self.fields.get(b"SALT", b""), number[b"ITER"], 32)

    def file_key(self, blob: bytes) -> bytes:
        """Return a file's key from its class (u32, little-endian) and wrapped key; raise ``OSError`` when the bag does not open it."""
        number = int.from_bytes(blob[:4], "little")
        if number not in self.keys:
            raise OSError(f"its key is of a protection class ({number}) that the password does not open")
        try:
            return aes_key_unwrap(self.keys[number], blob[4:44])
        except (InvalidUnwrap, ValueError) as error:
            raise OSError("its key is damaged") from error


def read_keybag(data: bytes) -> Keybag:
    """Return a keybag; raise :class:`KeybagError` for what is none."""
    bag = Keybag()
    records: list[tuple[bytes, bytes]] = []
    at = 0
    while at + 8 <= len(data) and len(records) < 10_000:
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        if at + 8 + length > len(data):
            raise KeybagError("its keybag breaks off")
        records.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length
    own = True
    key: dict[bytes, bytes] = {}
    for name, value in [*records, (b"UUID", b"")]:
        if name == b"UUID" and (b"SALT" in bag.fields or not own):
            own = False
            if key and int.from_bytes(key.get(b"WRAP", b""), "big") & _BY_PASSWORD and b"WPKY" in key:
                bag.wrapped[int.from_bytes(key.get(b"CLAS", b""), "big")] = key[b"WPKY"]
            key = {}
        (bag.fields if own else key).setdefault(name, value)
    if b"SALT" not in bag.fields or not bag.wrapped:
        raise KeybagError("its keybag holds no keys under a password")
    return bag


def cbc_reader(read_at: ReadAt, packed: int, size: int, key: bytes) -> ReadAt:
    """Return the bytes of a file that AES-256-CBC has encrypted with an initialisation vector of zeros."""

    def opened(offset: int, length: int) -> bytes:
        length = max(0, min(length, size - offset))
        if not length:
            return b""
        first, last = offset // _BLOCK * _BLOCK, min(-(-(offset + length) // _BLOCK) * _BLOCK, packed // _BLOCK * _BLOCK)
        vector = read_at(first - _BLOCK, _BLOCK) if first else bytes(_BLOCK)
        data = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor().update(read_at(first, max(0, last - first)))
        return data[offset - first : offset - first + length]

    return opened
