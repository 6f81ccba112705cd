"""Property lists of Apple's systems, messages in Android's backups, NTFS's change journal."""

from __future__ import annotations

import json
import plistlib
import sys
import zlib
from pathlib import Path

from targets import Target

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
import test_plugin_sms_backup as sms
import test_plugin_usn_journal as usn
from real_samples import item_of, run
from test_plugin_apple_system import FOLDER

_NAMES = (
    "com.apple.commcenter.plist",
    "com.apple.wifi.known-networks.plist",
    "com.apple.identityservices.idstatuscache.plist",
    "InstallHistory.plist",
)


def _apple(data: bytes) -> None:
    run("apple_system", item_of(data, f"{FOLDER}/{_NAMES[len(data) % 4]}"))


def _sms(data: bytes) -> None:
    run("sms_backup", item_of(data, sms.PATH))
    run("sms_backup", item_of(zlib.compress(data), sms.PATH))


def _usn(data: bytes) -> None:
    if len(data) >= 64:
        run("usn_journal", item_of(data, usn.PATH))


TARGETS = [
    Target("apple-system", _apple, lambda: [plistlib.dumps({"PhoneNumber": "1", "a": {"tel:1": {"b": 6.3}}}, fmt=plistlib.FMT_BINARY)],
           ("triage.plugins.apple_system",)),
    Target("sms-backup", _sms, lambda: [json.dumps([{"address": "1", "body": "x", "date": "1", "mms_addresses": []}]).encode()],
           ("triage.plugins.sms_backup",)),
    Target("usn-journal", _usn, lambda: [usn.record("a.jpg", 0x80000200) * 3, usn.record("b.jpg", 0x80002000, version=3)],
           ("triage.artifacts.usnjrnl", "triage.plugins.usn_journal")),
]  # fmt: skip
