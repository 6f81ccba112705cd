"""Messages in Android's backups: real ones, made ones of every direction, damage."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/apps/com.android.providers.telephony/d_f/000000_sms_backup"


def packed(*rows: object) -> bytes:
    return zlib.compress(json.dumps(rows).encode())


class TestRealSamples:
    pytestmark = needs_samples

    def test_a_text_and_a_multimedia_message(self) -> None:
        folder = ARTIFACTS / "mvt/android_backup/apps/com.android.providers.telephony/d_f"
        (sms,) = findings(run("sms_backup", item_of((folder / "000000_sms_backup").read_bytes(), PATH)))
        assert sms.data == {
            "time": "2022-02-22T15:29:41.956Z", "text": "Hi this is a test message to https://google.com/", "direction": "sent",
            "person": "06543219", "application": "Android messages", "read": True,
        }  # fmt: skip
        (mms,) = findings(run("sms_backup", item_of((folder / "000001_mms_backup").read_bytes(), PATH.replace("sms", "mms"))))
        assert (mms.data["kind"], mms.data["direction"], mms.data["person"]) == ("MMS", "received", "+12345678")
        assert (mms.data["time"], mms.data["sent_time"]) == ("2020-01-20T14:49:49Z", "2020-01-20T14:49:46Z")
        assert mms.data["text"].startswith("Very suspicious MMS")


def test_directions_drafts_and_several_people() -> None:
    rows = [
        {"address": "1", "body": "in", "date": "1700000000000", "type": "1", "read": "0"},
        {"address": "2", "body": "out", "date": "1700000000000", "type": "2"},
        {"address": "3", "body": "later", "date": "0", "type": "3"},
        {"msg_box": "2", "mms_body": "", "recipients": ["4", "5"], "mms_addresses": [{"type": 137, "address": "insert-address-token"}]},
        "no message", {"body": 5},
    ]  # fmt: skip
    found = findings(run("sms_backup", item_of(packed(*rows), PATH)))
    assert [(f.data.get("direction"), f.data.get("person"), f.data.get("text")) for f in found] == [
        ("received", "1", "in"), ("sent", "2", "out"), (None, "3", "later"), ("sent", "4, 5", None), (None, None, None),
    ]  # fmt: skip
    assert found[2].data["draft"] is True
    assert found[3].title == "message sent to 4, 5"


def test_what_is_no_backup_says_nothing_and_what_is_broken_is_said() -> None:
    assert run("sms_backup", item_of(b"something else", "vol1/my_sms_backup")) == []
    assert "cannot be read" in problems(run("sms_backup", item_of(zlib.compress(b"[{"), PATH)))[0].message


def test_damage_never_breaks_it() -> None:
    for data in mutants(packed({"address": "1", "body": "x", "date": "1", "type": "1"}), 150):
        never_fails("sms_backup", item_of(data, PATH))


def samples() -> list[Item]:
    return [item_of(packed({"address": "1", "body": "hello", "date": "1700000000000", "type": "1"}), PATH)]
