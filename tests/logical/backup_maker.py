"""Makes backups of phones as iTunes writes them: plain, encrypted, and of the older form."""

from __future__ import annotations

import hashlib
import plistlib
import sqlite3
import struct
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse"
CLASS = 3
WHEN = 1_700_000_000
CLASS_KEY, FILE_KEY, MANIFEST_KEY = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
FILES = {
    ("HomeDomain", "Library/SMS/sms.db"): b"messages" * 1000,
    ("CameraRollDomain", "Media/DCIM/100APPLE/IMG_0001.JPG"): b"\xff\xd8\xff\xe0" + bytes(5001),
    ("AppDomain-com.example.chat", "Documents/chat.db"): b"",
}


def number_of(domain: str, path: str) -> str:
    return hashlib.sha1(f"{domain}-{path}".encode(), usedforsecurity=False).hexdigest()


def encrypt(key: bytes, data: bytes) -> bytes:
    pad = 16 - len(data) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return encryptor.update(data + bytes([pad]) * pad) + encryptor.finalize()


def keybag(password: str = PASSWORD, *, newer: bool = True) -> bytes:
    salt, second = bytes(range(20)), bytes(range(20, 40))
    key = password.encode()
    if newer:
        key = hashlib.pbkdf2_hmac("sha256", key, second, 1000, 32)
    key = hashlib.pbkdf2_hmac("sha1", key, salt, 100, 32)

    def record(name: bytes, value: bytes | int) -> bytes:
        raw = value.to_bytes(4, "big") if isinstance(value, int) else value
        return name + struct.pack(">I", len(raw)) + raw

    own = [(b"VERS", 4), (b"TYPE", 1), (b"UUID", bytes(16)), (b"HMCK", bytes(40)), (b"WRAP", 1), (b"SALT", salt), (b"ITER", 100)]
    if newer:
        own += [(b"DPWT", 1), (b"DPIC", 1000), (b"DPSL", second)]
    keys: list[tuple[bytes, bytes | int]] = []
    for number in (1, CLASS):
        keys += [(b"UUID", bytes([number]) * 16), (b"CLAS", number), (b"WRAP", 2), (b"KTYP", 0), (b"WPKY", aes_key_wrap(key, CLASS_KEY))]
    return b"".join(record(*one) for one in [*own, *keys])


def wrapped(key: bytes) -> bytes:
    return struct.pack("<I", CLASS) + aes_key_wrap(CLASS_KEY, key)


def mbfile(size: int, *, key: bytes = b"", mode: int = 0o100644) -> bytes:
    objects: list[Any] = ["$null", {
        "Size": size, "Mode": mode, "UserID": 501, "GroupID": 501, "LastModified": WHEN, "LastStatusChange": WHEN + 1, "Birth": WHEN - 1,
        "ProtectionClass": CLASS, "$class": plistlib.UID(2), **({"EncryptionKey": plistlib.UID(3)} if key else {}),
    }, {"$classname": "MBFile", "$classes": ["MBFile", "NSObject"]}]  # fmt: skip
    if key:
        objects.append({"NS.data": wrapped(key), "$class": plistlib.UID(4)})
        objects.append({"$classname": "NSMutableData", "$classes": ["NSMutableData", "NSData", "NSObject"]})
    archive = {"$version": 100000, "$archiver": "NSKeyedArchiver", "$top": {"root": plistlib.UID(1)}, "$objects": objects}
    return plistlib.dumps(archive, fmt=plistlib.FMT_BINARY)


def make_backup(folder: Path, *, encrypted: bool = False, newer: bool = True) -> Path:
    """Write a backup with the files above, one folder, one link and a file that is missing."""
    folder.mkdir(parents=True)
    manifest: dict[str, Any] = {"IsEncrypted": encrypted, "Lockdown": {"DeviceName": "Kim's iPhone"}}
    if encrypted:
        manifest |= {"BackupKeyBag": keybag(newer=newer), "ManifestKey": wrapped(MANIFEST_KEY)}
    (folder / "Manifest.plist").write_bytes(plistlib.dumps(manifest, fmt=plistlib.FMT_BINARY))
    info: dict[str, Any] = {"Device Name": "Kim's iPhone", "Product Type": "iPhone12,1"}
    info |= {"Phone Number": "+49 30 1234567", "IMEI": "350000000000006"}
    info["Last Backup Date"] = datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001 - property lists keep UTC without saying so
    (folder / "Info.plist").write_bytes(plistlib.dumps(info))
    path = folder / "Manifest.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE Files (fileID TEXT PRIMARY KEY, domain TEXT, relativePath TEXT, flags INTEGER, file BLOB)")

        def line(domain: str, name: str, flags: int, blob: bytes) -> None:
            database.execute("INSERT INTO Files VALUES (?, ?, ?, ?, ?)", [number_of(domain, name), domain, name, flags, blob])

        for (domain, name), data in FILES.items():
            line(domain, name, 1, mbfile(len(data), key=FILE_KEY if encrypted else b""))
            place = folder / number_of(domain, name)[:2]
            place.mkdir(exist_ok=True)
            (place / number_of(domain, name)).write_bytes(encrypt(FILE_KEY, data) if encrypted else data)
        line("HomeDomain", "Library/SMS", 2, mbfile(0, mode=0o40755))
        line("HomeDomain", "Library/gone.db", 1, mbfile(77))
    if encrypted:
        path.write_bytes(encrypt(MANIFEST_KEY, path.read_bytes()))
    return folder


def make_old_backup(folder: Path) -> Path:
    """Write a backup as before iOS 10."""
    folder.mkdir(parents=True)
    (folder / "Manifest.plist").write_bytes(plistlib.dumps({"IsEncrypted": False}))

    def text(value: bytes) -> bytes:
        return struct.pack(">H", len(value)) + value if value else b"\xff\xff"

    data = b"mbdb\5\0"
    for (domain, name), content in FILES.items():
        data += text(domain.encode()) + text(name.encode()) + text(b"") + text(b"") + text(b"")
        data += struct.pack(">HQIIIIIQBB", 0o100644, 7, 501, 501, WHEN, WHEN + 1, WHEN - 1, len(content), CLASS, 1)
        data += text(b"a") + text(b"b")
        (folder / number_of(domain, name)).write_bytes(content)
    (folder / "Manifest.mbdb").write_bytes(data)
    return folder
